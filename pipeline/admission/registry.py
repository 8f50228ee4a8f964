"""What the pipeline knows of each machine, apart from its models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from detectors.batch import Bools
from pipeline.admission.order import EventOrder
from pipeline.layout import Layout, align, union
from pipeline.learning.feedback import REMEMBERED
from pipeline.monitor import Monitor
from pipeline.records import AlarmEvent, AlarmPhase, Floats, Ints, Results, Verdict


@dataclass(slots=True)
class WarmUp:
    """Readings collected until a model can begin: ``time`` (n,), ``x`` (n, k) in the order of ``layout``."""

    layout: Layout = ()
    time: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    x: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __len__(self) -> int:
        return int(self.time.shape[0])

    def add(self, time: Ints, sensors: Layout, values: Floats) -> None:
        """Append readings; sensors that are new here were missing before."""
        if not set(sensors) <= set(self.layout):
            wider = union(self.layout, sensors)
            self.x = align(self.x, self.layout, wider)
            self.layout = wider
        self.time = np.concatenate((self.time, time))
        self.x = np.concatenate((self.x, align(values, sensors, self.layout)))

    def seen(self) -> tuple[Layout, Floats]:
        """The sensors that gave a value at least once, and their readings."""
        there: Bools = np.asarray(np.isfinite(self.x).any(axis=0))
        layout = tuple(name for name, seen in zip(self.layout, there, strict=True) if seen)
        return layout, np.ascontiguousarray(self.x[:, there])


@dataclass(slots=True)
class Machine:
    """One machine: where its event time and its topic stand, and which model watches it.

    ``monitor`` is None until the first warm-up is over. ``warmup`` is then None, unless a sensor has
    appeared: it collects readings for a model of the wider layout while the old model goes on.
    ``open`` are its alarms that have been raised and not cleared, by alarm id. ``known`` are the sensors
    that were admitted so far: not those that a model watches, which trail behind within a batch.
    ``verdicts`` wait for the first model.
    """

    name: str
    machine_class: str
    order: EventOrder = field(default_factory=EventOrder)
    applied: int = -1
    partition: int = -1
    monitor: Monitor | None = None
    row: int = -1
    warmup: WarmUp | None = field(default_factory=WarmUp)
    open: dict[str, AlarmEvent] = field(default_factory=dict)
    cold: bool = False  # nothing of its class's prior fits it: it warms up in full
    known: Layout = ()
    verdicts: tuple[Verdict, ...] = ()

    def keep(self, verdict: Verdict) -> bool:
        """Keep ``verdict`` for the first model (the latest `REMEMBERED`); False when it is kept already."""
        if any(one.id == verdict.id for one in self.verdicts):
            return False
        self.verdicts = (*self.verdicts, verdict)[-REMEMBERED:]
        return True

    def record(self, event: AlarmEvent, results: Results) -> None:
        """Add an alarm's begin or end to ``results``, and remember whether it is open."""
        if self.monitor is not None:
            event = replace(event, criticality=self.monitor.settings.criticality)
        if event.phase is AlarmPhase.RAISED:
            self.open[event.id] = event
        else:
            self.open.pop(event.id, None)
        results.alarms.append(event)

    def clear(self, event: AlarmEvent, time: int, results: Results) -> None:
        """Record that an open alarm has ended at ``time`` (ms UTC)."""
        self.record(replace(event, phase=AlarmPhase.CLEARED, time=time), results)

    @property
    def layout(self) -> Layout:
        """The sensors that the running model watches."""
        return self.monitor.sensors if self.monitor is not None else ()


class Registry:
    """The machines that are watched, by name, and which of them have changed since they were last saved."""

    def __init__(self) -> None:
        self._by_name: dict[str, Machine] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Machine:
        return self._by_name[name]

    def get(self, name: str) -> Machine | None:
        """The machine of that name; None = it is not watched."""
        return self._by_name.get(name)

    def add(self, machine: Machine) -> None:
        """Watch ``machine``, in place of one of its name."""
        self._by_name[machine.name] = machine

    def remove(self, name: str) -> Machine | None:
        """Watch the machine no longer; returns it, None = it was not watched."""
        self._changed.discard(name)
        return self._by_name.pop(name, None)

    def touch(self, name: str) -> None:
        """The machine has changed since it was last saved."""
        self._changed.add(name)

    def settle(self, name: str) -> None:
        """The machine is saved as it is now."""
        self._changed.discard(name)

    def changed(self) -> list[str]:
        """Names of the machines that changed since they were last saved, sorted."""
        return sorted(self._changed)
