"""`yeji remaining`: remaining life of a class's machines, learned from the faults that crews confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("remaining")(remaining)


def remaining(
    machine_class: Annotated[str, typer.Argument(metavar="CLASS", help="the machine class")],
    data: Annotated[
        Path | None, typer.Option(help="folder of stores (setting `data`)", show_default="var")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="the SQLite file of `yeji run`", show_default=False)
    ] = None,
    influx: Annotated[
        bool, typer.Option("--influx", help="readings of a stream deployment (settings `influx`)")
    ] = False,
    cap: Annotated[
        float, typer.Option(min=0.1, help="hours left from which on machines are not told apart")
    ] = 500.0,
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
    """Tell how many hours each machine of a class has left, with an interval.

    A life ends where a crew confirmed a fault on the desk, and the next begins after it; lives that planned
    work ended are left out (docs/health.md).
    """
    from rich.console import Console

    from streams.cli.lives_table import lives_table
    from streams.cli.run_remaining import remaining_of_class

    told, lives = remaining_of_class(machine_class, data, store, influx, cap, coverage, operating)
    title = f"hours left, learned from {lives} lives ({coverage:.0%} interval, {cap:g} = more)"
    Console().print(lives_table(told, title, "hours since repair", "left"))
