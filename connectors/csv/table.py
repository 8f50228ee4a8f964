"""A block of a CSV file's lines as arrays; what cannot be read is told row by row."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from connectors.csv.layout import Layout, split
from connectors.csv.lines import MAX_LINE, Line
from connectors.csv.words import missing, number_of
from detectors.batch import Bools
from pipeline.records import Floats, Ints, Reason
from pipeline.wire.cells import apply_quality


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that was not taken, or one of its values (then ``sensor`` says which)."""

    line: Line
    reason: Reason
    detail: str
    sensor: str | None = None


@dataclass(slots=True)
class Table:
    """n rows. ``values`` (n, k) in wide files; ``machine`` and ``tag`` (n,) where there are such columns.

    ``uncertain`` (n, k): values of uncertain quality; None = there are none.
    """

    time: Ints
    values: Floats
    machine: Sequence[str] | None
    tag: Sequence[str] | None
    bad: list[Bad] = field(default_factory=list)
    uncertain: Bools | None = None


def read_table(lines: Sequence[Line], layout: Layout, codec: str) -> Table:
    """Parse ``lines``. Never raises for what stands in them."""
    bad: list[Bad] = []
    rows, kept = _rows(lines, layout, codec, bad)
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(layout.header)
    if not layout.time:
        cells: Sequence[str] = [""] * len(rows)
    elif len(layout.time) == 1:
        cells = columns[layout.time[0]]
    else:
        cells = [" ".join(parts) for parts in zip(*(columns[i] for i in layout.time), strict=True)]
    time, good = layout.times.parse(cells)
    for i in np.flatnonzero(~good).tolist():
        what = f"{cells[i][:60]!r} is no time as in the rest of the file"
        bad.append(Bad(kept[i], Reason.CSV_ROW, f"{what} ({layout.times.title}); row left out"))
    numeric = layout.sensors if layout.value is None else (layout.value,)
    values = np.empty((len(rows), len(numeric)))
    for k, i in enumerate(numeric):
        name = None if layout.long else layout.header[i]
        values[:, k] = _numbers(layout.numbers.plain(columns[i]), columns[i], name, kept, good, bad)
    uncertain = _judge(values, columns, numeric, layout)
    machine = None if layout.machine is None else columns[layout.machine]
    if machine is not None:
        for i, cell in enumerate(machine):
            if good[i] and not cell.strip():
                good[i] = False
                detail = f"{layout.header[layout.machine or 0]!r} is empty; row left out"
                bad.append(Bad(kept[i], Reason.MACHINE_MISSING, detail))
    tag = None if layout.sensor is None else columns[layout.sensor]
    bad.sort(key=lambda one: one.line.number)
    if not good.all():
        time, values = time[good], values[good]
        uncertain = None if uncertain is None else uncertain[good]
        machine = None if machine is None else [c for c, g in zip(machine, good, strict=True) if g]
        tag = None if tag is None else [c for c, g in zip(tag, good, strict=True) if g]
    return Table(time, values, machine, tag, bad, uncertain)


def _judge(
    values: Floats, columns: Sequence[Sequence[str]], numeric: Sequence[int], layout: Layout
) -> Bools | None:
    """Make values of bad quality missing; return which are uncertain (n, k), None when none is."""
    if layout.quality is None and not layout.qualities:
        return None
    shared = None if layout.quality is None else list(columns[layout.quality])
    own = {i: list(columns[quality]) for i, quality in layout.qualities.items()}
    return apply_quality(values, [own.get(i, shared) for i in numeric])


def _rows(
    lines: Sequence[Line], layout: Layout, codec: str, bad: list[Bad]
) -> tuple[list[list[str]], list[Line]]:
    """The rows that have as many cells as the header, and the lines they stand in."""
    try:
        if any(line.too_long for line in lines):
            raise ValueError
        found = split([line.raw.decode(codec) for line in lines], layout.delimiter)
        if len(found) != len(lines):
            raise ValueError
    except (ValueError, csv.Error):
        return _rows_one_by_one(lines, layout, codec, bad)
    width = len(layout.header)
    if all(len(row) == width for row in found):
        return found, list(lines)
    rows: list[list[str]] = []
    kept: list[Line] = []
    for row, line in zip(found, lines, strict=True):
        _keep(row, line, width, rows, kept, bad)
    return rows, kept


def _rows_one_by_one(
    lines: Sequence[Line], layout: Layout, codec: str, bad: list[Bad]
) -> tuple[list[list[str]], list[Line]]:
    rows: list[list[str]] = []
    kept: list[Line] = []
    for line in lines:
        if line.too_long:
            bad.append(Bad(line, Reason.CSV_ROW, f"the line is longer than {MAX_LINE} bytes; row left out"))
            continue
        try:
            found = split([line.raw.decode(codec)], layout.delimiter)
        except UnicodeDecodeError as error:
            bad.append(Bad(line, Reason.CSV_ROW, f"not {codec}: {error.reason}; row left out (--encoding)"))
        except csv.Error as error:
            bad.append(Bad(line, Reason.CSV_ROW, f"no CSV: {error}; row left out"))
        else:
            _keep(found[0] if found else [], line, len(layout.header), rows, kept, bad)
    return rows, kept


def _keep(
    row: list[str], line: Line, width: int, rows: list[list[str]], kept: list[Line], bad: list[Bad]
) -> None:
    while len(row) > width and not row[-1].strip():
        row.pop()
    if len(row) == width:
        rows.append(row)
        kept.append(line)
    else:
        detail = f"{len(row)} cells where the header has {width}; row left out"
        bad.append(Bad(line, Reason.CSV_ROW, detail))


def _numbers(
    cells: Sequence[str],
    written: Sequence[str],
    sensor: str | None,
    lines: list[Line],
    wanted: Bools,
    bad: list[Bad],
) -> Floats:
    """The cells as numbers, NaN where missing or none; ``written`` as the file has them."""
    try:
        values = np.array(list(map(float, cells)))
    except ValueError:
        values = np.array([_number(cell) for cell in cells])
        for i in np.flatnonzero(np.isnan(values) & wanted).tolist():
            if number_of(cells[i]) is None and not missing(cells[i]):
                detail = f"{sensor + ': ' if sensor else ''}{written[i][:60]!r} is no number; value left out"
                bad.append(Bad(lines[i], Reason.VALUE_TYPE, detail, sensor))
    infinite = np.isinf(values)
    if infinite.any():
        for i in np.flatnonzero(infinite & wanted).tolist():
            detail = f"{sensor + ': ' if sensor else ''}an infinite value; left out"
            bad.append(Bad(lines[i], Reason.INFINITE, detail, sensor))
        values[infinite] = np.nan
    return values


def _number(cell: str) -> float:
    number = number_of(cell)
    return math.nan if number is None else number
