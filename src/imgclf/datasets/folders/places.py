"""Where the images of a folder data set lie: a folder or an archive."""

from __future__ import annotations

from pathlib import Path

from imgclf.datasets.base import DataPlaces
from imgclf.datasets.folders.file_tree import Tree, folder_tree
from imgclf.datasets.folders.zip_tree import zip_tree
from imgclf.datasets.given import find_given

ARCHIVE = "train.zip"  # Kaggle's: taken where a folder holds no images but this
OTHER_PLACE = "--data-dir or IMGCLF_DATA_DIR names another data folder."


def find_place(path: str, places: DataPlaces, key: str) -> Path:
    """Where a folder or archive of the settings lies: in the working directory, else in the data folder."""
    return find_given(path, places.data_dir, "folder or file", key, OTHER_PLACE).absolute()


def read_tree(root: Path) -> Tree:
    """The images of a folder or an archive, or of the train.zip in a folder without images."""
    if not root.is_dir():
        return zip_tree(root)
    tree = folder_tree(root)
    archive = root / ARCHIVE
    return zip_tree(archive) if not tree.images and archive.is_file() else tree
