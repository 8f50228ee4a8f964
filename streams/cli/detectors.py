"""`yeji detectors`: which kinds of detector there are, and whether one does what a monitor relies on."""

from __future__ import annotations

import time
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(no_args_is_help=True, help="List kinds of detector, and check one.")
    group.command("list")(list_kinds)
    group.command("check")(check)
    app.add_typer(group, name="detectors")


def list_kinds() -> None:
    """List every kind of detector with its parameters: ours, and those of installed packages.

    Shared: whether `yeji spread export` sends its models to another site.
    """
    from rich.console import Console
    from rich.table import Table

    from detectors.registry import KINDS, all_kinds, parameters, shares

    table = Table("kind", "from", "shared", "parameters and their defaults", box=None, padding=(0, 2, 0, 0))
    for kind, path in sorted(all_kinds().items()):
        shown = ", ".join(f"{name}={value!r}" for name, value in parameters(kind).items())
        table.add_row(kind, "Yeji" if kind in KINDS else path, "yes" if shares(kind) else "no", shown)
    Console().print(table)


def check(name: Annotated[str, typer.Argument(help="the kind, as `yeji detectors list` names it")]) -> None:
    """Run the checks that every kind of detector has to pass, and say what fails.

    Any cut of the readings into batches, missing and constant sensors, snapshots, scores between 0 and 1,
    speed. Exit code 1 when something fails.
    """
    from rich.console import Console

    from detectors.checks.checks import outcomes
    from streams.cli.errors import CommandError

    console, failed = Console(highlight=False), 0
    try:
        for outcome in outcomes(name, time.perf_counter):
            failed += not outcome.passed
            mark = "[green]ok    [/]" if outcome.passed else "[red]failed[/]"
            console.print(f"{mark}  {outcome.name}", end="")
            console.print(f": {outcome.text}" if outcome.text else "", markup=False, soft_wrap=True)
    except ValueError as error:
        raise CommandError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    if failed:
        raise typer.Exit(1)
