"""Guarded learning: readings wait until it is clear that the machine was healthy, then they are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, grown
from detectors.base import State as Saved
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from pipeline.records import State

_SUSPECT, _ALARM = int(State.SUSPECT), int(State.ALARM)


@dataclass(frozen=True, slots=True)
class Released:
    """Readings that may be learned now, and each detector's raw score of them, (n, d)."""

    batch: Batch
    raw: Floats


class _Waiting(NamedTuple):
    """The blocks that wait; two a machine, filled in turn."""

    seen: Ints  # readings so far
    troubled: Bools  # (m, 2)
    time: Ints  # (m, 2, block)
    x: Floats  # (m, 2, block, k)
    raw: Floats  # (m, 2, block, d)


class GuardedLearning(FleetState):
    """Holds each machine's latest two blocks of readings.

    A block is released when the block after it is complete and neither was troubled: no alarm in it,
    and no episode under way at its end. So what leads up to an alarm is not learned as normal, a single
    odd reading still is, and nothing is learned while an alarm lasts. Blocks are counted by the
    machine's own readings, which makes learning independent of how readings come in batches.
    """

    def __init__(self, width: int, block: int, detectors: int) -> None:
        self.block = block
        self._of = _Waiting(
            np.zeros(0, dtype=np.int64),
            np.ones((0, 2), dtype=np.bool_),
            np.zeros((0, 2, block), dtype=np.int64),
            np.zeros((0, 2, block, width)),
            np.zeros((0, 2, block, detectors)),
        )

    @property
    def count(self) -> Ints:
        """(m,) readings that each machine has had."""
        return self._of.seen

    @property
    def troubled(self) -> Bools:
        """(m, 2) which of the blocks that wait are not to be learned."""
        return self._of.troubled

    def rounds(self, batch: Batch) -> list[tuple[Batch, Ints]]:
        """Cut a batch so that no machine's readings cross the end of a block within a part.

        Each part comes with where its readings are in the batch. Machines without readings are left out.
        """
        parts: list[tuple[Batch, Ints]] = []
        taken, left = np.zeros_like(batch.counts), len(batch)
        while left:
            here, at = np.empty_like(batch.counts), np.empty(left, dtype=np.int64)
            n = _next_round(self.count, batch.rows, batch.starts, batch.counts, self.block, taken, here, at)
            if n == len(batch):
                return [(batch, at)]
            at, some = at[:n], here > 0
            parts.append((Batch(batch.rows[some], here[some], batch.time[at], batch.x.take(at, axis=0)), at))
            left -= n
        return parts

    def add(self, batch: Batch, raw: Floats, state: NDArray[np.uint8]) -> Released | None:
        """Take in scored readings of one round; give those that may be learned now.

        ``raw`` (n, d); ``state`` (n,) of `State`.
        """
        free = np.zeros(len(batch.rows), dtype=np.bool_)
        many = _add(
            self._of,
            batch.rows,
            batch.starts,
            batch.counts,
            batch.time,
            batch.x,
            raw,
            state,
            self.block,
            free,
        )
        return self._release(batch.rows[free]) if many else None

    def distrust(self, row: int, start: int, end: int) -> None:
        """Do not learn the readings of ``row`` that wait, when any is of ``start`` .. ``end`` (ms UTC)."""
        count = int(self.count[row])
        for slot in (0, 1):
            # of the slot that is being filled, only what this round wrote counts
            filled = self.block if slot != (count // self.block) % 2 else count % self.block
            filled = min(filled, count)
            time = self._of.time[row, slot, :filled]
            if ((time >= start) & (time <= end)).any():
                self.troubled[row, slot] = True

    def ended(self, batch: Batch) -> Bools:
        """(m,) which machines' block ended with this round, that `add` took in."""
        ended: Bools = (self.count[batch.rows] % self.block == 0) & (batch.counts > 0)
        return ended

    def _release(self, rows: Ints) -> Released:
        """The block of each of ``rows`` that came before the one that has just ended."""
        of, slot = self._of, (self.count[rows] // self.block) % 2
        time, x, raw = of.time[rows, slot], of.x[rows, slot], of.raw[rows, slot]
        counts = np.full(len(rows), self.block, dtype=np.int64)
        batch = Batch(rows, counts, time.reshape(-1), x.reshape(-1, x.shape[-1]))
        return Released(batch, raw.reshape(-1, raw.shape[-1]))

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._of = _Waiting(*[grown(array, capacity, fill=array.dtype == np.bool_) for array in self._of])

    def reset(self, row: int, seed: int) -> None:
        """Forget what waits in ``row``."""
        self.count[row] = 0
        self.troubled[row] = True

    def dump(self, row: int) -> Saved:
        """Count, and the two blocks that wait."""
        return {
            "count": self.count[row : row + 1].copy(),
            "troubled": self.troubled[row].copy(),
            "time": self._of.time[row].copy(),
            "x": self._of.x[row].copy(),
            "raw": self._of.raw[row].copy(),
        }

    def load(self, row: int, state: Saved) -> None:
        """Take up what `dump` gave; ValueError when block length or sensors differ."""
        of = self._of
        if state["x"].shape != of.x[row].shape or state["raw"].shape != of.raw[row].shape:
            raise ValueError(
                f"saved blocks are {state['x'].shape}, this class has {of.x[row].shape}: "
                "learning.block or the sensors were changed"
            )
        of.seen[row] = state["count"][0]
        of.troubled[row] = state["troubled"]
        of.time[row] = state["time"]
        of.x[row] = state["x"]
        of.raw[row] = state["raw"]


@compiled
def _next_round(
    count: Ints, rows: Ints, starts: Ints, counts: Ints, block: int, taken: Ints, here: Ints, at: Ints
) -> int:
    """Add readings to each machine's block up to its end: ``here`` (m,) counts, ``at`` their places.

    ``taken`` (m,) says how many were taken before, and is moved on. Returns how many there are in all.
    """
    n = 0
    for m in range(len(rows)):
        into = (count[rows[m]] + taken[m]) % block
        here[m] = min(counts[m] - taken[m], block - into)
        for i in range(starts[m] + taken[m], starts[m] + taken[m] + here[m]):
            at[n] = i
            n += 1
        taken[m] += here[m]
    return n


@compiled
def _add(
    of: _Waiting,
    rows: Ints,
    starts: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
    raw: Floats,
    state: NDArray[np.uint8],
    block: int,
    free: Bools,
) -> int:
    """Store readings; mark in ``free`` (m,), and count, machines whose earlier block may be learned now."""
    many = 0
    seen, troubled, its_time, its_x, its_raw = of.seen, of.troubled, of.time, of.x, of.raw
    for m in range(len(rows)):
        row = rows[m]
        for i in range(starts[m], starts[m] + counts[m]):
            slot, place = (seen[row] // block) % 2, seen[row] % block
            if place == 0:
                troubled[row, slot] = False
            its_time[row, slot, place] = time[i]
            for column in range(x.shape[1]):
                its_x[row, slot, place, column] = x[i, column]
            for column in range(raw.shape[1]):
                its_raw[row, slot, place, column] = raw[i, column]
            ended = place == block - 1
            if state[i] == _ALARM or (ended and state[i] == _SUSPECT):
                troubled[row, slot] = True
            seen[row] += 1
            if ended and seen[row] >= 2 * block and not (troubled[row, 0] or troubled[row, 1]):
                free[m] = True
                many += 1
    return many
