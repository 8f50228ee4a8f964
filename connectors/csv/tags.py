"""Long files: rows of one value each are gathered into readings of all sensors of a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from connectors.csv.layout import Layout
from connectors.csv.table import Table
from detectors.batch import Bools
from pipeline.records import Floats, Frame, Ints

#: A machine's rows of one time may be so many before they are given out.
_MOST = 1 << 16


class Names(Protocol):
    """The full name of a machine."""

    def of(self, cell: str | None) -> str:
        """The name of the machine that ``cell`` stands for."""
        ...


class _Open:
    """One machine's rows that may still get company: times, sensors' columns, values, uncertain or not."""

    def __init__(self) -> None:
        self.sensors: dict[str, int] = {}
        self.parts: list[tuple[Ints, Ints, Floats, Bools]] = []
        self.rows = 0

    def add(self, time: Ints, tags: list[str], value: Floats, uncertain: Bools) -> None:
        column = np.array([self.sensors.setdefault(tag, len(self.sensors)) for tag in tags], dtype=np.int64)
        self.parts.append((time, column, value, uncertain))
        self.rows += len(time)

    def pop_frame(self, machine: str, *, all_of_it: bool) -> Frame | None:
        """The readings that are complete: all before the newest time, or all."""
        if not self.rows:
            return None
        time, column, value, doubt = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        done = np.ones(len(time), dtype=bool) if all_of_it else time < time.max()
        rest = ~done
        self.parts = [(time[rest], column[rest], value[rest], doubt[rest])]
        self.rows = int(rest.sum())
        if not done.any():
            return None
        times, which = np.unique(time[done], return_inverse=True)
        values = np.full((len(times), len(self.sensors)), np.nan)
        values[which, column[done]] = value[done]  # of two values of one time the last stays
        uncertain = None
        if doubt.any():
            uncertain = np.zeros(values.shape, dtype=np.bool_)
            uncertain[which, column[done]] = doubt[done]
        return Frame(machine, times, tuple(self.sensors), values, uncertain)


class TagRows:
    """Collects a long file's rows. ``align`` ms: times are cut to whole multiples of it (0 = as they are).

    ``whole``: nothing is given out before `rest`, for a file whose times go back and forth.
    """

    def __init__(self, layout: Layout, align: int, *, whole: bool = False) -> None:
        self._align, self._whole = align, whole
        self._open: dict[str | None, _Open] = {}

    def add(self, table: Table, names: Names) -> Iterator[Frame]:
        """Take a block; give the readings that it completes."""
        if not len(table.time) or table.tag is None:
            return
        time = table.time if not self._align else table.time // self._align * self._align
        tags = np.array([tag.strip() or "value" for tag in table.tag], dtype=object)
        value = table.values[:, 0]
        doubt = np.zeros(len(time), dtype=np.bool_) if table.uncertain is None else table.uncertain[:, 0]
        if table.machine is None:
            self._open.setdefault(None, _Open()).add(time, tags.tolist(), value, doubt)
        else:
            own, which = np.unique(np.array(table.machine), return_inverse=True)
            for number, machine in enumerate(own.tolist()):
                rows = np.flatnonzero(which == number)
                part = time[rows], tags[rows].tolist(), value[rows], doubt[rows]
                self._open.setdefault(machine, _Open()).add(*part)
        if self._whole:
            return
        for cell, waiting in self._open.items():
            frame = waiting.pop_frame(names.of(cell), all_of_it=waiting.rows > _MOST)
            if frame is not None:
                yield frame

    def rest(self, names: Names) -> Iterator[Frame]:
        """What is still open at the end of the file."""
        for cell, waiting in self._open.items():
            frame = waiting.pop_frame(names.of(cell), all_of_it=True)
            if frame is not None:
                yield frame
