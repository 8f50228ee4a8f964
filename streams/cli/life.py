"""`yeji life`: remaining life of machines, learned from runs to failure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("life")(life)


def life(
    history: Annotated[
        Path,
        typer.Argument(help="CSV of runs to failure: run, age, sensors; the last row of each is the failure"),
    ],
    now: Annotated[Path, typer.Argument(help="CSV of machines in use, in the same columns")],
    cap: Annotated[
        float, typer.Option(min=0.001, help="remaining life from which on machines are not told apart")
    ] = 125.0,
    coverage: Annotated[
        float, typer.Option(min=0.5, max=0.99, help="share of intervals that shall hold the truth")
    ] = 0.9,
    operating: Annotated[
        list[str] | None,
        typer.Option(
            help="a sensor that says what the machine is asked to do; may be repeated; none = found"
        ),
    ] = None,
) -> None:
    """Tell how long each machine has left, in the unit of its age, with an interval.

    The model is learned from the runs in HISTORY (docs/health.md); each machine in NOW is followed from
    its first row to its last, the soonest to fail comes first.
    """
    from rich.console import Console

    from connectors.csv.runs import RunsFileError
    from streams.cli.errors import CommandError
    from streams.cli.lives_table import lives_table
    from streams.remaining_life import remaining_of

    try:
        told = remaining_of(history, now, cap, coverage, operating)
    except (RunsFileError, OSError, UnicodeDecodeError) as error:
        raise CommandError(str(error)) from error
    title = f"remaining life ({coverage:.0%} interval; {cap:g} = {cap:g} or more)"
    Console().print(lives_table(told, title, "age", "remaining"))
