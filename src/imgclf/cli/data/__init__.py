"""`imgclf data`: one file a command, and its line here."""

from __future__ import annotations

import typer

from imgclf.cli.data import cache, check, download, export, prepare, show

app = typer.Typer(help="The data of an experiment: what is in it, and where it comes from.", no_args_is_help=True)
app.command("show")(show.show_data)
app.command("check")(check.check_data)
app.command("download")(download.download)
app.command("export")(export.export)
app.add_typer(prepare.app, name="prepare")
app.add_typer(cache.app, name="cache")
