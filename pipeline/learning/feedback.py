"""What a crew's verdict teaches the models: which withheld readings were healthy after all, and which never.

==============  ============================================  =========================================
verdict         readings that were withheld from learning     from then on
==============  ============================================  =========================================
false alarm     are learned as healthy                        the machine alarms less readily, bounded
fault           are forgotten                                 as readily as before: the alarm was right
planned work    are forgotten; those to come until its end    nothing changes
                are not learned either
sensor fault    are learned without that sensor               nothing changes: the machine was healthy
==============  ============================================  =========================================

Readings in an alarm are withheld, up to `MOST` a machine: when more come, every other one is kept. A verdict
is known by its id, and taking it twice changes nothing. How far the sensitivity can go is
`detectors.decision.budget.FleetBudget`'s business.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState
from detectors.base import State as Saved
from detectors.batch import Batch, Bools, Floats
from pipeline.records import State, Verdict, VerdictKind

#: This many readings of one machine wait for a verdict at most.
MOST = 256
#: Ids of verdicts that are kept per machine, so that one that comes again is known.
REMEMBERED = 64
_SPANS = 16
_ALARM = np.uint8(State.ALARM)


@dataclass(slots=True)
class _Row:
    """What is kept of one machine: withheld readings, spans of planned work, and verdicts taken."""

    time: list[int] = field(default_factory=list)
    x: list[Floats] = field(default_factory=list)
    raw: list[Floats] = field(default_factory=list)
    stride: int = 1
    count: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not self.time and not self.spans and not self.taken


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be done: learn ``batch`` (None = nothing) with its raw scores (n, d; None = unknown).

    ``distrust`` is a span whose readings must not be learned; ``sensitivity`` is -1 (alarm less readily),
    +1 (the alarm was right) or 0.
    """

    batch: Batch | None = None
    raw: Floats | None = None
    distrust: tuple[int, int] | None = None
    sensitivity: int = 0


class FleetFeedback(FleetState):
    """Withheld readings of the machines of one layout; only machines with alarms or verdicts take room."""

    def __init__(self, width: int, detectors: int) -> None:
        self.width, self.detectors = width, detectors
        self._rows: dict[int, _Row] = {}
        self._at_work: set[int] = set()  # rows with spans of planned work

    def withhold(self, batch: Batch, raw: Floats, state: NDArray[np.uint8]) -> None:
        """Keep the readings in alarm, with their raw scores (n, d)."""
        for index in np.flatnonzero(state == _ALARM).tolist():
            kept = self._rows.setdefault(int(batch.row_of[index]), _Row())
            if kept.count % kept.stride == 0:
                kept.time.append(int(batch.time[index]))
                kept.x.append(batch.x[index].copy())
                kept.raw.append(raw[index].copy())
                if len(kept.time) == MOST:
                    del kept.time[1::2], kept.x[1::2], kept.raw[1::2]
                    kept.stride *= 2
            kept.count += 1

    def planned(self, batch: Batch) -> Bools | None:
        """(n,) which readings fall in planned work; None = there is none."""
        if self._at_work.isdisjoint(batch.rows.tolist()):
            return None
        found = np.zeros(len(batch), dtype=bool)
        for row in self._at_work:
            mine = batch.row_of == row
            for start, end in self._rows[row].spans:
                found |= mine & (batch.time >= start) & (batch.time <= end)
        return found

    def apply(self, row: int, verdict: Verdict, sensors: tuple[str, ...]) -> Lesson | None:
        """What ``verdict`` on the machine of ``row`` teaches; None when it was taken before."""
        kept = self._rows.setdefault(row, _Row())
        id = uuid.uuid5(uuid.NAMESPACE_OID, verdict.id).bytes
        if id in kept.taken:
            return None
        kept.taken = [*kept.taken, id][-REMEMBERED:]
        inside = [k for k, time in enumerate(kept.time) if verdict.start <= time <= verdict.end]
        lesson = self._lesson(row, kept, inside, verdict, sensors)
        gone = set(inside)
        for name in ("time", "x", "raw"):
            values = getattr(kept, name)
            setattr(kept, name, [one for k, one in enumerate(values) if k not in gone])
        if not kept.time:
            kept.stride, kept.count = 1, 0
        return lesson

    def _lesson(
        self, row: int, kept: _Row, inside: list[int], verdict: Verdict, sensors: tuple[str, ...]
    ) -> Lesson:
        span = verdict.start, verdict.end
        if verdict.kind is VerdictKind.FAULT:
            return Lesson(distrust=span, sensitivity=1)
        if verdict.kind is VerdictKind.PLANNED_WORK:
            kept.spans = [*kept.spans, span][-_SPANS:]
            self._at_work.add(row)
            return Lesson(distrust=span)
        sensitivity = -1 if verdict.kind is VerdictKind.FALSE_ALARM else 0
        if not inside:
            return Lesson(sensitivity=sensitivity)
        time = np.array([kept.time[k] for k in inside], dtype=np.int64)
        x = np.stack([kept.x[k] for k in inside])
        batch = Batch(np.array([row]), np.array([len(inside)]), time, x)
        if verdict.kind is VerdictKind.FALSE_ALARM:
            return Lesson(batch, np.stack([kept.raw[k] for k in inside]), sensitivity=sensitivity)
        if verdict.sensor in sensors:
            x[:, sensors.index(verdict.sensor)] = np.nan
            return Lesson(batch)  # its raw scores were of readings with the faulty sensor
        return Lesson()

    def resize(self, capacity: int) -> None:
        """Rows take room only when there is something to keep."""

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``."""
        self._rows.pop(row, None)
        self._at_work.discard(row)

    def dump(self, row: int) -> Saved:
        """Everything that is kept of ``row``; nothing for most machines."""
        kept = self._rows.get(row)
        if kept is None or kept.empty:
            return {}
        return {
            "time": np.array(kept.time, dtype=np.int64),
            "x": np.array(kept.x).reshape(-1, self.width),
            "raw": np.array(kept.raw).reshape(-1, self.detectors),
            "stride": np.array([kept.stride, kept.count]),
            "spans": np.array(kept.spans, dtype=np.int64).reshape(-1, 2),
            "taken": np.frombuffer(b"".join(kept.taken), dtype=np.uint8).reshape(-1, 16).copy(),
        }

    def load(self, row: int, state: Saved) -> None:
        """Take up what `dump` gave; ValueError when sensors or detectors differ."""
        self.reset(row, 0)
        if not state:
            return
        if state["x"].shape[1] != self.width or state["raw"].shape[1] != self.detectors:
            raise ValueError(f"withheld readings of {state['x'].shape[1]} sensors do not fit {self.width}")
        stride, count = state["stride"].tolist()
        self._rows[row] = _Row(
            state["time"].tolist(),
            list(state["x"].copy()),
            list(state["raw"].copy()),
            stride,
            count,
            [(start, end) for start, end in state["spans"].tolist()],
            [one.tobytes() for one in state["taken"]],
        )
        if len(state["spans"]):
            self._at_work.add(row)
