"""`yeji machines`: which machines the workers know, and what to do with those that are gone or renamed."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

_By = Annotated[str, typer.Option(help="who does it", show_default="the user's name")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    machines = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="List, retire, rename and merge the machines that the workers watch.",
    )
    machines.command("list")(list_)
    machines.command("retire")(retire)
    machines.command("rename")(rename)
    machines.command("merge")(merge)
    app.add_typer(machines, name="machines")


def list_() -> None:
    """List every machine: class, partition, latest reading, sensors, open alarms."""
    from rich.console import Console
    from rich.table import Table

    from connectors.base.times import instant
    from streams.machine_commands import listed
    from streams.settings import load_settings

    found = listed(load_settings().kafka)
    table = Table("machine", "class", "partition", "latest reading", "sensors", "state", "alarms", box=None)
    for one in found:
        table.add_row(
            one.machine,
            one.machine_class,
            str(one.partition),
            instant(one.last).isoformat(" ", "seconds") if one.last >= 0 else "",
            str(one.sensors),
            "learning" if one.learning else "watched",
            str(one.alarms or ""),
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=180)
    console.print(table)
    console.print(f"{len(found)} machines")


def retire(
    machine: Annotated[list[str], typer.Argument(help="names of machines that are gone")],
    by: _By = "",
) -> None:
    """Let go of machines for good: their alarms are cleared, their models and snapshots deleted."""
    from streams.machine_commands import retire as retired
    from streams.settings import load_settings

    retired(load_settings().kafka, machine, by or getpass.getuser())
    print(f"{len(machine)} machines will be retired with the worker's next batch.")


def rename(
    old: Annotated[str, typer.Argument(help="the name that is gone")],
    new: Annotated[str, typer.Argument(help="the name that the machine sends under now")],
    by: _By = "",
) -> None:
    """Let a machine go on, under its new name, with what was learned under the old one."""
    from streams.machine_commands import rename as renamed
    from streams.settings import load_settings

    renamed(load_settings().kafka, old, new, by or getpass.getuser())
    print(f"{new} goes on with the model of {old}, which will be retired.")


def merge(
    old: Annotated[str, typer.Argument(help="the name to give up")],
    new: Annotated[str, typer.Argument(help="the name to keep")],
    by: _By = "",
) -> None:
    """Make one machine of two names: the second keeps its model, or takes the first's when it has none."""
    from streams.machine_commands import merge as merged
    from streams.settings import load_settings

    merged(load_settings().kafka, old, new, by or getpass.getuser())
    print(f"{old} will be retired; {new} stays.")
