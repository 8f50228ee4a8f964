"""`yeji modes`: the versions of what names failure modes on alarms, and the way back to an older one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from desk.service.desk import Desk

_Data = Annotated[
    Path | None, typer.Option(help="folder of the desk's file (setting `data`)", show_default="var")
]


def register(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(no_args_is_help=True, help="What names failure modes on alarms: its versions.")
    group.command("list")(list_modes)
    group.command("activate")(activate_mode)
    app.add_typer(group, name="modes")


_Tenant = Annotated[str, typer.Argument(help="the tenant, as gwangju/ggm")]
_Class = Annotated[str, typer.Argument(help="the machine class, as press")]


def list_modes(tenant: _Tenant, machine_class: _Class, data: _Data = None) -> None:
    """List the versions of one classifier, the newest first: who made it, and of how many faults."""
    from rich.console import Console
    from rich.table import Table

    from desk.learning.modes import ModeBook
    from streams.cli.terminal import shown_time

    with _opened(data) as (desk, zone):
        table = Table("version", "made", "by", "", "faults", "note", box=None, padding=(0, 2, 0, 0))
        for one in ModeBook(desk).versions(tenant, machine_class):
            role = f"{one.role}, chosen" if one.pinned else one.role
            table.add_row(
                str(one.version), shown_time(one.at, zone), one.by, role, str(one.examples), one.note
            )
    Console().print(table)


def activate_mode(
    tenant: _Tenant,
    machine_class: _Class,
    version: Annotated[int, typer.Argument(help="the version, as `yeji modes list` numbers them")],
    data: _Data = None,
    by: Annotated[str, typer.Option(help="who chooses it", show_default="the user of this machine")] = "",
) -> None:
    """Let a version name failure modes from now on: back to an older one, or forward to the newest.

    A running desk takes it up when it starts next. Verdicts go on making versions; these are active again
    once the newest is.
    """
    from desk.learning.modes import ModeBook
    from streams.cli.errors import CommandError
    from streams.cli.run_tune import user

    with _opened(data) as (desk, _):
        try:
            ModeBook(desk).activate(tenant, machine_class, version, by=by or user())
        except LookupError as error:
            raise CommandError(str(error.args[0])) from error
    print(f"Version {version} of {tenant}/{machine_class} is active. Start the desk anew.")


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Desk, tzinfo]]:
    """The desk's own file. Raises CommandError when there is none."""
    from zoneinfo import ZoneInfo

    from desk.service.desk import Desk, desk_path
    from streams.cli.errors import CommandError
    from streams.settings import load_settings

    settings = load_settings(data=data)
    path = desk_path(settings)
    if not path.is_file():
        raise CommandError(f"There is no desk at {path}. Correct --data, or run `yeji desk` first.")
    desk = Desk(path, settings)
    try:
        yield desk, ZoneInfo(settings.desk.timezone)
    finally:
        desk.close()
