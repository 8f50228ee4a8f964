"""What is kept of each sensor to judge it: where checking and learning stand, and what was learned."""

from __future__ import annotations

from math import inf, nan
from typing import Annotated, NamedTuple

from detectors.batch import Bools, Floats, Ints
from detectors.table import Column

#: The faults, by their places in `detectors.quality.Fault`; those of one sensor have them in ``faulty`` too.
STUCK, DROPOUT, SPIKES, SATURATED, DRIFT, GAP, FROZEN = range(7)

#: A fault that begins or ends: reading, sensor (-1 = all, -2 = several), kind, whether it begins, its onset
#: (ms), and for how many readings (a gap: ms) it has been.
Told = tuple[int, int, int, int, int, int]

SEVERAL = -2

_EACH, _FAULTS = ("width",), (GAP, "width")


class Sensors(NamedTuple):
    """Columns of `detectors.quality.quality.FleetQuality`; a row a machine, times in ms."""

    # where checking stands
    last: Annotated[Floats, Column(_EACH, nan)]  # the latest value …
    before: Annotated[Floats, Column(_EACH, nan)]  # … and the one before it
    run: Annotated[Ints, Column(_EACH, 0)]  # values in a row that were the latest
    since: Annotated[Ints, Column(_EACH, 0)]  # time of the first of them
    missing: Annotated[Ints, Column(_EACH, 0)]  # readings since the latest value
    missing_since: Annotated[Ints, Column(_EACH, 0)]
    spiking: Annotated[Floats, Column(_EACH, 0.0)]  # share of spikes, lately
    missed: Annotated[Floats, Column(_EACH, 0.0)]  # share of missing values, lately
    at_rail: Annotated[Ints, Column(_EACH, 0)]  # readings in a row at an end of the measuring range
    time: Annotated[Ints, Column((), -1)]  # of the latest reading
    rested: Annotated[Ints, Column(_EACH, 0)]  # the longest run that was called stuck and ended …
    paused: Annotated[Floats, Column((), 0.0)]  # … and the longest gap, until they are learned from
    faulty: Annotated[Bools, Column(_FAULTS, False)]
    onset: Annotated[Ints, Column(_FAULTS, 0)]
    gap: Annotated[Bools, Column((), False)]
    gap_onset: Annotated[Ints, Column((), 0)]
    # what was learned
    pairs: Annotated[Floats, Column(_EACH, 0.0)]  # values with one before them …
    repeats: Annotated[Floats, Column(_EACH, 0.0)]  # … that was the same
    longest: Annotated[Ints, Column(_EACH, 0)]  # run
    readings: Annotated[Floats, Column((), 0.0)]
    absent: Annotated[Floats, Column(_EACH, 0.0)]  # readings without a value
    longest_absence: Annotated[Ints, Column(_EACH, 0)]
    step: Annotated[Floats, Column(_EACH, 0.0)]  # the largest, from one value to the next
    lowest: Annotated[Floats, Column(_EACH, inf)]
    highest: Annotated[Floats, Column(_EACH, -inf)]
    pace: Annotated[Floats, Column((), 0.0)]  # mean of 1/dt, dt being the time from reading to reading …
    pace_weight: Annotated[Floats, Column((), 0.0)]  # … divided by this
    longest_dt: Annotated[Floats, Column((), 0.0)]
    # where learning stands
    learned_last: Annotated[Floats, Column(_EACH, nan)]
    learned_run: Annotated[Ints, Column(_EACH, 0)]
    learned_missing: Annotated[Ints, Column(_EACH, 0)]
    learned_time: Annotated[Ints, Column((), -1)]
