from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from imgclf.datasets import DatasetUnion
from imgclf.datasets.base import DataPlaces, Split, Splits, Target
from imgclf.errors import ImgclfError

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.integers(0, 256, (120, 6, 5, 1), np.uint8)
LABELS = np.arange(120) % 3
OTHER_IMAGES = NUMBERS.integers(0, 256, (30, 6, 5, 1), np.uint8)
OTHER_LABELS = np.arange(30) % 3

Write = Callable[..., None]


def write_hdf5(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def write_hdf5_in_chunks(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=(7, *array.shape[1:]), compression="gzip", shuffle=True)


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def write_npz_compressed(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, **arrays)


WRITERS = {
    write_hdf5: ("hdf5", "arrays.h5"),
    write_hdf5_in_chunks: ("hdf5", "arrays.h5"),
    write_npz: ("npz", "arrays.npz"),
    write_npz_compressed: ("npz", "arrays.npz"),
}
every_format = pytest.mark.parametrize("write", WRITERS)
each_kind = pytest.mark.parametrize("write", [write_hdf5, write_npz])


def load(folder: Path, write: Write, settings: dict[str, Any] | None = None, **arrays: Any) -> Splits:
    """Write the arrays into one file and load it."""
    name, file = WRITERS[write]
    write(folder / file, **arrays)
    return load_section({"name": name, "path": str(folder / file), **(settings or {})})


def load_section(section: dict[str, Any]) -> Splits:
    return TypeAdapter(DatasetUnion).validate_python(section).load(DataPlaces(Path("nowhere")), 0)


def images_of(split: Split | None) -> NDArray[Any]:
    assert split is not None
    return split.pixels.take(np.arange(len(split)))


@every_format
def test_images_are_taken_in_the_order_asked_for_with_repetitions(tmp_path: Path, write: Write) -> None:
    settings = {"test_images": "x", "test_labels": "y"}
    arrays = {"train_images": IMAGES, "train_labels": LABELS, "x": OTHER_IMAGES, "y": OTHER_LABELS}
    pixels = load(tmp_path, write, settings, **arrays).load_test().pixels
    assert (pixels.image_shape, pixels.dtype, len(pixels)) == ((6, 5, 1), np.uint8, 30)
    for asked in ([29, 3, 3, 0, 17], [5, 6, 7], [8], []):
        taken = pixels.take(np.array(asked, np.int64))
        assert taken.dtype == np.uint8
        assert np.array_equal(taken, OTHER_IMAGES[asked])


@each_kind
def test_all_three_splits_are_those_of_the_file(tmp_path: Path, write: Write) -> None:
    settings = {f"{part}_{what}": f"{part}_{what}" for part in ("validation", "test") for what in ("images", "labels")}
    splits = load(
        tmp_path,
        write,
        {**settings, "class_names": "names"},
        train_images=IMAGES[:90],
        train_labels=LABELS[:90],
        validation_images=IMAGES[90:],
        validation_labels=LABELS[90:],
        test_images=OTHER_IMAGES,
        test_labels=OTHER_LABELS,
        names=np.array(["no", "perhaps", "yes"], "S" if write is write_hdf5 else "U"),
    )
    assert splits.targets[0].class_names == ("no", "perhaps", "yes")
    for split, images, labels in [
        (splits.train, IMAGES[:90], LABELS[:90]),
        (splits.validation, IMAGES[90:], LABELS[90:]),
        (splits.load_test(), OTHER_IMAGES, OTHER_LABELS),
    ]:
        assert split is not None
        assert np.array_equal(images_of(split), images)
        assert split.labels.dtype == np.int32
        assert np.array_equal(split.labels[:, 0], labels)


@each_kind
def test_without_test_images_a_fifth_is_set_aside_the_same_for_every_seed(tmp_path: Path, write: Write) -> None:
    splits = load(tmp_path, write, train_images=IMAGES, train_labels=LABELS)
    name, file = WRITERS[write]
    dataset = TypeAdapter(DatasetUnion).validate_python({"name": name, "path": str(tmp_path / file)})
    other = dataset.load(DataPlaces(Path("nowhere")), 1)
    assert np.array_equal(images_of(splits.load_test()), images_of(other.load_test()))
    assert np.bincount(splits.load_test().labels[:, 0]).tolist() == [8, 8, 8]
    parts = [images_of(part) for part in (splits.train, splits.validation, splits.load_test())]
    assert {image.tobytes() for part in parts for image in part} == {image.tobytes() for image in IMAGES}
    assert splits.targets[0].class_names == ("0", "1", "2")
    assert splits.notes[1].startswith("class_names are not given: the classes are 0 to 2")


@every_format
@pytest.mark.parametrize("labels", [np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS], LABELS[:, None], LABELS * 1.0])
def test_labels_are_numbers_or_one_hot(tmp_path: Path, write: Write, labels: NDArray[Any]) -> None:
    settings = {"validation_size": 0, "test_size": 3}
    splits = load(tmp_path, write, settings, train_images=IMAGES, train_labels=labels)
    by_image = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    assert [by_image[image.tobytes()] for image in images_of(splits.train)] == splits.train.labels[:, 0].tolist()


