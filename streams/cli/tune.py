"""`yeji tune`: try changed settings on recorded readings, then shadow, promote or roll them back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from desk.learning.tuning import TuningBook
    from streams.settings import Settings
    from streams.tuning.replay import Judged

_Data = Annotated[Path | None, typer.Option(help="folder of stores (setting `data`)", show_default="var")]
_Store = Annotated[
    Path | None,
    typer.Option(help="the SQLite file of `yeji run` whose readings are replayed", show_default=False),
]
_Influx = Annotated[
    bool, typer.Option("--influx", help="replay the readings of a stream deployment (settings `influx`)")
]
_Class = Annotated[str, typer.Argument(metavar="CLASS", help="the machine class")]
_Version = Annotated[int, typer.Argument(help="as `yeji tune list` shows it")]
_By = Annotated[str, typer.Option(help="who does it, for the journal", show_default="the user's name")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tune = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="Change a machine class's settings with the facts at hand.",
    )
    tune.command("try")(try_)
    tune.command("list")(list_)
    tune.command("shadow")(shadow)
    tune.command("report")(report)
    tune.command("promote")(promote)
    tune.command("rollback")(rollback)
    app.add_typer(tune, name="tune")


def try_(
    machine_class: _Class,
    store: _Store = None,
    influx: _Influx = False,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="a change, as alarm.threshold=0.9995 (may be repeated)", show_default=False
        ),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(help="judge only the last days; the readings before warm up", show_default=False),
    ] = None,
    machine: Annotated[
        list[str] | None, typer.Option(help="only this machine (may be repeated)", show_default=False)
    ] = None,
    data: _Data = None,
    by: _By = "",
) -> None:
    """Replay the class's machines as set now and as proposed; keep the proposal as a version.

    Shows alarms a day against the budget of ISA-18.2 (`desk.budget`), and which confirmed faults each would
    have warned of.
    """
    from connectors.files.tuned import changed
    from streams.cli.errors import CommandError
    from streams.cli.run_tune import compare, opened, user

    if not change:
        raise CommandError("Say what to change, for example --set alarm.threshold=0.9995.")
    changes = dict(_change(one) for one in change)
    with opened(data, store, influx) as (settings, book, history):
        proposed = changed(settings, machine_class, changes)
        pair = compare(settings, proposed, machine_class, history, book, machines=machine, days=days)
        _print(settings, pair)
        kept = book.propose(machine_class, _all(book, machine_class, changes), at=_now(), by=by or user())
        version = f"{machine_class} {kept.version}"
        print(f"\nKept as version {kept.version}. `yeji tune shadow {version}` judges it by what comes,")
        print(f"`yeji tune promote {version}` puts it to work.")


def list_(
    machine_class: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="the machine class", show_default="all")
    ] = None,
    data: _Data = None,
) -> None:
    """List the versions of a class, or of all."""
    from streams.cli.run_tune import book_of, when

    with book_of(data) as (settings, book):
        for name in [machine_class] if machine_class else book.classes():
            for one in book.versions(name):
                changes = ", ".join(f"{key}={value}" for key, value in one.changes.items())
                print(f"{name} {one.version}  {one.role:8}  {when(settings, one.at)}  {one.by}  {changes}")


def shadow(machine_class: _Class, version: _Version, data: _Data = None, by: _By = "") -> None:
    """Judge a version by the readings that come from now on; it raises no alarms."""
    from streams.cli.run_tune import book_of, user

    with book_of(data) as (_, book):
        book.shadow(machine_class, version, at=_now(), by=by or user())
    print(f"Version {version} is in the shadow: `yeji tune report {machine_class} {version}` in some days.")


def report(
    machine_class: _Class,
    version: _Version,
    store: _Store = None,
    influx: _Influx = False,
    data: _Data = None,
) -> None:
    """Compare a version with the settings at work, on the readings since it went into the shadow."""
    from connectors.files.tuned import changed
    from streams.cli.errors import CommandError
    from streams.cli.run_tune import compare, opened

    with opened(data, store, influx) as (settings, book, history):
        found = next((one for one in book.versions(machine_class) if one.version == version), None)
        if found is None or found.role != "shadow":
            raise CommandError(
                f"Version {version} of {machine_class} is not in the shadow; see `yeji tune list`."
            )
        proposed = changed(settings, machine_class, found.changes)
        _print(settings, compare(settings, proposed, machine_class, history, book, since=found.at))


def promote(machine_class: _Class, version: _Version, data: _Data = None, by: _By = "") -> None:
    """Put a version to work: workers and `yeji run` take it up when they start next."""
    from streams.cli.run_tune import book_of, must_be_set, user, write

    with book_of(data) as (settings, book):
        must_be_set(settings, machine_class)
        one = book.promote(machine_class, version, at=_now(), by=by or user())
        path = write(settings, book, machine_class, one.changes)
    print(f"Version {version} of {machine_class} is promoted: {path}. Start workers and `yeji run` anew.")


def rollback(machine_class: _Class, data: _Data = None, by: _By = "") -> None:
    """Go back to the version that was at work before, or to `yeji.toml` alone."""
    from streams.cli.run_tune import book_of, user, write

    with book_of(data) as (settings, book):
        one = book.roll_back(machine_class, at=_now(), by=by or user())
        path = write(settings, book, machine_class, one.changes if one else {})
    what = f"version {one.version}" if one else "yeji.toml alone"
    print(f"Class {machine_class} is back at {what}: {path}. Start workers and `yeji run` anew.")


def _change(text: str) -> tuple[str, Any]:
    import json

    from streams.cli.errors import CommandError

    name, given, value = text.partition("=")
    if not given or not name:
        raise CommandError(f"--set {text}: write name=value, for example alarm.threshold=0.9995.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _all(book: TuningBook, machine_class: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The proposal on top of what is promoted already: a version is whole."""
    active = book.active(machine_class)
    return {**(active.changes if active else {}), **changes}


def _now() -> int:
    from connectors.base.clock import now_ms

    return now_ms()


def _print(settings: Settings, pair: tuple[Judged, Judged]) -> None:
    from streams.cli.run_tune import table

    for line in table(settings, *pair):
        print(line)
