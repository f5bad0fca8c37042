"""Options that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class Device(str, Enum):
    """What --device takes."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir", help="Folder of the data sets (default: $IMGCLF_DATA_DIR, or data).", show_default=False
    ),
]
RunsDir = Annotated[
    str | None,
    typer.Option("--runs-dir", help="Folder of the runs (default: $IMGCLF_RUNS_DIR, or runs).", show_default=False),
]
DeviceOption = Annotated[
    Device | None,
    typer.Option("--device", help="Where to compute (default: as the experiment says).", show_default=False),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what TensorFlow prints.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, for example training.epochs=3; may be repeated."),
]
