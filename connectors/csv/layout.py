"""What a CSV file's columns are: time, machine, sensors; wide or long. Recognised, or as the options say."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from connectors.csv.times import (
    RELATIVE_START,
    CountedTimes,
    NumberTimes,
    TimeError,
    Times,
    numbers,
    recognise,
)
from connectors.csv.words import (
    CLOCKS,
    COUNTERS,
    DATES,
    LABELS,
    MACHINES,
    ROW_NUMBERS,
    SENSORS,
    TIMES,
    VALUES,
    missing,
    number_of,
    plain,
    unit_in,
)


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


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns by index. Long files have ``sensor`` and ``value``; wide ones ``sensors``."""

    header: tuple[str, ...]
    has_header: bool
    delimiter: str
    decimal: str
    time: tuple[int, ...]
    times: Times
    machine: int | None
    sensors: tuple[int, ...] = ()
    sensor: int | None = None
    value: int | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def long(self) -> bool:
        """Whether each row is one sensor's value."""
        return self.sensor is not None

    def cells(self, line: str) -> list[str]:
        """One line's cells."""
        return split([line], self.delimiter)[0]


_UNNAMED = "column-"


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
    header, has_header = _header(rows)
    body = [row for row in rows[1:] if len(row) == len(header)] if has_header else rows
    if not body:
        raise LayoutError("it has a header and no row that fits it")
    columns = [[row[i] for row in body if i < len(row)] for i in range(len(header))]
    decimal = options.decimal or _decimal(columns, delimiter)
    if decimal == ",":
        columns_as_numbers = [[cell.replace(",", ".") for cell in column] for column in columns]
    else:
        columns_as_numbers = columns
    roles = _Roles(header, columns, columns_as_numbers, options)
    return roles.layout(delimiter, decimal, has_header)


def _header(rows: list[list[str]]) -> tuple[tuple[str, ...], bool]:
    """The columns' names; a first row of numbers or times only is no header."""
    first = rows[0]
    filled = [cell for cell in first if cell.strip()]
    has_header = not filled or not all(_is_number(cell) or recognise([cell], UTC) for cell in filled)
    if has_header and len(rows) > 1:
        width = Counter(map(len, rows[1:])).most_common(1)[0][0]
        if len(first) + 1 == width:
            # Either each row ends in a delimiter, or the header leaves the row numbers' name out (R, pandas).
            open_end = all(not row[-1].strip() for row in rows[1:] if len(row) == width)
            first = [*first, ""] if open_end else ["", *first]
    names: list[str] = []
    for number, cell in enumerate(first, start=1):
        name = " ".join(cell.split()) if has_header else ""
        name = "".join(c for c in name if c.isprintable())[:120] or f"{_UNNAMED}{number}"
        names.append(name if name not in names else f"{name}-{number}")
    return tuple(names), has_header


def _is_number(cell: str) -> bool:
    return missing(cell) or numbers([cell.replace(",", ".")]) is not None


def _decimal(columns: list[list[str]], delimiter: str) -> str:
    """A comma, where the delimiter is none and cells read as numbers only with it."""
    if delimiter == ",":
        return "."
    cells = [
        cell for column in columns for cell in column if re.fullmatch(r"\s*-?\d+[.,]\d+(e-?\d+)?\s*", cell)
    ]
    commas = sum("," in cell for cell in cells)
    return "," if commas > len(cells) / 2 else "."


def _counts(cells: list[str]) -> bool:
    """Whether the cells are row numbers: each one more than the one before."""
    values = numbers(cells)
    return values is not None and len(values) > 2 and bool((values[1:] - values[:-1] == 1).all())


class _Roles:
    """Finds out which column is what."""

    def __init__(
        self,
        header: tuple[str, ...],
        columns: list[list[str]],
        as_numbers: list[list[str]],
        options: CsvOptions,
    ) -> None:
        self.header, self.columns, self.as_numbers, self.options = header, columns, as_numbers, options
        self.names = [plain(name) for name in header]
        self.notes: list[str] = []

    def layout(self, delimiter: str, decimal: str, has_header: bool) -> Layout:
        """All of it."""
        sensor, value = self._long()
        machine = self._named(self.options.machine_column, "--machine-column")
        time, times = self._time({sensor, value, machine})
        if machine is None and self.options.machine is None:
            machine = self._by_name(MACHINES, but={*time, sensor, value})
            if machine is not None and sensor is not None and self.names[machine].startswith("unit"):
                machine = None  # in a long file it is the value's unit
        taken = {*time, sensor, value, machine}
        if sensor is not None:
            ignored = [name for i, name in enumerate(self.header) if i not in taken]
            sensors: list[int] = []
        else:
            sensors, ignored = self._sensors(taken)
        if ignored:
            self.notes.append(f"ignored: {', '.join(ignored[:8])}{', …' if len(ignored) > 8 else ''}")
        return Layout(
            self.header,
            has_header,
            delimiter,
            decimal,
            time,
            times,
            machine,
            tuple(sensors),
            sensor,
            value,
            tuple(ignored),
            tuple(self.notes),
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
        unwanted = {plain(name) for name in self.options.ignore} | LABELS
        sensors: list[int] = []
        ignored: list[str] = []
        for i, name in enumerate(self.header):
            if i in taken:
                continue
            cells = [cell for cell in self.as_numbers[i] if not missing(cell)]
            readable = sum(number_of(cell) is not None for cell in cells)
            numbered = self.names[i] in ROW_NUMBERS or (name.startswith(_UNNAMED) and _counts(cells))
            empty = name.startswith(_UNNAMED) and not cells
            if self.names[i] in unwanted or numbered or empty or (cells and readable <= len(cells) / 2):
                ignored.append(name)
            else:
                sensors.append(i)
        if not sensors:
            raise LayoutError(
                f"it has no column of numbers beside its time; its columns are {', '.join(self.header)}"
            )
        return sensors, ignored

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
                return (i,), times
        raise LayoutError(
            f"it has no column that looks like a time; its columns are {', '.join(self.header)}. Name it "
            "with --time-column, or say with --time-step how far apart rows are, for example --time-step 1s"
        )

    def _counters(self, but: set[int | None]) -> list[int]:
        return [i for i, name in enumerate(self.names) if name in COUNTERS and i not in but]

    def _first_of_dates(self, but: set[int | None]) -> list[int]:
        """Columns without a telling name: the first whose cells are dates."""
        return [
            i
            for i, column in enumerate(self.columns)
            if i not in but and numbers([c for c in column[:20] if not missing(c)]) is None
        ]

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
