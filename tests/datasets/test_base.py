from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, SelectedPixels, file_behind
from imgclf.datasets.pixels.joined import JoinedPixels
from imgclf.datasets.pixels.shaped import ShapedPixels
from imgclf.images.fit import ImageFit


@dataclass(frozen=True)
class FilePixels(ArrayPixels):
    """Images with a file each."""

    names: tuple[str, ...]

    def name_of(self, index: int) -> str:
        return self.names[index]


def images(count: int) -> NDArray[np.uint8]:
    return np.zeros((count, 4, 4, 1), np.uint8)


def test_selected_and_shaped_pixels_name_the_file_behind_an_image() -> None:
    files = FilePixels(images(3), ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"))
    selected = SelectedPixels(files, np.array([2, 0]))
    assert [file_behind(selected, index) for index in range(2)] == ["dog/1.jpg", "cat/1.jpg"]
    assert file_behind(ShapedPixels(selected, (8, 8, 3), ImageFit((8, 8), 3)), 1) == "cat/1.jpg"


def test_joined_pixels_name_the_files_of_their_pieces() -> None:
    pieces = FilePixels(images(2), ("1.jpg", "2.jpg")), ArrayPixels(images(1)), FilePixels(images(1), ("3.jpg",))
    assert [file_behind(JoinedPixels(pieces), index) for index in range(4)] == ["1.jpg", "2.jpg", None, "3.jpg"]


def test_images_of_one_array_have_no_file() -> None:
    pixels = ArrayPixels(images(3))
    assert file_behind(pixels, 0) is None
    assert file_behind(ShapedPixels(SelectedPixels(pixels, np.array([1])), (8, 8, 3), ImageFit((8, 8), 3)), 0) is None
