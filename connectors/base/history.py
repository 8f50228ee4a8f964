"""The read side of the stores: what a page asks for, whatever the results were written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.records import AlarmEvent, Floats, Ints, Prognosis, Reason, State


class HistoryUnavailableError(Exception):
    """The store cannot be read now; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNow:
    """How a machine stands at its latest reading (``last``; event times in ms UTC).

    ``score`` and ``health`` are None while the model cannot say yet.
    """

    machine: str
    machine_class: str
    first: int
    last: int
    state: State
    score: float | None
    health: float | None
    open_alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A machine's readings of ``start`` .. ``end`` in m buckets of ``step`` ms.

    ``step`` 0 = the readings themselves. ``time`` (m,) is when each bucket begins; buckets that hold no
    reading are left out. ``low``, ``mean``, ``high`` (m, k) in the order of ``sensors``; ``score`` (m,) is
    the bucket's highest, ``health`` (m,) its mean, ``state`` (m,) its worst, ``count`` (m,) its readings.
    NaN = missing.
    """

    machine: str
    start: int
    end: int
    step: int
    sensors: tuple[str, ...]
    time: Ints
    low: Floats
    mean: Floats
    high: Floats
    score: Floats
    health: Floats
    state: NDArray[np.uint8]
    count: Ints

    def __len__(self) -> int:
        return int(self.time.shape[0])


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as a whole: ``event`` as it was raised, and when and how it ended (None = open).

    Where only the end is known (the beginning was removed as too old), ``event`` is the end.
    """

    event: AlarmEvent
    cleared: AlarmEvent | None

    @property
    def open(self) -> bool:
        """Whether its condition is still there."""
        return self.cleared is None

    @property
    def peak(self) -> float:
        """The highest score of the episode, as far as known."""
        return max(self.event.score, self.cleared.score if self.cleared else 0.0)


@dataclass(frozen=True, slots=True)
class RejectedInput:
    """One rejection. ``size`` is that of the whole original; ``original`` its beginning."""

    received: int
    reason: Reason
    detail: str
    machine: str | None
    sensor: str | None
    readings: int
    topic: str
    partition: int
    offset: int
    size: int
    original: bytes


@dataclass(frozen=True, slots=True)
class RejectedCount:
    """How often there was one reason: ``count`` rejections, ``latest`` when (arrival, ms UTC)."""

    reason: Reason
    count: int
    readings: int
    latest: int


class History(Protocol):
    """Reads what was written. Safe to call from several threads. Raises `HistoryUnavailableError`."""

    def version(self) -> object:
        """Changes (compares unequal) when anything was written since. Cheap: asked every second."""

    def fleet(self) -> list[MachineNow]:
        """Every machine, by name."""

    def machine(self, machine: str) -> MachineNow | None:
        """One machine; None = never seen."""

    def trends(self, machines: Sequence[str], points: int = 48) -> Mapping[str, Floats]:
        """Each machine's recent health, oldest first, in at most ``points`` steps: for a glance.

        How far back it goes is the store's business. A machine without health is left out.
        """

    def series(self, machine: str, start: int, end: int, points: int = 600) -> Series:
        """The readings with start <= time <= end in about ``points`` buckets; empty = none."""

    def alarms(
        self,
        *,
        open: bool | None = None,
        machine: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 100,
    ) -> list[Alarm]:
        """Alarms, newest onset first.

        ``open`` True = only those whose condition is still there, False = only past ones. ``start`` and
        ``end`` give those that were there at some time of start .. end.
        """

    def alarm(self, id: str) -> Alarm | None:
        """One alarm; None = unknown."""

    def prognosis(self, machine: str) -> Prognosis | None:
        """The latest prognosis of a machine."""

    def prognoses(self, machine: str, start: int, end: int, limit: int = 500) -> list[Prognosis]:
        """The prognoses made from ``start`` to ``end`` (event time), oldest first; the latest ``limit``."""

    def rejections(self, limit: int = 100) -> list[RejectedInput]:
        """The latest rejections, newest first."""

    def rejection_counts(self) -> list[RejectedCount]:
        """How often there was each reason, most frequent first."""

    def close(self) -> None:
        """Let go of files and connections."""
