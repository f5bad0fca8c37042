from __future__ import annotations

import csv
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from imgclf.datasets.folders.cats_vs_dogs import Prepared, prepare_cats_vs_dogs
from imgclf.errors import ImgclfError

WriteImage = Callable[..., Path]


@pytest.fixture
def kaggle(tmp_path: Path, write_image: WriteImage) -> Path:
    """Kaggle's flat names in train/, and more in extra/."""
    for number in range(8):
        for label, seed in (("cat", 0), ("dog", 100)):
            folder = "train" if number < 6 else "extra"
            write_image(tmp_path / "kaggle" / folder / f"{label}.{number}.png", seed + number)
    return tmp_path / "kaggle"


def prepare(source: Path, target: Path, *, train: int = 4, test: int = 3, seed: int = 0) -> Prepared:
    return prepare_cats_vs_dogs(
        source, target, train=train, test=test, seed=seed, report_progress=lambda _what, _done, _total: None
    )


def laid_out(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in sorted(target.rglob("*.png"))}


def counts(target: Path) -> Counter[str]:
    return Counter(str(Path(name).parent) for name in laid_out(target))


EXPECTED = Counter({"train/cat": 4, "train/dog": 4, "test/cat": 3, "test/dog": 3})


def test_the_folders_hold_different_whole_images_of_their_class(kaggle: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in kaggle.rglob("*.png")}
    prepare(kaggle, tmp_path / "out")
    images = laid_out(tmp_path / "out")
    assert counts(tmp_path / "out") == EXPECTED
    assert len(set(images.values())) == 14
    assert all(Path(name).name.startswith(Path(name).parent.name) for name in images)
    assert {path: path.read_bytes() for path in kaggle.rglob("*.png")} == before, "the source stays as it is"