@every_format
@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f4"])
def test_fractions_are_float32_from_0_to_255(tmp_path: Path, write: Write, kind: Any) -> None:
    fractions = (IMAGES / 255).astype(kind)
    settings = {"test_images": "train_images", "test_labels": "train_labels"}
    pixels = load(tmp_path, write, settings, train_images=fractions, train_labels=LABELS).load_test().pixels
    taken = pixels.take(np.arange(120))
    assert pixels.dtype == taken.dtype == np.float32
    assert np.allclose(taken, IMAGES, atol=1e-4)


@each_kind
def test_flat_rows_have_the_shape_that_is_said_and_three_dimensions_are_grey(tmp_path: Path, write: Write) -> None:
    settings: dict[str, Any] = {"test_images": "train_images", "test_labels": "train_labels"}
    flat = {"train_images": IMAGES.reshape(120, 30), "train_labels": LABELS}
    splits = load(tmp_path, write, {**settings, "image_shape": (6, 5, 1)}, **flat)
    assert np.array_equal(images_of(splits.load_test()), IMAGES)
    with pytest.raises(ImgclfError, match=r"images must be .* got \(120, 30\)") as caught:
        load(tmp_path, write, settings, **flat)
    assert "dataset.image_shape" in str(caught.value.hint)
    with pytest.raises(ImgclfError, match=r"rows of \(30,\) can't be images of dataset.image_shape \(5, 5, 1\)"):
        load(tmp_path, write, {**settings, "image_shape": (5, 5, 1)}, **flat)
    grey = load(tmp_path, write, settings, train_images=IMAGES[..., 0], train_labels=LABELS)
    assert np.array_equal(images_of(grey.load_test()), IMAGES)


@each_kind
def test_each_array_may_lie_in_a_file_of_its_own(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, file = WRITERS[write]
    write(tmp_path / f"x-{file}", data=IMAGES)
    write(tmp_path / f"y-{file}", data=LABELS)
    places = {
        f"train_{what}": {"path": f"{axis}-{file}", "array": "data"}
        for what, axis in (("images", "x"), ("labels", "y"))
    }
    splits = load_section({"name": name, **places})
    assert len(splits.train) + splits.test_images + len(images_of(splits.validation)) == 120
    assert splits.notes[:2] == (f"{name} from {tmp_path}/x-{file}", f"{name} from {tmp_path}/y-{file}")


def test_texts_in_hdf5_of_any_length_name_the_classes(tmp_path: Path) -> None:
    names = np.array(["né", "zwei", "drei"], h5py.string_dtype())
    arrays = {"train_images": IMAGES, "train_labels": LABELS, "names": names}
    splits = load(tmp_path, write_hdf5, {"class_names": "names"}, **arrays)
    assert splits.targets[0].class_names == ("né", "zwei", "drei")


@each_kind
@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"train_images": IMAGES.astype(np.int32)}, "images must be uint8, or fractions from 0 to 1; got int32"),
        ({"train_images": IMAGES.astype(np.float32)}, "fractions must be from 0 to 1; got 0 to 255"),
        ({"train_images": np.full((120, 4, 4), np.nan)}, "fractions must be from 0 to 1; got nan to nan"),
        ({"train_images": IMAGES - 0.1 * IMAGES}, "fractions must be from 0 to 1"),
        ({"train_images": np.moveaxis(np.repeat(IMAGES, 3, 3), 3, 1)}, r"images must be .*got \(120, 3, 6, 5\)"),
        ({"train_images": np.zeros((0, 6, 5), np.uint8)}, "holds no images"),
        ({"train_labels": LABELS[:119]}, "must hold one label an image; got 119 for 120 images"),
        ({"train_labels": LABELS - 1}, "labels must be whole numbers from 0 .*got -1 at position 0"),
        ({"train_labels": LABELS / 2}, "labels must be whole numbers from 0 .*got 0.5 at position 1"),
        ({"train_labels": np.where(LABELS == 2, np.nan, LABELS)}, "got nan at position 2"),
        ({"train_labels": np.eye(3)[LABELS] * 0.5}, "row 0 .from 0. is not one-hot"),
        ({"train_labels": np.zeros((120, 3, 2))}, "labels must be numbers of shape"),
        ({"train_labels": np.zeros(120, np.int64)}, "labels of two classes or more"),
        ({"train_labels": np.zeros(120, np.complex64)}, "must hold numbers"),
        ({"train_labels": np.array(["a"] * 120, "S1")}, "must hold numbers"),
    ],
)
def test_arrays_that_are_no_images_or_labels_are_refused(
    tmp_path: Path, write: Write, arrays: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ImgclfError, match=problem):
        load(tmp_path, write, **{"train_images": IMAGES, "train_labels": LABELS, **arrays})


