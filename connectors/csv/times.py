"""Times of CSV files, in whatever form they stand there, to ms since 1970 UTC."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product

import numpy as np

from connectors.csv.wall_clock import WallClock
from detectors.batch import Bools
from pipeline.records import Floats, Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)

#: Numbers count from here when they are too small to be times of our era.
RELATIVE_START = 946_684_800_000  # 2000-01-01
#: Outside of 1900 .. 2200 a time is a mistake.
EARLIEST, LATEST = -2_208_988_800_000, 7_258_118_400_000

#: Mid-1979 in ms since 1970: the least that `epoch_unit` takes for a time of our era.
_TEN_YEARS = 300_000_000_000

_DATES = [
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y. %m. %d.", "%Y. %m. %d"),
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d %Y", "%b %d, %Y", "%d-%b-%y"),
]
_CLOCKS = [
    *("%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%p %I:%M:%S", "%p %I:%M"),
    *("%H.%M.%S", "%H-%M-%S"),
]
FORMATS = [
    *(f"{date}{gap}{clock}" for date, gap, clock in product(_DATES, (" ", "T"), _CLOCKS)),
    *_DATES,
    *("%Y%m%d%H%M%S", "%Y%m%d %H%M%S", "%Y%m%dT%H%M%S", "%Y.%m.%d.%H.%M.%S", "%Y%m%d"),
]

_ZONE = re.compile(r"(?<=:\d\d)([.,]\d+)?(\s?)(Z|[+-]\d\d:?\d\d)$")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?")


class TimeError(Exception):
    """The time column cannot be understood; the message says why and what to do."""


class Times(ABC):
    """How one file writes its times."""

    #: in words, for the reader of a run's output
    title: str
    #: ms UTC: an earlier time is none
    earliest: int = EARLIEST

    def fresh(self) -> Times:
        """The same for another pass over the file, with nothing remembered of the last one."""
        return self

    def parse(self, cells: Sequence[str]) -> tuple[Ints, Bools]:
        """Each cell's time (n,) in ms, and whether it is one (n,); where not, the time is 0."""
        try:
            time = self._many(cells)
            good = (time >= self.earliest) & (time < LATEST)
        except (ValueError, OverflowError):
            time, good = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=bool)
            for i, cell in enumerate(cells):
                try:
                    time[i] = self._many((cell,))[0]
                    good[i] = self.earliest <= time[i] < LATEST
                except (ValueError, OverflowError):
                    pass
        return np.where(good, time, 0), good

    @abstractmethod
    def _many(self, cells: Sequence[str]) -> Ints:
        """The times of ``cells``; ValueError when one of them is none."""


class NumberTimes(Times):
    """Numbers of ``unit`` ms each, from ``start`` (ms UTC)."""

    def __init__(self, unit: float, start: int, title: str, earliest: int = EARLIEST) -> None:
        self.unit, self.start, self.title, self.earliest = unit, start, title, earliest

    def _many(self, cells: Sequence[str]) -> Ints:
        counts = np.array([float(cell.replace(",", ".")) for cell in cells])
        if not np.isfinite(counts).all():
            raise ValueError("not finite")
        ms = np.floor(counts * self.unit + 0.5) + self.start
        if (np.abs(ms) > 2**62).any():
            raise ValueError("too large")
        return ms.astype(np.int64)


