"""The slow reference: how far a machine's sensors have gone from where they were at commissioning.

The fast models follow a slow change and so take creeping wear for normal; this reference does not follow.
What it must not do is take a warm afternoon or a wandering sensor for wear. So each sensor's wandering is
measured while it is watched, on its means over 32, 256, 2048, … readings: the variance of their first
differences (Allan 1966) takes any change for wandering, that of their second differences (Hadamard; Baugh
1971) leaves steady drift out. The first counts until the machine was seen for two days; from then on,
what goes one way and stays is wear.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

BLOCK = 32
LEVELS = 6
_STEP = 8  # blocks of one level to a block of the next
_COMMISSIONING = 8  # blocks that make the reference
_SETTLED = 256  # blocks …
_SETTLED_MS = 2 * 86_400_000  # … and time until steady drift counts as wear
_LEAST = 6.0  # differences before a level is believed
_BOUND = 9.0  # times its usual square counts a difference at most
_FOLLOW = 0.125  # weight of a block in the slow mean
_LOG_STEP = math.log(_STEP)

_NAN = float("nan")
_LEVELS = (LEVELS, "width")


class _Wear(NamedTuple):
    position: Annotated[Ints, Column((), 0)]  # readings in the running block
    alarmed: Annotated[Bools, Column((), False)]
    blocks: Annotated[Ints, Column((), 0)]
    sum: Annotated[Floats, Column(("width",))]
    square: Annotated[Floats, Column(("width",))]
    number: Annotated[Floats, Column(("width",))]
    started: Annotated[Ints, Column((), -1)]
    # levels: the running mean of means, the last two, and variances of differences
    level_sum: Annotated[Floats, Column(_LEVELS)]
    level_number: Annotated[Floats, Column(_LEVELS)]
    level_last: Annotated[Floats, Column(_LEVELS, _NAN)]
    level_before: Annotated[Floats, Column(_LEVELS, _NAN)]
    allan: Annotated[Floats, Column(_LEVELS)]
    allan_number: Annotated[Floats, Column(_LEVELS)]
    hadamard: Annotated[Floats, Column(_LEVELS)]
    hadamard_number: Annotated[Floats, Column(_LEVELS)]
    # reference
    origin: Annotated[Floats, Column(("width",), _NAN)]  # the first value: squares are taken about it
    reference_sum: Annotated[Floats, Column(("width",))]
    reference_square: Annotated[Floats, Column(("width",))]
    reference_number: Annotated[Floats, Column(("width",))]
    slow: Annotated[Floats, Column(("width",), _NAN)]
    distance: Annotated[Floats, Column(("width",))]


class FleetWear(KernelTable[_Wear]):
    """Slow reference of machines with ``width`` sensors; `update` gives each one's distance from it."""

    def __init__(self, width: int) -> None:
        super().__init__(_Wear, width=width)

    def update(self, batch: Batch, alarmed: Bools) -> Floats:
        """Take in readings; (n,) each machine's largest distance, in its sensors' tolerance, after each.

        ``alarmed`` (n,): blocks with such a reading teach nothing about healthy wandering.
        """
        distance = np.empty(len(batch))
        _update(self.columns, batch.rows, batch.starts, batch.counts, batch.time, batch.x, alarmed, distance)
        return distance


@compiled
def _update(
    of: _Wear,
    rows: Ints,
    starts: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
    alarmed: Bools,
    distance: Floats,
) -> None:
    """Fill in ``distance`` (n,)."""
    position, started, troubled = of.position, of.started, of.alarmed
    origin, sums, squares, numbers = of.origin, of.sum, of.square, of.number
    for m in range(len(rows)):
        row = rows[m]
        largest = of.distance[row].max()
        for i in range(starts[m], starts[m] + counts[m]):
            if started[row] < 0:
                started[row] = time[i]
            for column in range(x.shape[1]):
                if np.isnan(x[i, column]):
                    continue
                if np.isnan(origin[row, column]):
                    origin[row, column] = x[i, column]
                value = x[i, column] - origin[row, column]
                sums[row, column] += value
                squares[row, column] += value * value
                numbers[row, column] += 1.0
            troubled[row] |= alarmed[i]
            position[row] += 1
            if position[row] == BLOCK:
                _close(of, row, time[i])
                largest = of.distance[row].max()
            distance[i] = largest