@each_kind
def test_arrays_must_fit_together(tmp_path: Path, write: Write) -> None:
    settings = {"test_images": "x", "test_labels": "y"}
    arrays = {"train_images": IMAGES, "train_labels": LABELS, "x": OTHER_IMAGES, "y": OTHER_LABELS}
    for change, problem in [
        ({"x": OTHER_IMAGES / 255}, r"must hold images like those of .*got float32 \(6, 5, 1\)"),
        ({"x": OTHER_IMAGES[:, :5]}, r"must hold images like those of .*got uint8 \(5, 5, 1\)"),
        ({"y": OTHER_LABELS + 1}, "labels must be whole numbers from 0 to 2; got 3 at position 2"),
        ({"train_images": IMAGES / 255, "x": OTHER_IMAGES / 254}, "x: fractions must be from 0 to 1"),
        ({"y": np.eye(4)[OTHER_LABELS]}, "one-hot labels must have 3 columns"),
    ]:
        with pytest.raises(ImgclfError, match=problem):
            load(tmp_path, write, settings, **{**arrays, **change})


@each_kind
def test_a_missing_array_and_a_missing_file_are_named(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ImgclfError, match=r"holds no (array|data set) 'train_images'.*labels_only"):
        load(tmp_path, write, labels_only=LABELS)
    with pytest.raises(ImgclfError, match=r"there is no file gone\.h5"):
        load_section({"name": WRITERS[write][0], "path": "gone.h5"})


@pytest.mark.parametrize(("name", "problem"), [("hdf5", "not an HDF5 file"), ("npz", "not an .npz file")])
def test_other_files_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "file").write_bytes(b"no arrays" * 99)
    with pytest.raises(ImgclfError, match=problem):
        load_section({"name": name, "path": str(tmp_path / "file")})


@pytest.mark.parametrize("name", ["hdf5", "npz"])
def test_settings_that_contradict_each_other_are_refused(name: str) -> None:
    section = TypeAdapter(DatasetUnion)
    for wrong, problem in [
        ({}, "must be given, or every array needs a path of its own"),
        ({"path": "a", "test_images": "x"}, "must be given, since test_images is"),
        ({"path": "a", "class_names": ["x", "x"]}, '"x" stands there twice'),
    ]:
        with pytest.raises(ValidationError, match=problem):
            section.validate_json(TypeAdapter(dict[str, Any]).dump_json({"name": name, **wrong}))


