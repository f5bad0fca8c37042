"""Arrays of anyone's in HDF5 or .npz files: which one holds what. `imgclf data export` writes such files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.class_names import ClassNames, Name
from imgclf.datasets.held_out import TEST_SEED, TEST_SIZE, TestSeed, TestSize
from imgclf.settings import Count, ImageShape, Misfit, Settings


class ArrayInFile(Settings):
    """An array in a file of its own."""

    path: Name = Field(description="The file; looked for as `dataset.path` is.")
    array: Name = Field(description="Name of the array in it.")


ArrayPlace = Name | ArrayInFile


class LabelColumn(Settings):
    """A column of the label arrays, which is a target of its own."""

    name: Name = Field(description="The target's name.")
    class_names: ClassNames | ArrayPlace | None = Field(
        None, description="As `dataset.class_names`, of the classes of this column."
    )


class ArraySettings(DatasetSettings):
    """What both formats have: images uint8, or fractions from 0 to 1; labels as numbers from 0 or one-hot."""

    name: str
    path: Name | None = Field(
        None,
        description="The file of all arrays that name none of their own. A relative path is looked for in the working "
        "directory, then in the data folder.",
    )
    train_images: ArrayPlace = Field(
        "train_images",
        description="Array of the training images: a name in the file, or `{path: FILE, array: NAME}`. (images, "
        "height, width) or (images, height, width, 1 or 3), uint8, or fractions from 0 to 1.",
    )
    train_labels: ArrayPlace = Field(
        "train_labels",
        description="Array of their labels: whole numbers from 0, or one-hot (images, classes); with `label_columns`, "
        "whole numbers (images, columns).",
    )
    validation_images: ArrayPlace | None = Field(
        None, description="Array of validation images. null: `validation_size` of the training images are set aside."
    )
    validation_labels: ArrayPlace | None = Field(None, description="Array of their labels.")
    test_images: ArrayPlace | None = Field(
        None, description="Array of test images. null: `test_size` of the training images are set aside."
    )
    test_labels: ArrayPlace | None = Field(None, description="Array of their labels.")
    class_names: ClassNames | ArrayPlace | None = Field(
        None,
        description="The names of the classes, in the order of their labels, or the array that holds them. null: the "
        "numbers from 0 to the greatest training label.",
    )
    label_columns: Annotated[tuple[LabelColumn, ...], Field(min_length=1)] | None = Field(
        None,
        description="The columns of the label arrays where they have several, in order; each is a target of its own. "
        "null: one target, `label`.",
    )
    image_shape: tuple[Count, Count, Literal[1, 3]] | None = Field(
        None, description="Height, width and channels, where the array has another shape: flat rows. null: the array's."
    )
    test_size: TestSize = TEST_SIZE
    test_seed: TestSeed = TEST_SEED

    @model_validator(mode="after")
    def _places_are_complete(self) -> ArraySettings:
        for part in ("validation", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if (images is None) != (labels is None):
                missing, given = ("images", "labels") if images is None else ("labels", "images")
                raise Misfit((f"{part}_{missing}",), f"must be given, since {part}_{given} is")
        places = [getattr(self, f"{part}_{what}") for part in PARTS for what in ("images", "labels")]
        places += [column.class_names for column in self.columns()]
        if self.path is None and any(isinstance(place, str) for place in places):
            raise Misfit(("path",), "must be given, or every array needs a path of its own")
        return self

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> ArraySettings:
        names = [column.name for column in self.columns()]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Misfit(("label_columns",), f"must have different names; got {twice!r} twice")
        if self.label_columns is not None and self.class_names is not None:
            raise Misfit(("class_names",), "must be given in each of label_columns instead")
        return self

    def columns(self) -> tuple[LabelColumn, ...]:
        """The targets: those of ``label_columns``, or the one of labels that have no columns."""
        return self.label_columns or (LabelColumn(name="label", class_names=self.class_names),)

    def target_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns())

    def known_shape(self) -> ImageShape | None:
        return self.image_shape

    def may_bring_validation(self) -> bool:
        return self.validation_images is not None

    def known_targets(self) -> tuple[Target, ...] | None:
        columns = self.columns()
        known = [Target(one.name, one.class_names) for one in columns if isinstance(one.class_names, tuple)]
        return tuple(known) if len(known) == len(columns) else None


PARTS = ("train", "validation", "test")


class Hdf5(ArraySettings):
    """Arrays in HDF5 files, read as they are taken: those in one stretch are mapped, those in chunks decompressed."""

    name: Literal["hdf5"] = Field(description="Arrays in HDF5 files: images and labels of each split, by name.")

    def load(self, places: DataPlaces, seed: int) -> Splits:
        from imgclf.datasets.stored.hdf5_rows import Hdf5Arrays
        from imgclf.datasets.stored.loading import load_arrays

        return load_arrays(self, places, seed, Hdf5Arrays)


class Npz(ArraySettings):
    """Arrays in .npz files: stored ones are mapped, compressed ones lie in memory, one after the other decompressed."""

    name: Literal["npz"] = Field(description="Arrays in .npz files of numpy: images and labels of each split, by name.")

    def load(self, places: DataPlaces, seed: int) -> Splits:
        from imgclf.datasets.stored.loading import load_arrays
        from imgclf.datasets.stored.npz_rows import NpzArrays

        return load_arrays(self, places, seed, NpzArrays)
