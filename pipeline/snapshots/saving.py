"""A machine to bytes and back: what the pipeline knows of it, and its model's state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.admission.order import EventOrder
from pipeline.admission.registry import Machine, WarmUp
from pipeline.admission.saving import dump_order, load_order
from pipeline.layout import Layout, union
from pipeline.monitor import Monitor
from pipeline.settings import PipelineSettings
from pipeline.snapshots.snapshot import Snapshot, SnapshotError, WaitingReadings, pack


def saved(machine: Machine) -> bytes:
    """The machine's whole state."""
    waiting = machine.warmup
    layouts, arrays = dump_order(machine.order)
    return pack(
        Snapshot(
            machine=machine.name,
            machine_class=machine.machine_class,
            partition=machine.partition,
            offset=machine.applied,
            last=machine.order.last,
            recent=machine.order.recent.time,
            order=arrays,
            order_layouts=layouts,
            layout=machine.layout,
            stages={} if machine.monitor is None else machine.monitor.dump(machine.row),
            warmup=None if waiting is None else WaitingReadings(waiting.layout, waiting.time, waiting.x),
            open=tuple(machine.open.values()),
            verdicts=machine.verdicts,
            units={} if machine.monitor is None else machine.monitor.units,
        )
    )


def restored(
    snapshot: Snapshot, settings: PipelineSettings, monitor_for: Callable[[str, str, Layout], Monitor]
) -> tuple[Machine, str]:
    """The machine as `saved` left it, in a row of its class and layout's monitor.

    When its model does not fit the settings any more (other detectors), it learns again, and the text says
    why; else that is empty. A class by another name, or other limits, leave it its model. Raises
    `SnapshotError` for one with neither a model nor a warm-up.
    """
    machine_class = settings.class_of(snapshot.machine) or next(reversed(settings.classes))
    machine = Machine(snapshot.machine, machine_class, _order(snapshot), snapshot.offset)
    machine.partition = snapshot.partition
    waiting = snapshot.warmup
    machine.warmup = None if waiting is None else WarmUp(waiting.layout, waiting.time, waiting.x)
    machine.known = union(snapshot.layout, waiting.layout if waiting else ())
    for layout in snapshot.order_layouts.values():
        machine.known = union(machine.known, layout)
    machine.open = {event.id: event for event in snapshot.open}
    machine.verdicts = snapshot.verdicts
    if not snapshot.layout:
        if machine.warmup is None:
            raise SnapshotError(f"{machine.name}: the snapshot holds neither a model nor a warm-up.")
        return machine, ""
    monitor = monitor_for(machine.name, machine_class, snapshot.layout)
    try:
        if monitor.units != snapshot.units:
            raise ValueError("its values come in other units now")
        machine.row = monitor.adopt_saved(machine.name, snapshot.stages)
    except (KeyError, ValueError) as error:
        machine.warmup = WarmUp()
        return machine, f"{type(error).__name__}: {error}"
    machine.monitor = monitor
    return machine, ""


def _order(snapshot: Snapshot) -> EventOrder:
    """Where the machine's event time stands; raises `SnapshotError` when what is saved of it is not whole."""
    if snapshot.order:
        try:
            return load_order(snapshot.machine, snapshot.order_layouts, snapshot.order)
        except (KeyError, ValueError) as error:
            raise SnapshotError(f"{snapshot.machine}: its event time cannot be read: {error!r}.") from error
    order = EventOrder(snapshot.last, snapshot.last, snapshot.last)  # from before rows waited
    order.recent.time = snapshot.recent
    order.recent.there = np.zeros((len(snapshot.recent), 0), dtype=np.bool_)
    return order