class Outside:
    """HDF5 files whose data set ``train_images`` is not simply there."""

    @staticmethod
    def external_link(file: h5py.File, folder: Path) -> None:
        write_hdf5(folder / "other.h5", x=IMAGES)
        file["train_images"] = h5py.ExternalLink(str(folder / "other.h5"), "x")

    @staticmethod
    def soft_link(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file["x"] = IMAGES
        file["train_images"] = h5py.SoftLink("/x")

    @staticmethod
    def dangling_link(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file["train_images"] = h5py.SoftLink("/gone")

    @staticmethod
    def external_data(file: h5py.File, folder: Path) -> None:
        (folder / "raw").write_bytes(IMAGES.tobytes())
        file.create_dataset("train_images", IMAGES.shape, "u1", external=[(str(folder / "raw"), 0, IMAGES.nbytes)])

    @staticmethod
    def virtual(file: h5py.File, folder: Path) -> None:
        write_hdf5(folder / "other.h5", x=IMAGES)
        layout = h5py.VirtualLayout(IMAGES.shape, "u1")
        layout[:] = h5py.VirtualSource(folder / "other.h5", "x", IMAGES.shape)
        file.create_virtual_dataset("train_images", layout)

    @staticmethod
    def objects(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file.create_dataset("train_images", (120,), h5py.vlen_dtype(np.uint8))

    @staticmethod
    def records(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file.create_dataset("train_images", (120,), [("a", "u1"), ("b", "u1")])

    @staticmethod
    def declared_only(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file.create_dataset("train_images", (10**12, 28, 28), "u1", chunks=(1, 28, 28))

    @staticmethod
    def group(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file.create_group("train_images/x")

    @staticmethod
    def named_type(file: h5py.File, folder: Path) -> None:  # noqa: ARG004
        file["train_images"] = np.dtype("u1")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("external_link", "is a link, which is not followed"),
        ("soft_link", "is a link, which is not followed"),
        ("dangling_link", "is a link, which is not followed"),
        ("external_data", "its data lie in other files"),
        ("virtual", "its data lie in other files"),
        ("objects", "must hold numbers; got objects"),
        ("records", "must hold numbers; got"),
        ("declared_only", "declares 784,000,000,000,000 bytes .* more than its 0 stored ones can hold"),
        ("group", "is no data set, but a group that holds x"),
        ("named_type", "is no data set"),
    ],
)
def test_hdf5_reads_only_what_lies_in_the_file_itself(tmp_path: Path, kind: str, problem: str) -> None:
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["train_labels"] = LABELS
        getattr(Outside, kind)(file, tmp_path)
    with pytest.raises(ImgclfError, match=problem):
        load_section({"name": "hdf5", "path": str(tmp_path / "arrays.h5")})


def test_a_stored_npz_is_mapped_and_a_cut_one_refused(tmp_path: Path) -> None:
    from imgclf.datasets.stored.npz_rows import NpzArrays

    np.savez(tmp_path / "a.npz", train_images=np.repeat(IMAGES, 10, axis=0), train_labels=LABELS)
    rows = NpzArrays(tmp_path / "a.npz").rows("train_images")
    base = rows.array  # type: ignore[attr-defined]
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(b"(1200, 6, 5, 1)", b"(1200, 9, 5, 1)"))
    with pytest.raises(ImgclfError, match=r"train_images: must have 54,128 bytes, as its header declares; got 36,128"):
        NpzArrays(tmp_path / "a.npz").rows("train_images")


def test_a_float_export_gives_back_every_float32(tmp_path: Path) -> None:
    """What is written as float64 value / 255 comes back as the same float32."""
    values = NUMBERS.uniform(0, 255, (1000, 5, 5, 1)).astype(np.float32)
    settings = {"test_images": "train_images", "test_labels": "train_labels"}
    arrays = {"train_images": values.astype(np.float64) / 255, "train_labels": np.arange(1000) % 2}
    assert np.array_equal(images_of(load(tmp_path, write_npz, settings, **arrays).load_test()), values)


def test_a_data_set_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "a.h5", train_images=h5py.Empty("u1"), train_labels=LABELS)
    with pytest.raises(ImgclfError, match=r"a.h5: train_images: holds nothing"):
        load_section({"name": "hdf5", "path": str(tmp_path / "a.h5")})


def is_closed(path: Path) -> bool:
    """Whether HDF5 lets a file be written, which it does not while this process reads it."""
    try:
        h5py.File(path, "r+").close()
    except OSError:
        return False
    return True


ALL_ARRAYS = {"train_images": IMAGES, "train_labels": LABELS, "x": OTHER_IMAGES, "y": OTHER_LABELS}


def test_a_file_whose_images_are_mapped_is_closed_once_it_is_loaded(tmp_path: Path) -> None:
    splits = load(tmp_path, write_hdf5, {"test_images": "x", "test_labels": "y"}, **ALL_ARRAYS)
    assert is_closed(tmp_path / "arrays.h5")
    assert np.array_equal(images_of(splits.load_test()), OTHER_IMAGES)


def test_a_file_in_chunks_is_closed_with_the_last_of_its_images(tmp_path: Path) -> None:
    splits = load(tmp_path, write_hdf5_in_chunks, {"test_images": "x", "test_labels": "y"}, **ALL_ARRAYS)
    test = splits.load_test()
    del splits
    gc.collect()
    assert not is_closed(tmp_path / "arrays.h5")
    assert np.array_equal(images_of(test), OTHER_IMAGES)
    del test
    gc.collect()
    assert is_closed(tmp_path / "arrays.h5")


def test_a_file_that_is_refused_is_closed_while_its_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="one label an image") as error:
        load(tmp_path, write_hdf5_in_chunks, train_images=IMAGES, train_labels=LABELS[:-1])
    assert error.value.__traceback__ is not None
    assert is_closed(tmp_path / "arrays.h5")


COLUMNS = np.stack([np.arange(120) % 3, np.arange(120) // 2 % 2], axis=1)
BOTH = ({"name": "kind", "class_names": ("cat", "dog", "cow")}, {"name": "in/out"})


@every_format
def test_label_columns_are_targets_of_their_own(tmp_path: Path, write: Write) -> None:
    settings = {"label_columns": BOTH, "validation_size": 0, "test_size": 20}
    splits = load(tmp_path, write, settings, train_images=IMAGES, train_labels=COLUMNS)
    assert splits.targets == (Target("kind", ("cat", "dog", "cow")), Target("in/out", ("0", "1")))
    assert splits.notes[1] == "class_names of in/out are not given: the classes are 0 to 1, by the training labels"
    for split in (splits.train, splits.load_test()):
        places = [np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))[0] for image in images_of(split)]
        assert np.array_equal(split.labels, COLUMNS[places])


@every_format
def test_label_columns_without_names_have_the_classes_from_0_to_their_greatest_label(
    tmp_path: Path, write: Write
) -> None:
    labels = np.stack([np.arange(120) % 5, np.arange(120) % 2, np.arange(120) // 4 % 4], axis=1)
    settings = {"label_columns": tuple({"name": name} for name in "abc"), "validation_size": 0, "test_size": 20}
    splits = load(tmp_path, write, settings, train_images=IMAGES, train_labels=labels)
    assert [len(target.class_names) for target in splits.targets] == [5, 2, 4]
    assert splits.notes[1] == "class_names of a are not given: the classes are 0 to 4, by the training labels"
    assert splits.train.labels.max(axis=0).tolist() == [4, 1, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (COLUMNS[:, 0], r"numbers of shape \(images, 2\)"),
        (np.eye(3)[COLUMNS[:, 0]], r"numbers of shape \(images, 2\)"),
        (COLUMNS + np.array([0, 0.5]), "whole numbers"),
        (COLUMNS + np.array([1, 0]), "whole numbers from 0 to 2; got 3 at position 2"),
        (COLUMNS[:-1], "one label an image; got 119 for 120 images"),
    ],
)
def test_labels_that_are_not_those_of_the_columns_are_refused(
    tmp_path: Path, labels: NDArray[Any], message: str
) -> None:
    with pytest.raises(ImgclfError, match=message):
        load(tmp_path, write_npz, {"label_columns": BOTH}, train_images=IMAGES, train_labels=labels)


def test_class_names_stand_in_each_column_and_columns_differ() -> None:
    section = {"name": "npz", "path": "a.npz"}
    adapter: TypeAdapter[Any] = TypeAdapter(DatasetUnion)
    with pytest.raises(ValidationError, match="must be given in each of label_columns instead"):
        adapter.validate_python(section | {"label_columns": BOTH, "class_names": "names"})
    with pytest.raises(ValidationError, match="must have different names; got 'kind' twice"):
        adapter.validate_python(section | {"label_columns": (BOTH[0], BOTH[0])})
