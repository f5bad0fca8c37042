"""Images in folders of one's own, in the layouts that people have them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits
from imgclf.datasets.held_out import TEST_SEED, TEST_SIZE, TestSeed, TestSize
from imgclf.settings import Misfit, refuse_idle


class ImageFolder(DatasetSettings):
    """Image files: a folder per class, split folders above them, flat names (cat.0.jpg), a zip of these, or a CSV.

    JPEG, PNG, BMP, WebP, TIFF, GIF and, where Pillow has it, AVIF, by content; decoded once into a cache on the disk,
    or streamed where it has no room.
    """

    name: Literal["image_folder"] = Field(
        description="Your own image files: one folder per class; `train/`, `validation/`, `test/` above them; flat "
        "names (`cat.0.jpg`); a zip archive of these (`train.zip`); or a CSV file of names and labels."
    )
    path: str = Field(
        min_length=1,
        description="Folder or zip archive of the images. A relative one is looked for in the working directory, then "
        "in the data folder.",
    )
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = Field(
        None,
        description="The classes to use (of the first label column), in the order of their labels. null: all, in "
        "natural order (2 before 10).",
    )
    validation_path: str | None = Field(
        None, min_length=1, description="Folder or archive of the validation images, without split folders."
    )
    test_path: str | None = Field(
        None, min_length=1, description="Folder or archive of the test images, without split folders."
    )
    test_size: TestSize = TEST_SIZE
    test_seed: TestSeed = TEST_SEED
    csv: str | None = Field(
        None,
        min_length=1,
        description="CSV file with a row an image, looked for in `path`, then as `path` is. Its names are relative to "
        "`path`.",
    )
    file_column: str = Field("file", description="The CSV's column of file names.")
    label_columns: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("label",), description="The CSV's columns of labels; each is a target of its own."
    )
    split_column: str | None = Field(
        None, description="The CSV's column that says `train`, `validation` or `test`. null: split by size."
    )
    max_unreadable: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The fraction of files that may be unreadable: they are left out and listed. With more, no run "
        "starts.",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> ImageFolder:
        for key, names in (("classes", self.classes or ()), ("label_columns", self.label_columns)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise Misfit((key,), f"must be different names; got {twice!r} twice")
        return self

    @model_validator(mode="after")
    def _csv_has_what_asks_for_it(self) -> ImageFolder:
        for key in ("file_column", "label_columns", "split_column") if self.csv is None else ():
            refuse_idle(self, key, "csv", "without csv, the file that has such columns")
        if len(self.label_columns) > 1:
            for key in ("validation_path", "test_path"):
                if getattr(self, key) is not None:
                    found = f"its folders tell one label an image; label_columns has {len(self.label_columns)}"
                    raise Misfit((key,), f"{found}; use split_column", (("label_columns",),))
        return self

    def target_names(self) -> tuple[str, ...]:
        return self.label_columns

    def may_bring_validation(self) -> bool:
        return True  # only the files tell

    def tolerant(self) -> ImageFolder:
        return self.model_copy(update={"max_unreadable": 1.0})

    def refuses(self, unreadable: int, files: int) -> bool:
        return unreadable > self.max_unreadable * files

    def load(self, places: DataPlaces, seed: int) -> Splits:
        from imgclf.datasets.folders.loading import load_image_folder

        return load_image_folder(self, places, seed)
