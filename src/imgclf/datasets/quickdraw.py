"""Quick, Draw!: bitmaps of 28 x 28 pixels that people drew in 20 seconds (Google, 2017), one file a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.class_names import ClassNames
from imgclf.datasets.held_out import TEST_SEED, TEST_SIZE, TestSeed, TestSize
from imgclf.settings import Count, ImageShape

FOLDER = "quickdraw"  # of the data folder


@dataclass(frozen=True)
class QuickDrawBitmaps:
    """Google's bitmaps, of which the classes that are named are fetched, about 100 MB each."""

    by_class: bool = True

    def fetch(self, places: DataPlaces, classes: Sequence[str], say: Callable[[str], None]) -> None:
        """Download the files of the classes that are not there yet. Raises ImgclfError where one can't be had."""
        from imgclf.datasets.published.quickdraw_download import download_quickdraw

        download_quickdraw(classes, places.data_dir / FOLDER, places.report_progress, say)

    def find(self, data_dir: Path) -> str | None:
        """The folder and its number of classes; None where it is not there. Raises ImgclfError where it has none."""
        from imgclf.datasets.published.quickdraw_files import find_files

        folder = data_dir / FOLDER
        return f"{folder}: {len(find_files(folder))} classes" if folder.is_dir() else None


class QuickDraw(DatasetSettings):
    """A folder of Quick Draw's bitmaps, uint8 (28, 28, 1), white ink on black: memory-mapped, never copied whole."""

    publication: ClassVar[QuickDrawBitmaps] = QuickDrawBitmaps()
    name: Literal["quickdraw"] = Field(
        description="Quick Draw: a folder of `CLASS.npy` or `full_numpy_bitmap_CLASS.npy`, drawings of 28 x 28 pixels."
    )
    path: str = Field(
        FOLDER,
        min_length=1,
        description="The folder. A relative path is looked for in the working directory, then in the data folder.",
    )
    classes: ClassNames | None = Field(
        None, description="The classes to tell apart, in the order of their labels. null: every file of the folder."
    )
    images_per_class: Count | None = Field(
        None, description="The first so many drawings of each file, or all where it has fewer. null: all."
    )
    test_size: TestSize = TEST_SIZE
    test_seed: TestSeed = TEST_SEED

    def known_shape(self) -> ImageShape:
        return 28, 28, 1

    def known_targets(self) -> tuple[Target, ...] | None:
        return (Target("label", self.classes),) if self.classes else None

    def load(self, places: DataPlaces, seed: int) -> Splits:
        # Imported here: numpy takes 150 ms, which a mistake in an experiment file should not cost.
        from imgclf.datasets.published.quickdraw_files import load_quickdraw

        return load_quickdraw(self, places, seed)
