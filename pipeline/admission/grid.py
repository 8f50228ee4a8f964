"""Rows that belong together though their times differ: gateways that send one machine's sensors apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from pipeline.admission.rows import aligned, laid_over
from pipeline.layout import Layout, union
from pipeline.records import Frame

_NEVER = 1 << 62


def _no_times() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Grid:
    """How often each sensor of a machine is read, learned from its rows in order.

    Rows with different sensors, within half of the shortest usual time between two values of one sensor, are
    one row at the time of the first of them. ``layout`` (k,); ``last`` (k,) times of the latest values, -1 =
    none; ``period`` (k,) ms between values; ``seen`` (k,) how many such times went into it.
    """

    layout: Layout = ()
    last: Ints = field(default_factory=_no_times)
    period: Floats = field(default_factory=lambda: np.empty(0))
    seen: Ints = field(default_factory=_no_times)

    def join(
        self, frame: Frame, until: int | None, most: int, span: int | None
    ) -> tuple[Frame | None, Frame | None]:
        """Join the rows of ``frame``; no other can come any more up to ``until`` (ms; None = ever).

        Rows are joined within ``span`` ms; None = what was learned, ``most`` at the most. Returns the rows
        that are done, and those that may still be joined with later ones.
        """
        self._widen(frame.sensors)
        frame = aligned(frame, self.layout)
        there = np.isfinite(frame.values)
        first_of = np.zeros(len(frame), dtype=np.int64)
        done = _join(
            frame.time,
            there,
            self.last,
            self.period,
            self.seen,
            _NEVER if until is None else until,
            most,
            -1 if span is None else span,
            first_of,
        )
        rest = frame.rows(slice(done, None)) if done < len(frame) else None
        if not done:
            return None, rest
        first, group = np.unique(first_of[:done], return_inverse=True)
        if len(first) == done:
            return frame.rows(slice(0, done)), rest
        return laid_over(frame.rows(slice(0, done)), first, group, there[:done]), rest

    def _widen(self, sensors: Layout) -> None:
        if set(sensors) <= set(self.layout):
            return
        wider = union(self.layout, sensors)
        at = [wider.index(name) for name in self.layout]
        last = np.full(len(wider), -1, dtype=np.int64)
        period, seen = np.zeros(len(wider)), np.zeros(len(wider), dtype=np.int64)
        last[at], period[at], seen[at] = self.last, self.period, self.seen
        self.layout, self.last, self.period, self.seen = wider, last, period, seen


@compiled
def _join(
    time: Ints,
    there: Bools,
    last: Ints,
    period: Floats,
    seen: Ints,
    until: int,
    most: int,
    fixed: int,
    first_of: Ints,
) -> int:
    """Fill in ``first_of`` (n,), the first row of each row's group; returns how many rows are done."""
    n, width = there.shape
    together = np.zeros(width, np.bool_)
    i = 0
    while i < n:
        span = fixed
        if span < 0:
            shortest = 0.0
            for s in range(width):
                if seen[s] >= 3 and (shortest == 0.0 or period[s] < shortest):
                    shortest = period[s]
            span = min(int(shortest / 2.0), most)
        if time[i] + span > until:
            break
        together[:] = there[i]
        first_of[i] = i
        j = i + 1
        while j < n and time[j] - time[i] <= span:
            apart = True
            for s in range(width):
                apart = apart and not (there[j, s] and together[s])
            if not apart:
                break
            for s in range(width):
                together[s] = together[s] or there[j, s]
            first_of[j] = i
            j += 1
        for row in range(i, j):
            for s in range(width):
                if not there[row, s]:
                    continue
                dt = float(time[row] - last[s])
                if last[s] >= 0 and dt > 0.0:
                    if seen[s] > 0:
                        dt = min(dt, 4.0 * period[s])
                    seen[s] += 1
                    period[s] += (dt - period[s]) / min(seen[s], 16)
                last[s] = time[row]
        i = j
    return i
