"""The range that a machine's sensors usually keep, from the readings before a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from connectors.base.history import History, MachineNow
from pipeline.assessment import HEALTH_PLAN
from pipeline.records import State

#: sensor → (low, high)
UsualRange = Mapping[str, tuple[float, float]]

_WEEK = 7 * 86_400_000
#: The stretches that a week is looked at in, and how many of them have to be normal.
_STRETCHES, _ENOUGH = 400, 40
#: Per cent of the stretches' least and greatest values that lie within.
_LOW, _HIGH = 5.0, 95.0


def usual_range(history: History, machine: MachineNow, before: int) -> UsualRange:
    """Where 90 % of what is unsuspicious lies: of the week before, else of the machine's first week.

    The week is looked at in 400 stretches, those in which every reading was normal and health is good count;
    the range runs from the 5th percentile of their least values to the 95th of their greatest. A sensor
    without values in 40 of them is left out.
    """
    for start, end in ((before - _WEEK, before), (machine.first, machine.first + _WEEK)):
        found = _range_of(history, machine, max(machine.first, start), min(machine.last, end))
        if found:
            return found
    return {}


def _range_of(history: History, machine: MachineNow, start: int, end: int) -> dict[str, tuple[float, float]]:
    if end <= start:
        return {}
    series = history.series(machine.machine, start, end, _STRETCHES)
    healthy = np.isnan(series.health) | (series.health >= HEALTH_PLAN)
    good = (series.state == State.NORMAL) & healthy
    found = {}
    for column, sensor in enumerate(series.sensors):
        low, high = series.low[good, column], series.high[good, column]
        low, high = low[np.isfinite(low)], high[np.isfinite(high)]
        if len(low) >= _ENOUGH:
            found[sensor] = (float(np.percentile(low, _LOW)), float(np.percentile(high, _HIGH)))
    return found