def test_the_list_says_where_each_file_came_from(kaggle: Path, tmp_path: Path) -> None:
    prepare(kaggle, tmp_path / "out")
    with (tmp_path / "out" / "files.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 14
    for row in rows:
        assert (tmp_path / "out" / row["file"]).read_bytes() == Path(row["source"]).read_bytes()
        assert row["file"].startswith(f"{row['split']}/{row['class']}/")


def test_the_seed_decides_and_a_larger_test_keeps_the_smaller_one(kaggle: Path, tmp_path: Path) -> None:
    for name, options in {"a": {}, "b": {}, "c": {"seed": 1}, "d": {"test": 4}}.items():
        prepare(kaggle, tmp_path / name, **options)
    a, b, c, d = (laid_out(tmp_path / name) for name in "abcd")
    assert a == b != c
    assert a.items() < d.items()


def test_petimages_and_archives_are_understood(kaggle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in kaggle.rglob("*.png"):
            label, number, _ = path.name.split(".")
            archive.write(path, f"PetImages/{label.title()}/{number}.png")
        archive.writestr("PetImages/Cat/Thumbs.db", b"\0")
    prepare(tmp_path / "pets.zip", tmp_path / "packed")
    with zipfile.ZipFile(tmp_path / "pets.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    prepare(tmp_path / "unpacked", tmp_path / "plain")
    assert counts(tmp_path / "packed") == EXPECTED
    assert laid_out(tmp_path / "packed") == laid_out(tmp_path / "plain")


def test_equal_pictures_are_taken_once_whatever_their_bytes(kaggle: Path, tmp_path: Path) -> None:
    for number in range(8):  # every cat once more, with a comment that changes the file and not the picture
        folder = "train" if number < 6 else "extra"
        comment = PngImagePlugin.PngInfo()
        comment.add_text("Comment", "again")
        with Image.open(kaggle / folder / f"cat.{number}.png") as image:
            image.save(kaggle / "extra" / f"cat.{100 + number}.png", pnginfo=comment)
    prepared = prepare(kaggle, tmp_path / "out", train=4, test=4)
    pictures = [Image.open(path).tobytes() for path in (tmp_path / "out").rglob("cat*.png")]
    assert len(set(pictures)) == len(pictures) == 8
    assert all("the same picture as" in one.left_out for one in prepared.left_out)


def test_broken_files_are_left_out_and_listed(kaggle: Path, tmp_path: Path) -> None:
    (kaggle / "train" / "cat.0.png").write_bytes(b"")
    (kaggle / "train" / "unknown.png").write_bytes((kaggle / "train" / "cat.1.png").read_bytes())
    prepared = [prepare(kaggle, tmp_path / str(seed), seed=seed) for seed in range(4)]
    assert all(one.without_class == ("train/unknown.png",) for one in prepared)
    assert all(counts(tmp_path / str(seed)) == EXPECTED for seed in range(4))
    met = [seed for seed in range(4) if prepared[seed].left_out]
    assert met, "only where the broken file is drawn last is it not looked at"
    for seed in met:
        assert [(one.source.name, one.left_out) for one in prepared[seed].left_out] == [
            ("train/cat.0.png", "empty file")
        ]
        listed = (tmp_path / str(seed) / "files.csv").read_text().splitlines()
        assert listed[-1] == f",,cat,{kaggle / 'train' / 'cat.0.png'},empty file"


def test_two_files_of_one_name_both_have_a_place(kaggle: Path, tmp_path: Path, write_image: WriteImage) -> None:
    for number in range(8):
        write_image(kaggle / "more" / f"cat.{number}.png", 500 + number)
        write_image(kaggle / "more" / f"dog.{number}.png", 600 + number)
    prepare(kaggle, tmp_path / "out", train=8, test=8)
    with (tmp_path / "out" / "files.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["class"] == "cat"]
    assert len({row["file"] for row in rows}) == 16
    assert all((tmp_path / "out" / row["file"]).read_bytes() == Path(row["source"]).read_bytes() for row in rows)


def test_too_few_images_are_told_and_nothing_is_left(kaggle: Path, tmp_path: Path) -> None:
    (kaggle / "train" / "cat.0.png").write_bytes(b"")
    with pytest.raises(
        ImgclfError, match="cat: 8 images are asked for; found 7 whole and different ones among 8 files"
    ):
        prepare(kaggle, tmp_path / "out", train=4, test=4)
    with pytest.raises(ImgclfError, match="cat: 80 images are asked for; found 8"):
        prepare(kaggle, tmp_path / "out", train=40, test=40)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kaggle"]


def test_a_target_that_holds_something_is_refused(kaggle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    prepare(kaggle, tmp_path / "out")
    content = laid_out(tmp_path / "out")
    with pytest.raises(ImgclfError, match="out: is there already, and is no empty folder"):
        prepare(kaggle, tmp_path / "out")
    assert laid_out(tmp_path / "out") == content
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ImgclfError, match="out: is there already"):
        prepare(kaggle, tmp_path / "out")


def test_a_name_made_of_a_folders_takes_no_files_place(tmp_path: Path, write_image: WriteImage) -> None:
    for number, name in enumerate(["x/cat.1.png", "y/cat.1.png", "cat-x-cat.1.png", "X/cat.1.png"]):
        write_image(tmp_path / "in" / "cat" / name, number)
        write_image(tmp_path / "in" / "dog" / f"dog.{number}.png", 100 + number)
    prepare(tmp_path / "in", tmp_path / "out", train=2, test=2)
    with (tmp_path / "out" / "files.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["class"] == "cat"]
    assert len({Path(row["file"]).name.lower() for row in rows}) == 4
    assert all((tmp_path / "out" / row["file"]).read_bytes() == Path(row["source"]).read_bytes() for row in rows)


def test_a_path_that_no_file_can_have_is_an_error(tmp_path: Path) -> None:
    for source, target in ((tmp_path / ("x" * 300), tmp_path / "out"), (tmp_path, tmp_path / ("x" * 300))):
        with pytest.raises(ImgclfError, match="xxx: "):
            prepare(source, target)
