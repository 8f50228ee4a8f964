"""The slow reference: how far a machine's sensors have gone from where they were at commissioning.

The fast models follow a slow change and so take creeping wear for normal; this reference does not follow.
What it must not do is take a warm afternoon or a wandering sensor for wear. So each sensor's wandering is
measured while it is watched, on its means over 32, 256, 2048, … readings: the variance of their first
differences (Allan 1966) takes any change for wandering, that of their second differences (Hadamard; Baugh
1971) leaves steady drift out. The first counts until the machine was seen for two days; from then on,
what goes one way and stays is wear.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.sums import add_in_order
from detectors.table import Column, FleetTable

BLOCK = 32
LEVELS = 6
_STEP = 8  # blocks of one level to a block of the next
_COMMISSIONING = 8  # blocks that make the reference
_SETTLED = 256  # blocks …
_SETTLED_MS = 2 * 86_400_000  # … and time until steady drift counts as wear
_LEAST = 6.0  # differences before a level is believed
_BOUND = 9.0  # times its usual square counts a difference at most
_FOLLOW = 0.125  # weight of a block in the slow mean


class FleetWear(FleetTable):
    """Slow reference of machines with ``width`` sensors; `update` gives each one's distance from it."""

    def __init__(self, width: int) -> None:
        nan = float("nan")
        each, levels = (width,), (LEVELS, width)
        super().__init__(
            {
                "position": Column((), 0),  # readings in the running block
                "alarmed": Column((), False),
                "blocks": Column((), 0),
                "sum": Column(each, 0.0),
                "square": Column(each, 0.0),
                "number": Column(each, 0.0),
                "started": Column((), -1),
                # levels: the running mean of means, the last two, and variances of differences
                "level_sum": Column(levels, 0.0),
                "level_number": Column(levels, 0.0),
                "level_last": Column(levels, nan),
                "level_before": Column(levels, nan),
                "allan": Column(levels, 0.0),
                "allan_number": Column(levels, 0.0),
                "hadamard": Column(levels, 0.0),
                "hadamard_number": Column(levels, 0.0),
                # reference
                "origin": Column(each, nan),  # the first value: squares are taken about it
                "reference_sum": Column(each, 0.0),
                "reference_square": Column(each, 0.0),
                "reference_number": Column(each, 0.0),
                "slow": Column(each, nan),
                "distance": Column(each, 0.0),
            }
        )
        self.width = width

    def update(self, batch: Batch, alarmed: Bools) -> Floats:
        """Take in readings; (n,) each machine's largest distance, in its sensors' tolerance, after each.

        ``alarmed`` (n,): blocks with such a reading teach nothing about healthy wandering.
        """
        into = self["position"][batch.row_of] + batch.step_of
        turn = into // BLOCK
        distance = np.empty(len(batch))
        for number in range(int(turn.max(initial=-1)) + 1):
            here = turn == number
            part = batch.select(here)
            self._add(part, alarmed[here])
            rows = part.rows[part.counts > 0]
            full = self["position"][rows] >= BLOCK
            last = np.zeros(len(part), dtype=bool)
            last[(part.starts + part.counts - 1)[part.counts > 0][full]] = True
            column_of, before = part.column_of, self._largest(part.rows)
            self._close(rows[full], part.time[last])
            distance[here] = np.where(last, self._largest(part.rows)[column_of], before[column_of])
        return distance

    def _largest(self, rows: Ints) -> Floats:
        found: Floats = self["distance"][rows].max(axis=1, initial=0.0)
        return found

    def _add(self, part: Batch, alarmed: Bools) -> None:
        row_of, x = part.row_of, part.x
        started = self["started"][part.rows]
        first_time = part.time[np.minimum(part.starts, max(len(part) - 1, 0))] if len(part) else started
        self["started"][part.rows] = np.where((started < 0) & (part.counts > 0), first_time, started)
        known = ~np.isnan(x)
        origin = self["origin"]
        rows = part.rows[part.counts > 0]
        if np.isnan(origin[rows]).any() and len(rows):
            index = np.where(known, np.arange(len(part))[:, None], len(part))
            first = np.minimum.reduceat(index, part.starts[part.counts > 0], axis=0)
            value = x[np.minimum(first, len(part) - 1), np.arange(self.width)]
            new = np.isnan(origin[rows]) & (first < len(part))
            origin[rows] = np.where(new, value, origin[rows])
        value = np.where(known, x - origin[row_of], 0.0)
        # one after the other, so that any split of the batch gives the same bits
        before = np.concatenate([self["sum"][rows], self["square"][rows]], axis=1)
        some = part if len(rows) == len(part.rows) else part.busy
        sums = add_in_order(some, before, np.concatenate([value, value * value], axis=1))
        self["sum"][rows], self["square"][rows] = sums[:, : self.width], sums[:, self.width :]
        if len(rows):
            starts = part.starts[part.counts > 0]
            self["number"][rows] += np.add.reduceat(known, starts, axis=0, dtype=float)
        self["alarmed"][row_of[alarmed]] = True
        self["position"][part.rows] += part.counts

    def _close(self, rows: Ints, time: Ints) -> None:
        """A block of each of ``rows`` is complete."""
        if not len(rows):
            return
        number, enough = self["number"][rows], self["number"][rows] >= BLOCK // 2
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(enough, self["sum"][rows] / number, np.nan)
        healthy = ~self["alarmed"][rows]
        slow = self["slow"][rows]
        moved = np.where(np.isnan(slow), mean, slow + _FOLLOW * (mean - slow))
        self["slow"][rows] = np.where(np.isnan(mean), slow, moved)
        commissioning = (self["reference_number"][rows] < BLOCK * _COMMISSIONING) & healthy[:, None] & enough
        for name, source in (("sum", "sum"), ("square", "square"), ("number", "number")):
            self[f"reference_{name}"][rows] += np.where(commissioning, self[source][rows], 0.0)
        self["blocks"][rows] += 1
        self._wandering(rows, np.where(healthy[:, None], mean, np.nan))
        self["distance"][rows] = self._distances(rows, time)
        for name in ("sum", "square", "number", "position"):
            self[name][rows] = 0
        self["alarmed"][rows] = False

    def _wandering(self, rows: Ints, mean: Floats) -> None:
        """Put a block's mean (r, k) into the Allan variances, level by level."""
        blocks = self["blocks"][rows]
        for level in range(LEVELS):
            last, before = self["level_last"][rows, level], self["level_before"][rows, level]
            for name, square in (
                ("allan", (mean - last) ** 2 / 2.0),
                ("hadamard", (mean - 2.0 * last + before) ** 2 / 6.0),
            ):
                new = ~np.isnan(square)
                total, number = self[name][rows, level], self[f"{name}_number"][rows, level]
                # one jump (a repair, a fault) is not how far the sensor wanders day by day
                most = np.where(number >= _LEAST, _BOUND * total / np.maximum(number, 1.0), np.inf)
                self[name][rows, level] = total + np.where(new, np.minimum(square, most), 0.0)
                self[f"{name}_number"][rows, level] = number + new
            self["level_before"][rows, level] = last
            self["level_last"][rows, level] = mean
            known = ~np.isnan(mean)
            self["level_sum"][rows, level] += np.where(known, mean, 0.0)
            self["level_number"][rows, level] += known
            done = blocks % _STEP ** (level + 1) == 0
            rows, blocks = rows[done], blocks[done]
            if not len(rows) or level == LEVELS - 1:
                return
            number = self["level_number"][rows, level]
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(number >= _STEP // 2, self["level_sum"][rows, level] / number, np.nan)
            self["level_sum"][rows, level] = 0.0
            self["level_number"][rows, level] = 0.0

    def _distances(self, rows: Ints, time: Ints) -> Floats:
        """(r, k) |slow mean − reference| in the standard deviations that its age allows."""
        number, blocks = self["reference_number"][rows], self["blocks"][rows]
        settled = (blocks >= _SETTLED) & (time - self["started"][rows] >= _SETTLED_MS)
        wandering = np.where(
            settled[:, None],
            self._wandered(rows, "hadamard", blocks, 1.0),
            self._wandered(rows, "allan", blocks, 2.0),
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            reference = self["reference_sum"][rows] / number
            noise = np.maximum(0.0, self["reference_square"][rows] / number - reference * reference)
            tolerance = noise + wandering
            distance = np.abs(self["slow"][rows] - reference) / np.sqrt(tolerance)
        ready = (number >= BLOCK * _COMMISSIONING) & (tolerance > 0)
        return np.where(ready & np.isfinite(distance), distance, 0.0)

    def _wandered(self, rows: Ints, kind: str, blocks: Ints, steepest: float) -> Floats:
        """(r, k) the variance that wandering may have reached by now, in ``blocks`` blocks.

        The variance of the longest level that is believed, carried on to the machine's age with the
        growth that it had up to there; never more than by the power ``steepest`` (1 = random walk).
        """
        number = self[f"{kind}_number"][rows]
        believed = number >= _LEAST
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self[kind][rows] / number * (1.0 + 6.0 / number)  # of few, the cautious side
            top = np.maximum(0, believed.sum(axis=1) - 1)
            at_top = np.take_along_axis(variance, top[:, None], axis=1)[:, 0]
            below = np.take_along_axis(variance, np.maximum(top - 1, 0)[:, None], axis=1)[:, 0]
            known = np.take_along_axis(number, top[:, None], axis=1)[:, 0]
            growth = np.log(at_top / below) / np.log(_STEP) + 2.0 / np.sqrt(known)  # the cautious side
            growth = np.where(top > 0, growth, 1.0)
        # a sensor that wanders at all may go on as a random walk does
        growth = np.nan_to_num(growth, nan=1.0, posinf=2.0, neginf=0.0)
        growth = np.where(growth > 0.0, np.clip(growth, 1.0, steepest), 0.0)
        largest: Floats = np.max(np.where(believed, variance, 0.0), axis=1)
        age = np.maximum(1.0, blocks[:, None] / (2.0 * float(_STEP) ** top))
        return np.where(believed[:, 0], largest * age**growth, np.nan)
