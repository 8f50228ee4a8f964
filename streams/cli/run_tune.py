"""What `yeji tune` does: stores opened, histories replayed twice, results laid side by side."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress

from connectors.base.history import History
from connectors.files.tuned import read_tuned, tuned_path, write_tuned
from connectors.simulator import plant_classes
from connectors.sqlite.frames import frames
from connectors.sqlite.history import SqliteHistory
from desk.learning.tuning import TuningBook, TuningError
from desk.rules.scope import EVERYTHING
from desk.service.desk import desk_path
from desk.store.store import DeskStore
from pipeline.settings import ClassSettings
from streams.cli.errors import CommandError
from streams.settings import Settings, load_settings
from streams.tuning.replay import DAY, Judged, Span, judge, replay


def user() -> str:
    """Who sits here."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@contextmanager
def book_of(data: Path | None) -> Iterator[tuple[Settings, TuningBook]]:
    """The settings and the book of versions in the desk's store."""
    settings = load_settings(data=data)
    store = DeskStore(desk_path(settings))
    try:
        yield settings, TuningBook(store)
    except TuningError as error:
        raise CommandError(str(error)) from error
    finally:
        store.close()


@contextmanager
def opened(
    data: Path | None, store: Path | None, influx: bool = False
) -> Iterator[tuple[Settings, TuningBook, History]]:
    """The settings, the book, and the readings of a store, or of InfluxDB."""
    with book_of(data) as (settings, book):
        history: History
        if influx:
            from connectors.influx.history import InfluxHistory  # only a cluster needs its client

            history = InfluxHistory(settings.influx)
        else:
            path = store_of(settings.data, store)
            settings = simulated(settings, path)
            history = SqliteHistory(path)
        try:
            yield settings, book, history
        finally:
            history.close()


def simulated(settings: Settings, store: Path) -> Settings:
    """The settings that `yeji run` takes for its simulated plant, where ``store`` is that plant's."""
    if store.name == "simulator.sqlite" and settings.classes == {"default": ClassSettings()}:
        return settings.model_copy(update={"classes": {**plant_classes(), **settings.classes}})
    return settings


#: Files of the desk in the same folder.
_DESKS = ("desk.sqlite", "desk-accounts.sqlite")


def store_of(data: Path, store: Path | None) -> Path:
    """``store``, or the only one in the folder. Raises CommandError."""
    if store is not None:
        return store
    found = [path for path in sorted(data.glob("*.sqlite")) if path.name not in _DESKS]
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        raise CommandError(f"Name the store with --store; {data} has {names}.")
    return found[0]


def compare(
    settings: Settings,
    proposed: Settings,
    machine_class: str,
    history: History,
    book: TuningBook,
    *,
    machines: Sequence[str] | None = None,
    days: float | None = None,
    since: int | None = None,
) -> tuple[Judged, Judged]:
    """Replay the class's machines with both settings; judge what comes after the warm-up.

    ``days`` or ``since`` (ms UTC) judge only the newest part. Raises CommandError when nothing is there.
    """
    fleet = [
        one
        for one in history.fleet()
        if settings.class_of(one.machine) == machine_class and (not machines or one.machine in machines)
    ]
    if not fleet:
        raise CommandError(
            f"The store has no machine of class {machine_class!r} (see --store and --machine)."
        )
    first, last = min(one.first for one in fleet), max(one.last for one in fleet)
    start = max(first, since or first, last - round(days * DAY) if days else first)
    with book.store.reading() as r:
        verdicts = [v for one in fleet for v in r.verdicts(EVERYTHING, machine=one.machine)]
    now: list[Span] = []
    then: list[Span] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=2 * len(fleet))
        for one in fleet:
            for made, spans in ((settings, now), (proposed, then)):
                spans += replay(made, one.machine, frames(history, one.machine, one.first, one.last))
                progress.advance(task)
    judged = (judge(spans, verdicts, start=start, end=last + 1, machines=len(fleet)) for spans in (now, then))
    return next(judged), next(judged)


def table(settings: Settings, now: Judged, then: Judged) -> list[str]:
    """Both side by side, as lines to print."""
    budget = settings.desk.budget
    rows = [
        ("", "now", "proposed"),
        ("alarms", str(now.alarms), str(then.alarms)),
        ("alarms a day", f"{now.a_day:.2f}", f"{then.a_day:.2f}"),
        (f"of a crew's {budget:g} a day", f"{now.a_day / budget:.1%}", f"{then.a_day / budget:.1%}"),
        ("where crews said false alarm", str(now.false), str(then.false)),
        ("where nobody said anything", str(now.unjudged), str(then.unjudged)),
        (
            f"of {len(now.faults)} confirmed faults, warned of",
            str(now.caught),
            str(then.caught),
        ),
    ]
    wide = max(len(row[0]) for row in rows)
    lines = [f"{now.machines} machines, {now.days:.1f} days", ""]
    lines += [f"{name:{wide}}  {a:>9}  {b:>9}" for name, a, b in rows]
    for before, after in zip(now.faults, then.faults, strict=True):
        verdict = before.verdict
        lines.append(
            f"  {when(settings, verdict.start)}  {verdict.machine}  {verdict.failure_mode}: "
            f"{_lead(before.lead)} now, {_lead(after.lead)} proposed"
        )
    return lines


def _lead(lead: int | None) -> str:
    if lead is None:
        return "no warning"
    if abs(lead) < 60_000:
        return "at the same time"
    amount = abs(lead) / 3_600_000
    span = f"{amount:.1f} h" if amount >= 1 else f"{abs(lead) / 60_000:.0f} min"
    return f"{span} {'earlier' if lead > 0 else 'later'}"


def when(settings: Settings, time: int) -> str:
    """A time (ms UTC) in the desk's zone."""
    zone = ZoneInfo(settings.desk.timezone)
    return datetime.fromtimestamp(time / 1000, zone).strftime("%Y-%m-%d %H:%M")


def must_be_set(settings: Settings, machine_class: str) -> None:
    """Only a class of `yeji.toml` can be changed for good. Raises CommandError."""
    if machine_class not in settings.classes:
        raise CommandError(
            f"The settings have no class {machine_class!r}, only {', '.join(settings.classes)}; those of the "
            f"simulated plant are not in yeji.toml. Write [classes.{machine_class}] there first."
        )


def write(settings: Settings, book: TuningBook, machine_class: str, changes: dict[str, Any]) -> Path:
    """Put the changes at work into `tuned.toml`; returns its path."""
    path = tuned_path(settings)
    write_tuned(path, {**read_tuned(path), machine_class: changes})
    return path
