"""`yeji export`: readings and verdicts as Parquet files, to hand to a university or a supplier of models."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.influx.history import InfluxHistory
    from connectors.sqlite.history import SqliteHistory
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    to: Annotated[Path, typer.Argument(help="folder to make")],
    why: Annotated[str, typer.Option(help="for whom and what: it stands in the desk's journal")],
    machine: Annotated[
        list[str] | None,
        typer.Option(help="pattern of machines, as */press-* (may be repeated)", show_default="all"),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="2026-01-31, or with a time", show_default="the first reading"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="up to here, not included", show_default="the last reading")
    ] = None,
    timezone: Annotated[str, typer.Option(help="of times that name none")] = "UTC",
    store: Annotated[
        Path | None,
        typer.Option(help="store of a `yeji run`, as var/sources.sqlite", show_default="InfluxDB"),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="codes in place of names, the same in every export")
    ] = False,
    by: Annotated[str, typer.Option(help="who does it", show_default="the user's name")] = "",
) -> None:
    """Write readings by machine and day as Parquet, with verdicts as labels and a data sheet.

    Who exported what, and why, goes into the desk's journal first: without it there is no export.
    """
    from fnmatch import fnmatchcase
    from tempfile import TemporaryDirectory

    from connectors.base.history import HistoryUnavailableError
    from desk.rules.scope import EVERYTHING
    from desk.service.desk import Desk, desk_path
    from streams.cli.errors import CommandError
    from streams.cli.sources import moment, zone_of
    from streams.settings import load_settings

    try:
        from connectors.parquet.codes import Names, kept_codes
        from connectors.parquet.export import Export
    except ModuleNotFoundError as error:
        raise CommandError(
            f"{error.name} is not installed: pip install 'yeji[export]', or pip install pyarrow."
        ) from error
    if not why.strip():
        raise CommandError("Say why (--why): it stands in the journal.")
    if to.exists():
        raise CommandError(f"{to} is there already: name a folder that is not.")
    settings, zone = load_settings(), zone_of(timezone)
    history = _history(settings, store)
    try:
        fleet = history.fleet()
        chosen = [one for one in fleet if any(fnmatchcase(one.machine, p) for p in machine or ["*"])]
        if not chosen:
            raise CommandError(f"None of {len(fleet)} machines fits {', '.join(machine or ['*'])}.")
        first = moment(start, zone) if start else min(one.first for one in chosen)
        last = moment(end, zone) if end else max(one.last for one in chosen) + 1
        desk = Desk(desk_path(settings), settings)
        try:
            codes = kept_codes(settings.data / "export.key") if anonymous else Names()
            verdicts = desk.verdicts(EVERYTHING, limit=1_000_000)
            to.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as folder:
                part, names = Path(folder) / to.name, [one.machine for one in chosen]
                written = Export(history, settings, codes, part, anonymous).write(
                    names, first, last, verdicts
                )
                desk.exported(
                    names,
                    by=by or getpass.getuser(),
                    why=why,
                    folder=str(to),
                    readings=written.readings,
                    anonymous=anonymous,
                )
                part.rename(to)
        finally:
            desk.close()
    except HistoryUnavailableError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error}.") from error
    finally:
        history.close()
    print(
        f"{to}: {written.readings} readings of {len(written.machines)} machines, {written.verdicts} "
        f"verdicts, {written.alarms} alarms. README.md in it says what is what."
    )


def _history(settings: Settings, store: Path | None) -> SqliteHistory | InfluxHistory:
    from streams.cli.errors import CommandError

    if store is not None:
        from connectors.sqlite.history import SqliteHistory

        if not store.is_file():
            raise CommandError(f"{store} is no file: name the store of a `yeji run`.")
        return SqliteHistory(store)
    if settings.influx.token is None:
        raise CommandError("Name a store of `yeji run` (--store), or set influx.token to read InfluxDB.")
    from connectors.influx.history import InfluxHistory

    return InfluxHistory(settings.influx, days=20_000)
