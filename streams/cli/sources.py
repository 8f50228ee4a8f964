"""Makes the source that a command's options ask for, and the settings that go with it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.base.clock import now_ms
from connectors.base.contract import Source
from connectors.base.merged import MergedSource
from connectors.base.sources import chosen_sources, open_source
from connectors.csv.layout import CsvOptions
from connectors.csv.source import AS_FOUND, CsvError, CsvSource, describe
from connectors.mapping.files import load_mapping
from connectors.mapping.mapping import Mapping
from connectors.simulator import demo_plant, plant_classes, steady_plant
from connectors.simulator.shifts import DAY, HOUR
from connectors.simulator.source import SimulatorSource, history_step
from connectors.sqlite.store import Position, SqliteSink
from connectors.stdin.json_lines import JsonLinesSource
from pipeline.settings import ClassSettings, SettingsError
from streams.cli.errors import CommandError
from streams.settings import Settings

_UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": HOUR, "d": DAY, "w": 7 * DAY}


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; CommandError when there is none.

    >>> zone_of("UTC") is UTC
    True
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CommandError(f"{name!r} is no time zone: give a name like Asia/Seoul or UTC.") from error


def moment(text: str, zone: tzinfo) -> int:
    """A date, or a date and time, in ms UTC; ``zone`` where it names none.

    >>> moment("2000-01-01", UTC)
    946684800000
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no date: write 2026-01-31 or 2026-01-31T08:00:00.") from error
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def duration(text: str) -> int:
    """A stretch of time in whole ms.

    >>> duration("90s"), duration("2d"), duration("1.5h")
    (90000, 172800000, 5400000)
    """
    return round(milliseconds(text))


def milliseconds(text: str) -> float:
    """A stretch of time in ms. Raises CommandError when it is none.

    >>> milliseconds("1s"), milliseconds("100us")
    (1000.0, 0.1)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mu]?s|[mhdw])\s*", text)
    if match is None:
        raise CommandError(
            f"{text!r} is no duration: write a number and ms, s, m, h, d or w, for example 2d."
        )
    value = float(match[1]) * _UNITS[match[2]]
    if value <= 0:
        raise CommandError(f"{text!r} is no time at all: give more than 0.")
    return value


@dataclass(frozen=True, slots=True)
class Simulation:
    """The options of a simulated plant. ``machines`` None = the demonstration's fifteen."""

    seed: int = 1
    interval: int = 5000
    history: int = 2 * DAY
    machines: int | None = None
    fault_rate: float = 0.3
    speed: float = 1.0

    def source(self, live: int, start: int, *, until: int | None = None) -> SimulatorSource:
        """The source whose history reaches from about ``start`` to ``live`` (ms UTC)."""
        live -= live % self.interval
        step = history_step(self.interval)
        start = live - -(-(live - start) // step) * step
        if self.machines is None:
            plant = demo_plant(live, seed=self.seed, interval=self.interval)
        else:
            plant = steady_plant(
                self.machines, seed=self.seed, interval=self.interval, fault_rate=self.fault_rate
            )
        return SimulatorSource(plant, start, live, until=until, speed=self.speed)

    def begin(self, position: Position | None, *, exit_at_end: bool) -> SimulatorSource:
        """A new simulation whose history ends now, or the one that ``position`` belongs to.

        Raises CommandError when the options ask for another one than the store holds.
        """
        if position is None:
            live = now_ms()
            source = self.source(live, live - self.history)
            return self.source(live, live - self.history, until=source.live if exit_at_end else None)
        kept = msgspec.json.decode(position.detail)
        source = self.source(kept["live"], kept["start"])
        if source.detail != position.detail:
            raise CommandError(
                f"The store holds another simulation ({position.detail}) than these options ask for "
                f"({source.detail}). Give --fresh to begin anew, or another --store."
            )
        return self.source(kept["live"], kept["start"], until=now_ms() if exit_at_end else None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source, whether its models live on in the store, and what to call it.

    ``unread``: what of it cannot be read at all, and why.
    """

    source: Source
    keep_state: bool
    title: str
    total: int | None = None
    live: int | None = None
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def choose_simulator(
    simulation: Simulation, settings: Settings, sink: SqliteSink, *, exit_at_end: bool
) -> tuple[Chosen, Settings]:
    """The simulated plant, gone on with where ``sink`` holds it, and settings that know its machines."""
    source = simulation.begin(sink.position(SimulatorSource.name), exit_at_end=exit_at_end)
    machines = len(source.plant.machines)
    title = f"a simulated plant of {machines} machines: its history, then live"
    if settings.classes == {"default": ClassSettings()}:
        settings = settings.model_copy(update={"classes": {**plant_classes(), **settings.classes}})
    return Chosen(source, True, title, source.total, source.live), settings


def choose_csv(path: Path, options: CsvOptions = AS_FOUND) -> Chosen:
    """CSV files; CommandError when they cannot be read as readings."""
    try:
        source = CsvSource(path, options)
    except CsvError as error:
        raise CommandError(str(error)) from error
    title = f"{len(source.files)} CSV files of {path}" if len(source.files) > 1 else str(source.files[0].path)
    notes = describe(source)
    unread = [rejection.detail for rejection in source.unread]
    return Chosen(source, False, title, source.total, notes=notes, unread=unread)


def choose_sources(settings: Settings) -> Chosen:
    """Every source of the settings, as `yeji connect` would read them. Raises SettingsError."""
    names = chosen_sources(settings, None)
    source = MergedSource([open_source(name, settings.sources[name]) for name in names])
    return Chosen(source, True, f"the sources {', '.join(names)}")


def choose_stdin(mapping: Path | None = None) -> Chosen:
    """Standard input as JSON lines, read by a file of a ``mapping``; CommandError when it is a keyboard."""
    if sys.stdin.isatty():
        raise CommandError(
            "`yeji run stdin` reads JSON lines, and standard input is a keyboard. Pipe something in, for "
            "example `yeji simulate --history 1h | yeji run stdin`."
        )
    try:
        chosen = None if mapping is None else Mapping(load_mapping(mapping), "stdin")
    except SettingsError as error:
        raise CommandError(str(error)) from error
    return Chosen(JsonLinesSource(sys.stdin.buffer, "stdin", mapping=chosen), True, "standard input")


def store_path(data: Path, source: str, store: Path | None) -> Path:
    """Where results go: a file for each kind of source, so that a trial does not mix with the rest.

    >>> store_path(Path("var"), "csv", None).as_posix()
    'var/csv.sqlite'
    """
    return store if store is not None else data / f"{source}.sqlite"
