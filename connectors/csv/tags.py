"""Long files: rows of one value each are gathered into readings of all sensors of a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from connectors.csv.layout import Layout
from connectors.csv.table import Table
from pipeline.records import Floats, Frame, Ints

#: A machine's rows of one time may be so many before they are given out.
_MOST = 1 << 16


class Names(Protocol):
    """Gives a machine its full name."""

    def of(self, cell: str | None) -> str:
        """The name of the machine that ``cell`` stands for."""
        ...


class _Open:
    """One machine's rows that may still get company: time (n,), sensor's column (n,), value (n,)."""

    def __init__(self) -> None:
        self.sensors: dict[str, int] = {}
        self.time: Ints = np.empty(0, dtype=np.int64)
        self.column: Ints = np.empty(0, dtype=np.int64)
        self.value: Floats = np.empty(0)

    def add(self, time: Ints, tags: list[str], value: Floats) -> None:
        column = np.array([self.sensors.setdefault(tag, len(self.sensors)) for tag in tags], dtype=np.int64)
        self.time = np.concatenate((self.time, time))
        self.column = np.concatenate((self.column, column))
        self.value = np.concatenate((self.value, value))

    def take(self, machine: str, *, all_of_it: bool) -> Frame | None:
        """The readings that are complete: all before the newest time, or all."""
        if not len(self.time):
            return None
        done = np.ones(len(self.time), dtype=bool) if all_of_it else self.time < self.time.max()
        if not done.any():
            return None
        time, which = np.unique(self.time[done], return_inverse=True)
        values = np.full((len(time), len(self.sensors)), np.nan)
        values[which, self.column[done]] = self.value[done]  # of two values of one time the last stays
        self.time, self.column, self.value = self.time[~done], self.column[~done], self.value[~done]
        return Frame(machine, time, tuple(self.sensors), values)


class TagRows:
    """Collects a long file's rows. ``align`` ms: times are cut to whole multiples of it (0 = as they are)."""

    def __init__(self, layout: Layout, align: int) -> None:
        self._align = align
        self._open: dict[str | None, _Open] = {}

    def add(self, table: Table, names: Names) -> Iterator[Frame]:
        """Take a block; give the readings that it completes."""
        if not len(table.time) or table.tag is None:
            return
        time = table.time if not self._align else table.time // self._align * self._align
        tags = np.array([tag.strip() or "value" for tag in table.tag], dtype=object)
        value = table.values[:, 0]
        if table.machine is None:
            self._open.setdefault(None, _Open()).add(time, tags.tolist(), value)
        else:
            own, which = np.unique(np.array(table.machine), return_inverse=True)
            for number, machine in enumerate(own.tolist()):
                rows = np.flatnonzero(which == number)
                self._open.setdefault(machine, _Open()).add(time[rows], tags[rows].tolist(), value[rows])
        for cell, waiting in self._open.items():
            frame = waiting.take(names.of(cell), all_of_it=len(waiting.time) > _MOST)
            if frame is not None:
                yield frame

    def rest(self, names: Names) -> Iterator[Frame]:
        """What is still open at the end of the file."""
        for cell, waiting in self._open.items():
            frame = waiting.take(names.of(cell), all_of_it=True)
            if frame is not None:
                yield frame
