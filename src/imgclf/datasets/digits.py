"""The handwritten digits that scikit-learn carries: 1,797 images of 8 x 8 pixels, no download."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from imgclf.datasets.base import ArrayPixels, DataPlaces, DatasetSettings, Split, Splits, Target
from imgclf.settings import ImageShape

TARGETS = (Target("label", tuple("0123456789")),)
TEST_FRACTION = 0.2
TEST_SEED = 0  # not the experiment's: runs of different seeds are compared on the same test images


class Digits(DatasetSettings):
    """scikit-learn's digits (UCI, Alpaydin and Kaynak, 1998): uint8 (8, 8, 1), a fixed fifth of them for the test."""

    name: Literal["digits"] = Field(
        description="scikit-learn's handwritten digits: 8 x 8 pixels, one channel, 10 classes; nothing to download."
    )

    def known_shape(self) -> ImageShape:
        return 8, 8, 1

    def known_targets(self) -> tuple[Target, ...]:
        return TARGETS

    def load(self, places: DataPlaces, seed: int) -> Splits:  # noqa: ARG002 (it lies in scikit-learn, nowhere else)
        from imgclf.datasets.split import build_splits, select, stratified_split

        whole = _read()
        for_training, for_test = stratified_split(whole.labels[:, 0], TEST_FRACTION, TEST_SEED)
        train, test = select(whole, for_training), select(whole, for_test)
        return build_splits(
            self,
            seed,
            whole=train,
            load_test=lambda: test,
            test_images=len(test),
            targets=TARGETS,
            notes=("digits from scikit-learn; a fixed fifth of each class is the test split",),
        )


def _read() -> Split:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # scikit-learn's values are 0 to 16
    return Split(ArrayPixels(grey[..., np.newaxis]), digits.target.astype(np.int32)[:, np.newaxis])
