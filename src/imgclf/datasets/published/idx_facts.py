"""What is known of a published data set in MNIST's format before any of its files is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgclf.datasets.base import DataPlaces, Target

HEIGHT, WIDTH = 28, 28

# Headers of 16 and 8 bytes; 60,000 images to train on and 10,000 to test on.
_CONTENT_BYTES = (16 + 60_000 * HEIGHT * WIDTH, 8 + 60_000, 16 + 10_000 * HEIGHT * WIDTH, 8 + 10_000)


@dataclass(frozen=True)
class IdxDataset:
    """One data set as it was published, and where it may be found.

    ``folders`` lie in the data folder; downloads go to the first. ``keras_name`` is a folder or .npz file in Keras'
    cache. ``content_sha256`` and ``content_bytes`` are the digests and sizes of the unpacked files, in the order of
    IDX_FILES; they are asked of downloads only, so that files of one's own in the same format can be used. ``obtain``
    tells people where to get it.
    """

    title: str
    targets: tuple[Target, ...]
    folders: tuple[str, ...]
    keras_name: str
    system_folders: tuple[Path, ...]
    mirrors: tuple[str, ...]
    content_sha256: tuple[str, str, str, str]
    obtain: str
    content_bytes: tuple[int, int, int, int] = _CONTENT_BYTES
    by_class: bool = False

    def fetch(self, places: DataPlaces, classes: Sequence[str], say: Callable[[str], None]) -> None:  # noqa: ARG002
        """Find or download it whole, and say where it is. Raises ImgclfError where it can't be had."""
        from imgclf.datasets.published.idx_dataset import idx_whereabouts
        from imgclf.datasets.published.whereabouts import tell_where

        tell_where(idx_whereabouts(self, places.data_dir), places, say)

    def find(self, data_dir: Path) -> str | None:
        """Where it lies on this machine, in one line; None: nowhere. Raises ImgclfError where only a part is there."""
        from imgclf.datasets.published.idx_dataset import idx_whereabouts
        from imgclf.datasets.published.whereabouts import where

        return where(idx_whereabouts(self, data_dir))
