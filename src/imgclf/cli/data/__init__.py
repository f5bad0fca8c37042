"""`imgclf data`: one file a command, and its line here."""

from __future__ import annotations

import typer

from imgclf.cli.data import cache, prepare

app = typer.Typer(help="The data of an experiment: what is in it, and where it comes from.", no_args_is_help=True)
app.add_typer(cache.app, name="cache")
app.add_typer(prepare.app, name="prepare")
