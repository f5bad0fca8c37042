from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "imgclf"
FILES = sorted(SOURCE.rglob("*.py"))

KNOWN_BY_ALL = {"errors", "settings", "texts"}
ROOMS = {
    "augmentation", "datasets", "evaluation", "experiment", "images", "inference", "models", "preprocessing",
    "reporting", "runs", "training",
}  # fmt: skip
JOBS = {
    "train",
    "evaluate",
    "predict",
    "compare",
    "run",
    "prediction_files",
    "evaluation_files",
    "show_data",
    "check_data",
    "export_data",
    "export",
    "doctor",
    "seeds",
    "compare_models",
    "time_model",
    "verify_resume",
}
OF_THE_JOBS = {
    "trained",
    "calibrating",
    "loading",
    "opening",
    "recording",
    "features",
    "feature_files",
    "classical",
    "pretrained",
    "transfer",
    "screen",
    "places",
    "startup",
    "children",
    "killed_training",
    "serving",
    "exported_model",
    "export_reader",
    "step_time",
    "tensorflow_probe",
    "interruption",
    "resuming",
    "assembly",
    "finishing",
}  # what two jobs share

# Who may know whom, besides what all know and itself.
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "texts": set(),
    "images": set(),
    "models": set(),
    "augmentation": set(),
    "preprocessing": set(),
    "inference": set(),
    "runs": set(),
    "evaluation": set(),
    "reporting": set(),
    "datasets": {"images"},
    "training": {"augmentation", "inference", "runs", "preprocessing", "evaluation"},
    "experiment": {"datasets", "augmentation", "models", "preprocessing", "training", "evaluation"},
    "screen": set(),
    "startup": set(),
    "places": set(),
    "loading": {"datasets", "images", "experiment", "preprocessing", "reporting", "places", "screen"},
    "trained": ROOMS | {"screen", "places", "startup", "loading"},
    "calibrating": ROOMS | {"screen", "trained"},
    "pretrained": {"models", "runs", "places"},
    "transfer": ROOMS | {"pretrained", "trained"},
    "children": {"runs", "screen"},
    "killed_training": ROOMS | {"children", "screen", "train"},
    "opening": ROOMS | {"recording"},
    "exported_model": ROOMS | {"trained"},
    "export_reader": set(),
    "tensorflow_probe": set(),
    "step_time": ROOMS | {"time_model"},
    "serving": ROOMS | {"predict", "trained", "screen"},
    "interruption": set(),
    "resuming": ROOMS | {"opening", "pretrained", "recording", "screen", "transfer"},
    "assembly": ROOMS | {"pretrained", "recording", "screen", "startup", "trained", "transfer"},
    "finishing": ROOMS | {"recording", "evaluate", "evaluation_files", "serving"},
    "recording": ROOMS | {"screen", "places", "interruption"},
    "features": ROOMS | {"recording", "screen", "places", "feature_files"},
    "feature_files": {"places"},
    "classical": ROOMS | {"recording"},
    **dict.fromkeys(JOBS, ROOMS | OF_THE_JOBS | JOBS),
    "cli": {"experiment", "runs", "models", "datasets", "images", "evaluation", "reporting"} | JOBS | OF_THE_JOBS,
    "__init__": JOBS | OF_THE_JOBS | ROOMS,
    "__main__": {"cli"},
}

# Their import takes up to seconds; settings, help and errors must not wait for it.
HEAVY = {"tensorflow", "keras", "matplotlib", "sklearn", "cv2", "PIL", "simplejpeg"}


def room(path: Path) -> str:
    """The room of a file: its folder in src/imgclf, or its own name where it lies in none."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, int]]:
    """Every module that import statements name, with its line; ``from imgclf import errors`` names imgclf.errors."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written in full, from imgclf on"
            if node.module == "imgclf":
                yield from ((f"imgclf.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield str(node.module), node.lineno


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes under ``node`` that importing its module runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_at_import(child)


def known_rooms(path: Path) -> dict[str, int]:
    """The rooms that a file imports from, each with the line of the last import."""
    found = imports(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = ((name.split("."), line) for name, line in found)
    return {parts[1]: line for parts, line in names if parts[0] == "imgclf" and len(parts) > 1}


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_every_file_has_its_place_in_the_table() -> None:
    assert {room(path) for path in FILES} - MAY_KNOW.keys() == set()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_knows_only_whom_it_may_know(path: Path) -> None:
    own = room(path)
    allowed = MAY_KNOW[own] | KNOWN_BY_ALL | {own}
    known = known_rooms(path).items()
    assert [f"{path}:{line}: {own} must not know {other}" for other, line in known if other not in allowed] == []


def test_no_two_rooms_know_each_other_not_even_round_a_corner() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(room(path), set()).update(known_rooms(path).keys() - {room(path)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_imports_a_heavy_library_at_its_top(path: Path) -> None:
    found = imports(run_at_import(ast.parse(path.read_text(encoding="utf-8"))))
    assert [f"{path}:{line}: {name}" for name, line in found if name.split(".")[0] in HEAVY] == []


def test_importing_the_program_loads_no_heavy_library() -> None:
    code = f"import sys, imgclf, imgclf.cli; print(sorted({HEAVY!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
