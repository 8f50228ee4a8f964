"""Guarded learning: readings wait until it is clear that the machine was healthy, then they are learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, grown
from detectors.base import State as Saved
from detectors.batch import Batch, Bools, Floats, Ints
from streams.records import State


@dataclass(frozen=True, slots=True)
class Released:
    """Readings that may be learned now, and each detector's raw score of them, (n, d)."""

    batch: Batch
    raw: Floats


class GuardedLearning(FleetState):
    """Holds each machine's latest two blocks of readings.

    A block is released when the block after it is complete and neither was troubled: no alarm in it,
    and no episode under way at its end. So what leads up to an alarm is not learned as normal, a single
    odd reading still is, and nothing is learned while an alarm lasts. Blocks are counted by the
    machine's own readings, which makes learning independent of how readings come in batches.
    """

    def __init__(self, width: int, block: int, detectors: int) -> None:
        self.block = block
        self.count = np.zeros(0, dtype=np.int64)
        self.troubled = np.ones((0, 2), dtype=bool)
        self._time = np.zeros((0, 2, block), dtype=np.int64)
        self._x = np.zeros((0, 2, block, width))
        self._raw = np.zeros((0, 2, block, detectors))

    def rounds(self, batch: Batch) -> list[Bools]:
        """Split a batch so that no machine's readings cross the end of a block within a part."""
        into = self.count[batch.row_of] % self.block + batch.step_of
        block = into // self.block
        return [block == number for number in range(int(block.max(initial=-1)) + 1)]

    def add(self, batch: Batch, raw: Floats, state: NDArray[np.uint8]) -> Released | None:
        """Take in scored readings of one round; give those that may be learned now.

        ``raw`` (n, d); ``state`` (n,) of `State`.
        """
        if not len(batch):
            return None
        rows, row_of = batch.rows, batch.row_of
        slot = (self.count[rows] // self.block) % 2
        slot_of, place = slot[batch.column_of], self.count[row_of] % self.block + batch.step_of
        fresh = (self.count[rows] % self.block == 0) & (batch.counts > 0)
        self.troubled[rows[fresh], slot[fresh]] = False
        self._time[row_of, slot_of, place] = batch.time
        self._x[row_of, slot_of, place] = batch.x
        self._raw[row_of, slot_of, place] = raw
        alarmed = state == State.ALARM
        self.troubled[row_of[alarmed], slot_of[alarmed]] = True
        self.count[rows] += batch.counts
        complete = self.ended(batch)
        last = (batch.starts + batch.counts - 1)[complete]
        at_end = state[last] == State.SUSPECT
        self.troubled[rows[complete][at_end], slot[complete][at_end]] = True
        return self._release(rows[complete], 1 - slot[complete])

    def distrust(self, row: int, start: int, end: int) -> None:
        """Do not learn the readings of ``row`` that wait, when any is of ``start`` .. ``end`` (ms UTC)."""
        count = int(self.count[row])
        for slot in (0, 1):
            # of the slot that is being filled, only what this round wrote counts
            filled = self.block if slot != (count // self.block) % 2 else count % self.block
            filled = min(filled, count)
            time = self._time[row, slot, :filled]
            if ((time >= start) & (time <= end)).any():
                self.troubled[row, slot] = True

    def ended(self, batch: Batch) -> Bools:
        """(m,) which machines' block ended with this round, that `add` took in."""
        ended: Bools = (self.count[batch.rows] % self.block == 0) & (batch.counts > 0)
        return ended

    def _release(self, rows: Ints, previous: Ints) -> Released | None:
        known = self.count[rows] >= 2 * self.block
        free = known & ~self.troubled[rows, 0] & ~self.troubled[rows, 1]
        rows, previous = rows[free], previous[free]
        if not len(rows):
            return None
        time, x, raw = self._time[rows, previous], self._x[rows, previous], self._raw[rows, previous]
        counts = np.full(len(rows), self.block, dtype=np.int64)
        batch = Batch(rows, counts, time.reshape(-1), x.reshape(-1, x.shape[-1]))
        return Released(batch, raw.reshape(-1, raw.shape[-1]))

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.count = grown(self.count, capacity)
        self.troubled = grown(self.troubled, capacity, fill=1)
        self._time = grown(self._time, capacity)
        self._x = grown(self._x, capacity)
        self._raw = grown(self._raw, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget what waits in ``row``."""
        self.count[row] = 0
        self.troubled[row] = True

    def dump(self, row: int) -> Saved:
        """Count, and the two blocks that wait."""
        return {
            "count": self.count[row : row + 1].copy(),
            "troubled": self.troubled[row].copy(),
            "time": self._time[row].copy(),
            "x": self._x[row].copy(),
            "raw": self._raw[row].copy(),
        }

    def load(self, row: int, state: Saved) -> None:
        """Take up what `dump` gave; ValueError when block length or sensors differ."""
        if state["x"].shape != self._x[row].shape or state["raw"].shape != self._raw[row].shape:
            raise ValueError(
                f"saved blocks are {state['x'].shape}, this class has {self._x[row].shape}: "
                "learning.block or the sensors were changed"
            )
        self.count[row] = state["count"][0]
        self.troubled[row] = state["troubled"]
        self._time[row] = state["time"]
        self._x[row] = state["x"]
        self._raw[row] = state["raw"]
