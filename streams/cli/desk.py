"""`yeji desk`: the alarm desk beside a cluster; `yeji journal`: check and read its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_Data = Annotated[
    Path | None, typer.Option(help="folder of the desk's file (setting `data`)", show_default="var")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("desk")(desk)
    journal = typer.Typer(
        no_args_is_help=True, help="The desk's journal: who did what, when and why.", add_completion=False
    )
    journal.command("verify")(verify)
    journal.command("show")(show)
    journal.command("rebuild")(rebuild)
    app.add_typer(journal, name="journal")


def desk(
    data: _Data = None,
    kafka: Annotated[bool, typer.Option(help="alarms from and verdicts to Kafka (settings `kafka`)")] = True,
) -> None:
    """Run the alarm desk: take alarms in, tell crews, keep their acts and verdicts.

    One desk a store. What it is to tell and whom is in the settings `desk` and `notify`.
    """
    from streams.cli.run_desk import run_desk
    from streams.settings import load_settings

    run_desk(load_settings(data=data), kafka=kafka)


def verify(
    data: _Data = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="a hash noted earlier (a shift report, InfluxDB's `desk`); may be repeated",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check that no entry of the journal was changed, taken out or cut off."""
    from desk.rules.journal import JournalError
    from desk.service.desk import desk_path
    from desk.store.store import check_journal
    from streams.cli.errors import CommandError
    from streams.settings import load_settings

    try:
        noted = [bytes.fromhex(one) for one in head or ()]
    except ValueError:
        raise CommandError("--head is a hash in hexadecimal, as `yeji journal verify` prints it.") from None
    try:
        count, last = check_journal(desk_path(load_settings(data=data)), noted)
    except JournalError as error:
        raise CommandError(f"The journal is NOT as it was written. {error}") from error
    print(f"{count} entries, each as it was written.")
    print(f"head {last.hex()}")


def show(
    data: _Data = None,
    machine: Annotated[
        str | None, typer.Option(help="only this machine's entries", show_default=False)
    ] = None,
    last: Annotated[int, typer.Option(help="so many entries, the newest", min=1)] = 50,
) -> None:
    """Print the newest entries, the oldest of them first."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from desk.rules.scope import EVERYTHING
    from desk.service.desk import Desk, desk_path
    from desk.texts.catalogue import ENGLISH, Texts
    from desk.texts.entries import words
    from streams.settings import load_settings

    settings = load_settings(data=data)
    _must_exist(desk_path(settings))
    zone, english = ZoneInfo(settings.desk.timezone), Texts(ENGLISH)
    opened = Desk(desk_path(settings), settings)
    try:
        entries = opened.journal(EVERYTHING, machine=machine, limit=last, newest_first=True)
    finally:
        opened.close()
    for entry in reversed(entries):
        when = datetime.fromtimestamp(entry.at / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")
        change = f"{entry.before} > {entry.after}" if entry.before != entry.after else entry.after
        found = entry.verdict
        said = f"{found.kind} {found.failure_mode} {found.part} {found.sensor or ''}" if found else ""
        parts = (
            str(entry.seq),
            when,
            entry.by,
            entry.action,
            entry.machine,
            change,
            said,
            words(english, entry),
        )
        print("  ".join(" ".join(part.split()) for part in parts if part))


def rebuild(data: _Data = None) -> None:
    """Make the desk's state again from its journal; open desks go on with it."""
    from desk.service.desk import desk_path
    from desk.store.store import DeskStore
    from streams.settings import load_settings

    path = desk_path(load_settings(data=data))
    _must_exist(path)
    store = DeskStore(path)
    try:
        count = store.rebuild()
    finally:
        store.close()
    print(f"Made anew from {count} entries.")


def _must_exist(path: Path) -> None:
    from streams.cli.errors import CommandError

    if not path.is_file():
        raise CommandError(f"{path} is no file. Start `yeji desk` first, or correct the path (--data).")
