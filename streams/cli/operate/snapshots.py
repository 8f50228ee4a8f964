"""`yeji snapshots`: the workers' models in a file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    snapshots = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="Keep the workers' models in a file, and write them back.",
    )
    snapshots.command("export")(export)
    snapshots.command("import")(import_)
    app.add_typer(snapshots, name="snapshots")


def export(to: Annotated[Path, typer.Argument(help="the file to write, as models.yeji.zip")]) -> None:
    """Write each machine's newest snapshot into one file; workers may run meanwhile."""
    from streams.settings import load_settings
    from streams.snapshot_archive import export as written

    count = written(load_settings().kafka, to)
    print(f"{count} machines in {to}")


def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="what `yeji snapshots export` wrote")],
    replace: Annotated[
        bool, typer.Option("--replace", help="also machines that have a newer snapshot in the topic")
    ] = False,
) -> None:
    """Write a file's snapshots into the topic, while no worker runs. Doing it twice changes nothing.

    Waits a session (worker.session) for workers that have just ended: the group keeps their names so long.
    """
    from streams.settings import load_settings
    from streams.snapshot_archive import import_ as imported

    settings = load_settings()
    done = imported(
        settings.kafka,
        path,
        replace=replace,
        levels=settings.intake.default_levels,
        patience=settings.worker.session + 5,
    )
    for machine, why in done.left_out:
        print(f"{machine}: left out, {why}")
    print(f"{len(done.written)} machines written, {len(done.left_out)} left out")
