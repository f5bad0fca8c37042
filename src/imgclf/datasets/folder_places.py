"""Where the images of a folder data set lie: a folder or an archive, in one of two places."""

from __future__ import annotations

from pathlib import Path

from imgclf.datasets.base import DataPlaces
from imgclf.datasets.file_tree import Tree, folder_tree
from imgclf.datasets.zip_tree import zip_tree
from imgclf.errors import ImgclfError

ARCHIVE = "train.zip"  # Kaggle's: taken where a folder holds no images but this


def find_path(path: str, places: DataPlaces, key: str) -> tuple[Path, str]:
    """Where a path of the settings lies, and in whose words: the working directory first, then the data folder."""
    given = Path(path).expanduser()
    if given.is_absolute():
        candidates = [(given, "as given")]
    else:
        candidates = [(Path.cwd() / given, "in the working directory"), (places.data_dir / given, "in the data folder")]
    for candidate, where in candidates:
        if candidate.exists():
            return candidate.absolute(), where
    tried = " and ".join(str(candidate.absolute()) for candidate, _ in candidates)
    raise ImgclfError(
        f"{key}: {path}: not there; looked at {tried}", hint="--data-dir or IMGCLF_DATA_DIR names another data folder."
    )


def read_tree(root: Path) -> Tree:
    """The images of a folder or an archive, or of the train.zip in a folder without images."""
    if not root.is_dir():
        return zip_tree(root)
    tree = folder_tree(root)
    archive = root / ARCHIVE
    return zip_tree(archive) if not tree.images and archive.is_file() else tree
