from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from imgclf.preprocessing import PreprocessingSettings, pieces
from imgclf.preprocessing.fit import fit

FITTED = {"normalization": {"name": "featurewise"}, "whitening": {"name": "zca", "images": 100}}
SHAPE = (6, 5, 3)


@dataclass
class Watched:
    """Pixels that remember what was taken, and how much at a time."""

    images: np.ndarray
    taken: list[int] = field(default_factory=list)
    most: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> np.ndarray:
        self.taken += indices.tolist()
        self.most = max(self.most, len(indices))
        return self.images[indices]


def test_normalization_sees_every_image_once_and_whitening_so_many_evenly_spread(images: np.ndarray) -> None:
    pixels = Watched(images)
    fit(PreprocessingSettings(**FITTED), pixels, SHAPE)
    assert pixels.taken[:400] == list(range(400))
    spread = pixels.taken[400:]
    assert len(set(spread)) == 100
    assert (spread[0], spread[-1]) == (0, 399)
    assert set(np.diff(spread)) <= {4, 5}


def test_images_come_by_pieces_and_the_pieces_change_nothing(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PreprocessingSettings(**FITTED)
    whole = fit(settings, Watched(images), SHAPE).preprocessing.fitted
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 7 * 90)
    pixels = Watched(images)
    cut = fit(settings, pixels, SHAPE).preprocessing.fitted
    assert pixels.most == 7
    assert cut.keys() == whole.keys()
    for name in whole:
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-4, atol=1e-5)


def test_it_says_what_was_fitted_on_how_many_images(images: np.ndarray) -> None:
    told: list[tuple[str, int, int]] = []
    done = fit(PreprocessingSettings(**FITTED), Watched(images), SHAPE, lambda *one: told.append(one))
    assert done.record == {
        "normalization": {"name": "featurewise", "images": 400},
        "whitening": {"name": "zca", "images": 100},
    }
    assert done.notes == (
        "featurewise normalization on all 400 training images",
        "zca whitening on 100 of 400 training images, evenly spread",
    )
    assert told == [("fitting featurewise normalization", 400, 400), ("fitting zca whitening", 100, 100)]


def test_fewer_images_than_numbers_are_warned_of(images: np.ndarray) -> None:
    whitening = {"name": "pca", "images": 90}
    assert fit(PreprocessingSettings(whitening=whitening), Watched(images), SHAPE).notes == (
        "pca whitening on 90 of 400 training images, evenly spread",
        "warning: 90 images tell no variances of 90 numbers each; raise epsilon",
    )


@pytest.mark.parametrize("settings", [{}, {"normalization": {"name": "samplewise"}}])
def test_where_nothing_is_fitted_no_image_is_read(images: np.ndarray, settings: dict[str, dict[str, str]]) -> None:
    pixels = Watched(images)
    done = fit(PreprocessingSettings(**settings), pixels, SHAPE)
    assert (pixels.taken, done.record, done.notes, done.preprocessing.fitted) == ([], {}, (), {})


@pytest.mark.parametrize(
    "settings",
    [
        FITTED,
        {"normalization": {"name": "featurewise", "center": False}},
        {"normalization": {"name": "featurewise", "scale": False}, "whitening": {"name": "pca"}},
    ],
)
def test_what_is_fitted_is_what_was_announced(images: np.ndarray, settings: dict[str, dict[str, str]]) -> None:
    announced = PreprocessingSettings(**settings)
    arrays = fit(announced, Watched(images), SHAPE).preprocessing.fitted
    assert {name: array.shape for name, array in arrays.items()} == announced.arrays(SHAPE)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
