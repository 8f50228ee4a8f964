"""A machine's event time and the rows that wait, as arrays for its snapshot and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.admission.order import EventOrder
from pipeline.admission.rows import stacked
from pipeline.layout import Layout
from pipeline.records import Frame

#: By name: the columns that arrays of that name are laid out in.
Layouts = dict[str, Layout]
Arrays = dict[str, NDArray[Any]]


def dump_order(order: EventOrder) -> tuple[Layouts, Arrays]:
    """Everything of ``order``; the arrays own their memory."""
    layouts: Layouts = {"recent": order.recent.layout, "grid": order.grid.layout}
    arrays: Arrays = {
        "stands": np.array(
            [order.last, order.watermark, order.top, order.arrived, order.contradicted, order.mixed],
            dtype=np.int64,
        ),
        "pace": np.array([order.pace]),
        "held_alone": np.array(order.held_alone, dtype=np.int64),
        "recent.time": order.recent.time.copy(),
        "recent.there": order.recent.there.copy(),
        "grid.last": order.grid.last.copy(),
        "grid.period": order.grid.period.copy(),
        "grid.seen": order.grid.seen.copy(),
    }
    if order.first_layout is not None:
        layouts["first"] = tuple(sorted(order.first_layout))
    if order.waiting:
        _dump_rows("waiting", stacked(order.waiting), layouts, arrays)
    if order.held is not None:
        _dump_rows("held", order.held, layouts, arrays)
    return layouts, arrays


def _dump_rows(name: str, rows: Frame, layouts: Layouts, arrays: Arrays) -> None:
    layouts[name] = rows.sensors
    arrays[f"{name}.time"], arrays[f"{name}.x"] = rows.time.copy(), rows.values.copy()
    if rows.uncertain is not None:
        arrays[f"{name}.uncertain"] = rows.uncertain.copy()


def load_order(machine: str, layouts: Layouts, arrays: Arrays) -> EventOrder:
    """What `dump_order` returned, taken up. Raises KeyError or ValueError when something is missing."""
    order = EventOrder()
    order.last, order.watermark, order.top, order.arrived, order.contradicted, mixed = arrays[
        "stands"
    ].tolist()
    order.mixed, order.pace = bool(mixed), float(arrays["pace"][0])
    order.held_alone = arrays["held_alone"].tolist()
    recent, grid = order.recent, order.grid
    recent.layout, recent.time, recent.there = (
        layouts["recent"],
        arrays["recent.time"],
        arrays["recent.there"],
    )
    grid.layout = layouts["grid"]
    grid.last, grid.period, grid.seen = arrays["grid.last"], arrays["grid.period"], arrays["grid.seen"]
    if "first" in layouts:
        order.first_layout = frozenset(layouts["first"])
    waiting = _load_rows("waiting", machine, layouts, arrays)
    order.waiting = [] if waiting is None else [waiting]
    order.held = _load_rows("held", machine, layouts, arrays)
    return order


def _load_rows(name: str, machine: str, layouts: Layouts, arrays: Arrays) -> Frame | None:
    if name not in layouts:
        return None
    return Frame(
        machine, arrays[f"{name}.time"], layouts[name], arrays[f"{name}.x"], arrays.get(f"{name}.uncertain")
    )
