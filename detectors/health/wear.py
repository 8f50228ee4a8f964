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
    """Slow reference of machines with ``width`` sensors; `update` returns each one's distance from it."""

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
    means = np.empty(x.shape[1])  # of the block that is closed
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
                _close(of, row, time[i], means)
                largest = of.distance[row].max()
            distance[i] = largest


@compiled
def _close(of: _Wear, row: int, time: int, means: Floats) -> None:
    """The block of ``row`` is complete."""
    sums, squares, numbers, slow = of.sum[row], of.square[row], of.number[row], of.slow[row]
    its_sum, its_square, its_number = (
        of.reference_sum[row],
        of.reference_square[row],
        of.reference_number[row],
    )
    healthy = not of.alarmed[row]
    means[:] = np.nan
    for column in range(len(means)):
        if numbers[column] < BLOCK // 2:
            continue
        mean = sums[column] / numbers[column]
        slow[column] = mean if np.isnan(slow[column]) else slow[column] + _FOLLOW * (mean - slow[column])
        if healthy:
            means[column] = mean
        if healthy and its_number[column] < BLOCK * _COMMISSIONING:
            its_sum[column] += sums[column]
            its_square[column] += squares[column]
            its_number[column] += numbers[column]
    of.blocks[row] += 1
    _wander(of, row, means)
    _measure(of, row, time)
    sums[:] = squares[:] = numbers[:] = 0.0
    of.position[row] = 0
    of.alarmed[row] = False


@compiled
def _wander(of: _Wear, row: int, means: Floats) -> None:
    """Put a block's ``means`` (k,) into the variances, level by level. ``means`` is used up."""
    lasts, befores, sums, numbers = (
        of.level_last[row],
        of.level_before[row],
        of.level_sum[row],
        of.level_number[row],
    )
    allan, allan_number = of.allan[row], of.allan_number[row]
    hadamard, hadamard_number = of.hadamard[row], of.hadamard_number[row]
    for level in range(LEVELS):
        done = of.blocks[row] % _STEP ** (level + 1) == 0 and level < LEVELS - 1
        for column in range(len(means)):
            mean, last, before = means[column], lasts[level, column], befores[level, column]
            first, second = mean - last, mean - 2.0 * last + before
            _differ(allan, allan_number, level, column, first * first / 2.0)
            _differ(hadamard, hadamard_number, level, column, second * second / 6.0)
            befores[level, column], lasts[level, column] = last, mean
            if not np.isnan(mean):
                sums[level, column] += mean
                numbers[level, column] += 1.0
            if done:
                number = numbers[level, column]
                means[column] = sums[level, column] / number if number >= _STEP // 2 else np.nan
                sums[level, column] = numbers[level, column] = 0.0
        if not done:
            return


@compiled
def _differ(total: Floats, number: Floats, level: int, column: int, square: float) -> None:
    """Add the square of a difference, if there is one, to a variance."""
    if np.isnan(square):
        return
    known = number[level, column]
    if known >= _LEAST:  # one jump (a repair, a fault) is not how far the sensor wanders day by day
        square = min(square, _BOUND * total[level, column] / known)
    total[level, column] += square
    number[level, column] += 1.0


@compiled
def _measure(of: _Wear, row: int, time: int) -> None:
    """|Slow mean − reference| of each sensor, in the standard deviations that its age allows."""
    sums, squares, numbers = of.reference_sum[row], of.reference_square[row], of.reference_number[row]
    slow, distances, blocks = of.slow[row], of.distance[row], of.blocks[row]
    settled = blocks >= _SETTLED and time - of.started[row] >= _SETTLED_MS
    total, number, steepest = of.allan[row], of.allan_number[row], 2.0
    if settled:
        total, number, steepest = of.hadamard[row], of.hadamard_number[row], 1.0
    for column in range(len(distances)):
        distances[column] = 0.0
        known = numbers[column]
        if known >= BLOCK * _COMMISSIONING:
            reference = sums[column] / known
            noise = max(0.0, squares[column] / known - reference * reference)
            tolerance = noise + _wandered(total, number, column, blocks, steepest)
            distance = abs(slow[column] - reference) / np.sqrt(tolerance)
            if tolerance > 0.0 and np.isfinite(distance):
                distances[column] = distance


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
