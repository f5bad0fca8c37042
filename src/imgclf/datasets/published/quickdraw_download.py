"""Quick Draw's bitmaps from Google's public bucket, class by class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from imgclf.datasets.published.download import download_unpublished
from imgclf.datasets.published.fetching import ReportProgress
from imgclf.datasets.published.quickdraw_files import PREFIX, find_files, map_drawings
from imgclf.errors import ImgclfError, WorkFailed

ADDRESS = "https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap/"
MOST_BYTES = 2**29  # the largest class, snowman, has 267 MB
_CATEGORIES = "https://github.com/googlecreativelab/quickdraw-dataset/blob/master/categories.txt lists the 345 classes"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 '.-]{0,60}")


def download_quickdraw(
    classes: Sequence[str],
    folder: Path,
    report_progress: ReportProgress,
    say: Callable[[str], None],
    address: str = ADDRESS,
) -> None:
    """Fetch the files of ``classes`` that are not in the folder yet, each whole and checked, and say what came.

    Raises ImgclfError for what can be no class, and WorkFailed at the first file that does not come.
    """
    for name in classes:
        if not _NAME.fullmatch(name):
            raise ImgclfError(f"--classes: {name!r} can be no class", hint=_CATEGORIES)
    present = find_files(folder) if any(folder.glob("[!.]*.npy")) else {}
    for name in dict.fromkeys(classes):
        if name in present:
            say(f"{present[name]}: is there already, {len(map_drawings(present[name])):,} drawings")
            continue
        path = folder / f"{PREFIX}{name}.npy"
        digest = _fetch(address, name, path, report_progress)
        say(f"{path}: {len(map_drawings(path)):,} drawings")
        say(f"  SHA-256 {digest}, written to {path.name}.sha256; Google publishes none to compare it with")


def _fetch(address: str, name: str, path: Path, report_progress: ReportProgress) -> str:
    source = f"{address}{quote(name)}.npy"
    try:
        return download_unpublished(source, path, MOST_BYTES, map_drawings, report_progress)
    except WorkFailed as error:
        hint = _CATEGORIES if "HTTP status 404" in str(error) else f"Or put the file into {path.parent} by hand."
        raise WorkFailed(str(error), hint=hint) from error