@compiled
def _close(of: _Wear, row: int, time: int) -> None:
    """The block of ``row`` is complete."""
    healthy = not of.alarmed[row]
    of.blocks[row] += 1
    settled = of.blocks[row] >= _SETTLED and time - of.started[row] >= _SETTLED_MS
    for column in range(of.sum.shape[1]):
        number, mean = of.number[row, column], np.nan
        if number >= BLOCK // 2:
            mean = of.sum[row, column] / number
            slow = of.slow[row, column]
            of.slow[row, column] = mean if np.isnan(slow) else slow + _FOLLOW * (mean - slow)
            if healthy and of.reference_number[row, column] < BLOCK * _COMMISSIONING:
                of.reference_sum[row, column] += of.sum[row, column]
                of.reference_square[row, column] += of.square[row, column]
                of.reference_number[row, column] += number
        _wander(of, row, column, mean if healthy else np.nan)
        of.distance[row, column] = _distance(of, row, column, settled)
        of.sum[row, column] = of.square[row, column] = of.number[row, column] = 0.0
    of.position[row] = 0
    of.alarmed[row] = False


@compiled
def _wander(of: _Wear, row: int, column: int, mean: float) -> None:
    """Put a block's mean into the variances, level by level."""
    for level in range(LEVELS):
        last, before = of.level_last[row, level, column], of.level_before[row, level, column]
        allan, hadamard = mean - last, mean - 2.0 * last + before
        _differ(of.allan[row, level], of.allan_number[row, level], column, allan * allan / 2.0)
        _differ(of.hadamard[row, level], of.hadamard_number[row, level], column, hadamard * hadamard / 6.0)
        of.level_before[row, level, column] = last
        of.level_last[row, level, column] = mean
        if not np.isnan(mean):
            of.level_sum[row, level, column] += mean
            of.level_number[row, level, column] += 1.0
        if of.blocks[row] % _STEP ** (level + 1) or level == LEVELS - 1:
            return
        number = of.level_number[row, level, column]
        mean = of.level_sum[row, level, column] / number if number >= _STEP // 2 else np.nan
        of.level_sum[row, level, column] = of.level_number[row, level, column] = 0.0


@compiled
def _differ(total: Floats, number: Floats, column: int, square: float) -> None:
    """Add the square of a difference, if there is one, to a variance."""
    if np.isnan(square):
        return
    if number[column] >= _LEAST:  # one jump (a repair, a fault) is not how far the sensor wanders day by day
        square = min(square, _BOUND * total[column] / number[column])
    total[column] += square
    number[column] += 1.0


@compiled
def _distance(of: _Wear, row: int, column: int, settled: bool) -> float:
    """|Slow mean − reference| in the standard deviations that its age allows."""
    number = of.reference_number[row, column]
    if number < BLOCK * _COMMISSIONING:
        return 0.0
    reference = of.reference_sum[row, column] / number
    noise = max(0.0, of.reference_square[row, column] / number - reference * reference)
    if settled:
        wandered = _wandered(of.hadamard[row], of.hadamard_number[row], column, of.blocks[row], 1.0)
    else:
        wandered = _wandered(of.allan[row], of.allan_number[row], column, of.blocks[row], 2.0)
    tolerance = noise + wandered
    distance = abs(of.slow[row, column] - reference) / np.sqrt(tolerance)
    return distance if tolerance > 0.0 and np.isfinite(distance) else 0.0


@compiled
def _wandered(total: Floats, number: Floats, column: int, blocks: int, steepest: float) -> float:
    """The variance that wandering may have reached by now, in ``blocks`` blocks; NaN = not known.

    The variance of the longest level that is believed, carried on to the machine's age with the
    growth that it had up to there; never more than by the power ``steepest`` (1 = random walk).
    """
    if number[0, column] < _LEAST:
        return np.nan
    top, largest = -1, 0.0
    for level in range(LEVELS):
        if number[level, column] >= _LEAST:
            top += 1
            largest = max(largest, _variance(total[level, column], number[level, column]))
    growth = 1.0
    if top > 0:
        at_top = _variance(total[top, column], number[top, column])
        below = _variance(total[top - 1, column], number[top - 1, column])
        growth = np.log(at_top / below) / _LOG_STEP + 2.0 / np.sqrt(number[top, column])
    if np.isnan(growth):
        growth = 1.0
    # a sensor that wanders at all may go on as a random walk does
    growth = min(max(growth, 1.0), steepest) if growth > 0.0 else 0.0
    age = max(1.0, blocks / (2.0 * float(_STEP) ** top))
    wandered: float = largest * age**growth
    return wandered


@compiled
def _variance(total: float, number: float) -> float:
    """The mean of ``number`` squares; of few, the cautious side."""
    return total / number * (1.0 + 6.0 / number)