class WrittenTimes(Times):
    """Dates and times as text; those that name no zone are in ``zone``."""

    def __init__(self, format: str | None, zone: tzinfo) -> None:
        self.format, self.zone = format, zone
        self.title = f"{format or 'ISO 8601'}, {zone} where no zone is given"
        self._clock = WallClock(zone)

    def fresh(self) -> Times:
        """The same, at the beginning of a file."""
        return WrittenTimes(self.format, self.zone)

    def _many(self, cells: Sequence[str]) -> Ints:
        cells = [tidy(cell) for cell in cells]
        if self.format is not None:
            return self._from([datetime.strptime(cell, self.format) for cell in cells])
        if all(map(_ISO.fullmatch, cells)):
            # numpy reads these in C; it knows no comma before fractions
            ms = np.array([cell.replace(",", ".") for cell in cells], dtype="datetime64[ms]")
            return self._clock.to_utc(ms.astype(np.int64))
        return self._from([datetime.fromisoformat(cell) for cell in cells])

    def _from(self, times: list[datetime]) -> Ints:
        naive = [t.tzinfo is None for t in times]
        if all(naive):
            return self._clock.to_utc(np.array([(t - _NAIVE_EPOCH) // _MS for t in times], dtype=np.int64))
        zoned = [t.replace(tzinfo=self.zone) if bare else t for t, bare in zip(times, naive, strict=True)]
        return np.array([(t - _EPOCH) // _MS for t in zoned], dtype=np.int64)


#: A time of day without its day.
CLOCK = re.compile(r"\d{1,2}[:.]\d\d([:.]\d\d([.,]\d+)?)?(\s?[AaPp][Mm])?|[AaPp][Mm]\s?\d{1,2}:\d\d(:\d\d)?")


class CountedTimes(Times):
    """No time column: rows are ``step`` ms apart, the first at ``start``. The cells are ignored."""

    def __init__(self, step: int, start: int) -> None:
        self.step, self._start, self._next = step, start, start
        self.title = f"rows {step / 1000:g} s apart"

    def fresh(self) -> Times:
        """The same from its start."""
        return CountedTimes(self.step, self._start)

    def _many(self, cells: Sequence[str]) -> Ints:
        time = self._next + np.arange(len(cells)) * self.step
        self._next += len(cells) * self.step
        return time


def tidy(cell: str) -> str:
    """A time as `strptime` takes it: Korean halves of the day become AM and PM."""
    return cell.strip().replace("오전", "AM").replace("오후", "PM")


def numbers(cells: Sequence[str]) -> Floats | None:
    """Those of the cells that are numbers, or None when fewer than half of them are.

    >>> numbers(["1", "2", "x"]), numbers(["x"])
    (array([1., 2.]), None)
    """
    values = []
    for cell in cells:
        try:
            value = float(cell)
        except ValueError:
            continue
        if math.isfinite(value):
            values.append(value)
    return np.array(values) if values and len(values) > len(cells) / 2 else None


def epoch_unit(value: float) -> float | None:
    """How many ms one is, judging by the size of a time of our era; None = no such time.

    >>> [epoch_unit(x) for x in (1.7e9, 1.7e12, 1.7e15, 1.7e18, 42)]
    [1000.0, 1.0, 0.001, 1e-06, None]
    """
    for low, unit in ((3e8, 1e3), (3e11, 1.0), (3e14, 1e-3), (3e17, 1e-6)):
        if low <= value < low * 25:
            return unit
    return None


def recognise(cells: Sequence[str], zone: tzinfo, format: str | None = None) -> Times | None:
    """How these times are written; None when they are none.

    Raises `TimeError` when day and month cannot be told apart.
    """
    cells = [tidy(cell) for cell in cells if cell.strip()]
    if not cells:
        return None
    if format is not None:
        return WrittenTimes(format, zone)
    values = numbers(cells)
    if values is not None:
        unit = epoch_unit(float(np.median(values)))
        if unit is None:
            return _compact_dates(cells, zone)
        names = {1e3: "seconds", 1.0: "milliseconds", 1e-3: "microseconds", 1e-6: "nanoseconds"}
        # in another unit a time of our era lies centuries off, or shortly after 1970
        return NumberTimes(unit, 0, f"{names[unit]} since 1970", earliest=_TEN_YEARS)
    iso = WrittenTimes(None, zone)
    _, good = iso.parse(cells)
    if good.mean() > 0.5:
        return iso
    fitting = [candidate for candidate in _candidates(cells, zone) if candidate.parse(cells)[1].mean() > 0.5]
    if not fitting:
        return None
    best = max(_fit(one, cells) for one in fitting)
    fitting = [one for one in fitting if _fit(one, cells) == best]
    if len({tuple(one.parse(cells)[0]) for one in fitting}) > 1:
        formats = " or ".join(f"--time-format '{one.format}'" for one in fitting)
        raise TimeError(f"{cells[0]!r} can be read in more than one way: give {formats}.")
    return fitting[0]


def _compact_dates(cells: Sequence[str], zone: tzinfo) -> Times | None:
    """20240131 and 20240131093000 are numbers, and dates all the same."""
    for format, length in (("%Y%m%d%H%M%S", 14), ("%Y%m%d", 8)):
        if all(len(cell) == length for cell in cells):
            one = WrittenTimes(format, zone)
            if one.parse(cells)[1].all():
                return one
    return None


def _shape(text: str) -> str:
    """A time's digits as d, its words as a: of hundreds of formats, few have the shape of a cell.

    >>> _shape("13.01.2025 09:00"), _shape("13-Jan-2025")
    ('d.d.d d:d', 'd-a-d')
    """
    return re.sub(r"\d+|[^\W\d_]+", lambda found: "d" if found[0].isdecimal() else "a", text)


def _shape_of(format: str) -> str:
    return _shape(re.sub(r"(%[YmdHMSIyf])+", "1", re.sub(r"%[bp]", "a", format)))


_BY_SHAPE: dict[str, list[str]] = {}
for _format in FORMATS:
    _BY_SHAPE.setdefault(_shape_of(_format), []).append(_format)


def _candidates(cells: Sequence[str], zone: tzinfo) -> list[WrittenTimes]:
    """The formats that the most frequent shape of the cells allows."""
    shapes: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    for cell in cells:
        zone_there = _ZONE.search(cell)
        endings["" if zone_there is None else f"{zone_there[2]}%z"] += 1
        shapes[_shape(cell if zone_there is None else cell[: zone_there.start(2)])] += 1
    ending, shape = endings.most_common(1)[0][0], shapes.most_common(1)[0][0]
    return [WrittenTimes(format + ending, zone) for format in _BY_SHAPE.get(shape, [])]


def _fit(times: WrittenTimes, cells: Sequence[str]) -> tuple[float, float, float]:
    """How well a format fits: the share of cells that it reads, of steps that go forward, of equal steps."""
    time, good = times.parse(cells)
    steps = np.diff(time[good])
    if not len(steps):
        return float(good.mean()), 1.0, 1.0
    equal = (steps == np.median(steps)).mean()
    return float(good.mean()), float((steps >= 0).mean()), float(equal)
