"""What a CSV file's columns are: time, machine, sensors; wide or long. Recognised, or as the options say."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

import numpy as np

from connectors.csv.header import UNNAMED, Head, find_head
from connectors.csv.numbers import NumberError, NumberFormat, number_format
from connectors.csv.serial import FIRST_SERIAL, LAST_SERIAL, SerialTimes
from connectors.csv.times import (
    CLOCK,
    RELATIVE_START,
    CountedTimes,
    NumberTimes,
    TimeError,
    Times,
    WrittenTimes,
    numbers,
    recognise,
    tidy,
)
from connectors.csv.words import (
    CLOCKS,
    COUNTERS,
    DATES,
    MACHINES,
    QUALITIES,
    ROW_NUMBERS,
    SENSORS,
    TIMES,
    VALUES,
    is_label,
    missing,
    number_of,
    plain,
    unit_in,
)
from pipeline.records import Floats
from pipeline.wire.cells import judged_by
from pipeline.wire.quality import quality_of


class LayoutError(Exception):
    """The file cannot be read as readings; the message says why and which option helps."""


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """What a user may say about the files. Columns are named as the header names them.

    ``time_unit`` and ``time_step`` in ms; ``time_step`` for files without times. ``start`` (ms UTC) is
    where times that only count begin. ``under`` is what stands before a machine's own name, as
    ``gwangju/ggm/body/press-line-1``; ``machine`` names the one machine that all files are of.
    """

    time_column: str | None = None
    time_format: str | None = None
    time_unit: float | None = None
    time_step: int | None = None
    start: int = RELATIVE_START
    zone: tzinfo = UTC
    machine: str | None = None
    machine_column: str | None = None
    under: str | None = None
    sensor_column: str | None = None
    value_column: str | None = None
    ignore: tuple[str, ...] = ()
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    align: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns by index. Long files have ``sensor`` and ``value``; wide ones ``sensors``.

    ``skip`` records stand before the first row. ``quality``: the column that tells how good a row's values
    are; ``qualities``: by column of a sensor, the one that tells it of that sensor.
    """

    header: tuple[str, ...]
    skip: int
    delimiter: str
    numbers: NumberFormat
    time: tuple[int, ...]
    times: Times
    machine: int | None
    sensors: tuple[int, ...] = ()
    sensor: int | None = None
    value: int | None = None
    quality: int | None = None
    qualities: Mapping[int, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def long(self) -> bool:
        """Whether each row is one sensor's value."""
        return self.sensor is not None

    def cells(self, line: str) -> list[str]:
        """One line's cells."""
        return split([line], self.delimiter)[0]


def split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Each line's cells; ``delimiter`` " " stands for any run of spaces and tabs.

    Raises `csv.Error` when a line cannot be read.
    """
    if delimiter == " ":
        return [line.split() for line in lines]
    return list(csv.reader(lines, delimiter=delimiter))


def _readable(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of the lines that can be read."""
    try:
        return split(lines, delimiter)
    except csv.Error:
        rows: list[list[str]] = []
        for line in lines:
            with suppress(csv.Error):
                rows += split([line], delimiter)
        return rows


def sniff_delimiter(lines: Sequence[str]) -> str:
    """What separates the cells: the character that gives most lines the same number of them, over one.

    >>> sniff_delimiter(["a;b;c", "1,5;2,5;3,5"]), sniff_delimiter(["a,b c", "1,2"]), sniff_delimiter(["1 2"])
    (';', ',', ' ')
    """
    best, best_fit = ",", (0.0, 0)
    for delimiter in (";", "\t", ",", "|", " "):
        widths = Counter(len(row) for row in _readable(lines, delimiter))
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        share = count / len(lines)
        if width > 1 and share > 0.5 and (share, width if delimiter != " " else 0) > best_fit:
            best, best_fit = delimiter, (share, width if delimiter != " " else 0)
    return best


def find_layout(lines: Sequence[str], options: CsvOptions) -> Layout:
    """Understand a file by its first lines. Raises `LayoutError`."""
    if not lines:
        raise LayoutError("it is empty")
    delimiter = options.delimiter or sniff_delimiter(lines)
    rows = _readable(lines, delimiter)
    if not rows:
        raise LayoutError("its first lines are no text in cells")
    head = find_head(rows, _is_number)
    width = len(head.names)
    body = [row for row in rows[head.skip :] if len(row) == width] if head.has_header else rows[head.skip :]
    if not body:
        raise LayoutError("it has a header and no row that fits it")
    columns = [[row[i] for row in body if i < len(row)] for i in range(width)]
    roles = _Roles(head, columns, options)
    return roles.layout(delimiter)


def _is_number(cell: str) -> bool:
    return missing(cell) or numbers([cell.replace(",", ".", 1).replace(",", "")]) is not None


def _counts(cells: list[str]) -> bool:
    """Whether the cells are row numbers: each one more than the one before."""
    values = numbers(cells)
    return values is not None and len(values) > 2 and bool((values[1:] - values[:-1] == 1).all())


class _Roles:
    """Finds out which column is what."""

    def __init__(
        self,
        head: Head,
        columns: list[list[str]],
        options: CsvOptions,
    ) -> None:
        self.head, self.columns, self.options = head, columns, options
        self.header, self.as_numbers = head.names, columns
        self.names = [plain(name) for name in head.names]
        self.notes: list[str] = []

    def layout(self, delimiter: str) -> Layout:
        """The layout, found or given."""
        sensor, value = self._long()
        machine = self._named(self.options.machine_column, "--machine-column")
        time, times = self._time({sensor, value, machine})
        format = self._numbers(delimiter, set(time))
        quality, qualities = self._qualities({*time, sensor, value, machine})
        if machine is None and self.options.machine is None:
            machine = self._by_name(MACHINES, but={*time, sensor, value})
            if machine is not None and sensor is not None and self.names[machine].startswith("unit"):
                machine = None  # in a long file it is the value's unit
        taken = {*time, sensor, value, machine, quality, *qualities.values()}
        if sensor is not None:
            ignored = [name for i, name in enumerate(self.header) if i not in taken]
            sensors: list[int] = []
        else:
            sensors, ignored = self._sensors(taken)
        if ignored:
            self.notes.append(f"ignored: {', '.join(ignored[:8])}{', …' if len(ignored) > 8 else ''}")
        if self.head.above:
            self.notes.append(f"{self.head.above} lines above the header are no rows")
        if self.head.units:
            self.notes.append(f"units below the header: {', '.join(filter(None, self.head.units))}")
        if format.thousands:
            self.notes.append(f"thousands are parted by {format.thousands!r}, decimals by {format.decimal!r}")
        if quality is not None or qualities:
            told = [self.header[i] for i in ([] if quality is None else [quality]) + list(qualities.values())]
            self.notes.append(f"quality from {', '.join(told[:8])}")
        return Layout(
            header=self.header,
            skip=self.head.skip,
            delimiter=delimiter,
            numbers=format,
            time=time,
            times=times,
            machine=machine,
            sensors=tuple(sensors),
            sensor=sensor,
            value=value,
            quality=quality,
            qualities=qualities,
            ignored=tuple(ignored),
            notes=tuple(self.notes),
        )

    def _named(self, name: str | None, option: str) -> int | None:
        if name is None:
            return None
        for i, known in enumerate(self.header):
            if name == known or plain(name) == self.names[i]:
                return i
        raise LayoutError(f"it has no column {name!r} ({option}); its columns are {', '.join(self.header)}")

    def _by_name(self, known: Sequence[str], but: set[int | None]) -> int | None:
        for name in known:
            for i, own in enumerate(self.names):
                if own == name and i not in but:
                    return i
        return None

    def _long(self) -> tuple[int | None, int | None]:
        sensor = self._named(self.options.sensor_column, "--sensor-column")
        value = self._named(self.options.value_column, "--value-column")
        if sensor is None:
            sensor = self._by_name(SENSORS, but={value})
        if value is None and sensor is not None:
            value = self._by_name(VALUES, but={sensor})
        if sensor is None or value is None:
            if self.options.sensor_column is not None:
                raise LayoutError("it has no column of values: name it with --value-column")
            return None, None
        return sensor, value

    def _sensors(self, taken: set[int | None]) -> tuple[list[int], list[str]]:
        unwanted = {plain(name) for name in self.options.ignore}
        sensors: list[int] = []
        ignored: list[str] = []
        labels: list[str] = []
        for i, name in enumerate(self.header):
            if i in taken:
                continue
            cells = [cell for cell in self.as_numbers[i] if not missing(cell)]
            readable = sum(number_of(cell) is not None for cell in cells)
            numbered = self.names[i] in ROW_NUMBERS or (name.startswith(UNNAMED) and _counts(cells))
            empty = name.startswith(UNNAMED) and not cells
            if self.names[i] not in unwanted and is_label(name, cells):
                labels.append(name)
            elif self.names[i] in unwanted or numbered or empty or (cells and readable <= len(cells) / 2):
                ignored.append(name)
            else:
                sensors.append(i)
        if not sensors:
            raise LayoutError(
                f"it has no column of numbers beside its time; its columns are {', '.join(self.header)}"
            )
        if labels:
            self.notes.append(
                f"labels, no sensors: {', '.join(labels[:8])}{', …' if len(labels) > 8 else ''}"
            )
        return sensors, ignored

    def _numbers(self, delimiter: str, time: set[int]) -> NumberFormat:
        values = [column for i, column in enumerate(self.columns) if i not in time]
        try:
            format = number_format(values, delimiter, self.options.decimal)
        except NumberError as error:
            raise LayoutError(str(error)) from error
        self.as_numbers = [list(format.plain(column)) for column in self.columns]
        return format

    def _qualities(self, taken: set[int | None]) -> tuple[int | None, dict[int, int]]:
        """The column of the rows' quality, and those of single sensors' beside them."""
        there = {name: i for i, name in enumerate(self.header)}
        own: dict[int, int] = {}
        for i, name in enumerate(self.header):
            of = judged_by(name)
            if of is not None and of in there and i not in taken and self._tells_quality(i):
                own[there[of]] = i
        for i, name in enumerate(self.names):
            if name in QUALITIES and i not in taken and i not in own.values() and self._tells_quality(i):
                return i, own
        return None, own

    def _tells_quality(self, i: int) -> bool:
        cells = [cell for cell in self.columns[i] if cell.strip()]
        return bool(cells) and sum(quality_of(cell) is not None for cell in cells) > len(cells) / 2

    # -- time

    def _time(self, but: set[int | None]) -> tuple[tuple[int, ...], Times]:
        options = self.options
        if options.time_step is not None:
            return (), CountedTimes(options.time_step, options.start)
        given = self._named(options.time_column, "--time-column")
        if given is not None:
            times = self._times_of(given, must=True)
            assert times is not None  # noqa: S101 - or it has raised
            return (given,), times
        named = [i for name in TIMES for i, own in enumerate(self.names) if own == name and i not in but]
        date = next((i for i in named if self.names[i] in DATES), None)
        clock = next((i for i in named if self.names[i] in CLOCKS), None)
        if date is not None and clock is not None:
            both = [f"{d} {c}" for d, c in zip(self.columns[date], self.columns[clock], strict=False)]
            if (times := self._recognise(both)) is not None:
                return (date, clock), times
        for i in [*named, *self._counters(but), *self._first_of_dates(but)]:
            if (times := self._times_of(i, must=False)) is not None:
                return self._with_clock(i, times, but)
        raise LayoutError(
            f"it has no column that looks like a time; its columns are {', '.join(self.header)}. Name it "
            "with --time-column, or say with --time-step how far apart rows are, for example --time-step 1s"
        )

    def _with_clock(self, i: int, times: Times, but: set[int | None]) -> tuple[tuple[int, ...], Times]:
        """A column that holds days only goes with the one that holds the times of day."""
        if any(":" in cell for cell in self.columns[i][:20]) or not isinstance(times, WrittenTimes):
            return (i,), times
        for clock, column in enumerate(self.columns):
            cells = [cell for cell in column[:100] if not missing(cell)]
            if clock in but or clock == i or not cells:
                continue
            if sum(CLOCK.fullmatch(tidy(cell)) is not None for cell in cells) > 0.9 * len(cells):
                both = [f"{d} {c}" for d, c in zip(self.columns[i], column, strict=False)]
                if (together := self._recognise(both)) is not None:
                    return (i, clock), together
        return (i,), times

    def _counters(self, but: set[int | None]) -> list[int]:
        return [i for i, name in enumerate(self.names) if name in COUNTERS and i not in but]

    def _first_of_dates(self, but: set[int | None]) -> list[int]:
        """Columns without a telling name: the first whose cells are dates."""
        return [
            i
            for i, column in enumerate(self.columns)
            if i not in but and numbers([c for c in column[:20] if not missing(c)]) is None
        ]

    def _are_days(self, i: int, values: Floats) -> bool:
        """Whether numbers of our era's size in days (spreadsheets' serial dates) are such."""
        said = self.head.units[i].lower() if i < len(self.head.units) else ""
        if not len(values) or not FIRST_SERIAL <= np.median(values) <= LAST_SERIAL:
            return False
        steps = np.abs(np.diff(values))
        return (
            said in ("day", "days", "d", "date", "일")
            or self.names[i] in DATES
            or bool(len(steps) and 0 < np.median(steps) <= 0.05)
        )

    def _recognise(self, cells: list[str]) -> Times | None:
        try:
            return recognise(cells[:500], self.options.zone, self.options.time_format)
        except TimeError as error:
            raise LayoutError(str(error)) from error

    def _times_of(self, i: int, *, must: bool) -> Times | None:
        cells = self.as_numbers[i]
        options = self.options
        if options.time_unit is None or options.time_format is not None:
            times = self._recognise(self.columns[i])
            if times is not None:
                return times
        values = numbers([cell for cell in cells if not missing(cell)])
        if values is not None and options.time_unit is None and self._are_days(i, values):
            return SerialTimes(options.zone)
        if values is None or not len(values):
            if must:
                example = next((cell for cell in self.columns[i] if cell.strip()), "")
                raise LayoutError(
                    f"column {self.header[i]!r} holds no times that are known ({example[:40]!r}): "
                    "give --time-format, for example '%d.%m.%Y %H:%M:%S'"
                )
            return None
        unit = options.time_unit or unit_in(self.header[i]) or COUNTERS.get(self.names[i])
        if unit is None:
            if not must:
                return None
            raise LayoutError(
                f"column {self.header[i]!r} only counts: say with --time-unit what one is, as 1s or 1h"
            )
        return NumberTimes(unit, options.start, f"each counts {unit / 1000:g} s (--time-unit)")
