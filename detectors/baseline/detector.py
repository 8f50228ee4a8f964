"""Hotelling's T² of smoothed sensors from a baseline of accepted health, which faults cannot move.

T² on exponentially weighted means (Hotelling 1947; MEWMA: Lowry et al. 1992), with robust scales and shrunk
correlations. What is new is when it learns: it is armed early, fitted again as long as it grows, then fixed
(phases I and II of statistical process control, ISO 7870), and its threshold follows from how far healthy
blocks went.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Evidence, FleetDetector, RawScores, State
from detectors.baseline.learn import keep_young, learn
from detectors.baseline.score import score
from detectors.baseline.state import Growth, Models, Watch
from detectors.batch import Batch, Floats, Ints
from detectors.table import FleetTable, KernelTable

_DAY = 86_400_000


class FleetBaseline(FleetDetector):
    """Baselines of machines with ``width`` sensors.

    * Each sensor is smoothed over about ``smooth`` readings. A baseline has each one's median and scale (the
      largest of MAD, range of 95 %, half the deviation, and 1 % of the median), and their correlations,
      shrunk towards independence. The distance is T²/k; a sensor that never moved is no evidence.
    * The first is fitted with ``first`` readings, again with every √2 times as many, up to ``most`` or
      ``days``, and is fixed then. What alarms is not learned; nothing moves a fixed baseline.
    * Its threshold is how far the farthest healthy block of readings was, times 1 + 300 / n, or 1.5 times how
      far it was by the half of the rows that it is not in, whichever is more.
    * An excursion that ends by itself raises the threshold, within bounds, and for a time; what recurs at the
      same time of the day is tolerated then, within bounds.
    * What stands for two hours and does not grow becomes a baseline beside the others: a reading alarms only
      when it is far from all. The first one remains what health and ranking are measured by.
    * A machine seen for less than a day, of which about two thirds of the sensors go at once where they never
      were, has gone over to another operation: it is commissioned until two days were seen.

    The raw score is calibrated by itself: it is −ln(1 − score).
    """

    kind: ClassVar[str] = "baseline"
    exportable: ClassVar[bool] = True  # see `shared`
    loads_whole: ClassVar[bool] = True
    calibrated: ClassVar[bool] = True
    warmup: ClassVar[int] = 100

    def __init__(
        self, width: int, smooth: float = 3.0, first: int = 100, most: int = 10_000, days: float = 7.0
    ) -> None:
        super().__init__(width)
        if smooth < 1 or first < 20 or most < first or days <= 0:
            raise ValueError(
                f"baseline: smooth ({smooth}) must be at least 1, first ({first}) at least 20, most ({most}) "
                f"not under first, and days ({days}) above 0"
            )
        self.smooth, self.first, self.most, self.longest = float(smooth), first, most, round(days * _DAY)
        self._watch = KernelTable(Watch, k=width)
        self._models = KernelTable(Models, k=width)
        self._growth = KernelTable(Growth, k=width)
        self._tables: dict[str, FleetTable] = {
            "watch": self._watch,
            "models": self._models,
            "growth": self._growth,
        }

    def score(self, batch: Batch) -> RawScores:
        """How far each reading's smoothed sensors are from the nearest baseline, as −ln(1 − score)."""
        tables = (self._watch.columns, self._models.columns, self._growth.columns)
        x = np.ascontiguousarray(batch.x)
        return RawScores(*score(self.smooth, *tables, batch.rows, batch.counts, batch.time, x))

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy."""
        learn(
            self.smooth,
            self.first,
            self.most,
            self.longest,
            self._watch.columns,
            self._models.columns,
            self._growth.columns,
            batch.rows,
            batch.counts,
            batch.time,
            np.ascontiguousarray(batch.x),
        )

    def accept(self, row: int) -> None:
        """What is learned next is healthy: many readings are a baseline of their own, few join the latest."""
        self._growth["accepting"][row] = True

    def reject(self, row: int, since: int) -> None:
        """What was taken beside the first baseline since then was a fault: it is none any more."""
        if self._watch["moved"][row] < since:
            return
        models, growth = self._models.columns, self._growth.columns
        models.used[row] = min(int(models.used[row]), 1)
        if growth.place[row] > 0:
            growth.place[row], growth.done[row] = 0, True
        self._watch["standing"][row] = self._watch["over"][row] = 0
        self._close(row)

    def settle(self, row: int) -> None:
        """Where normal has moved, the latest baseline is the first from now on."""
        if self._watch["moved"][row] < 0:
            return
        models, growth = self._models.columns, self._growth.columns
        latest = int(models.used[row]) - 1
        if latest > 0:
            for column in (models.center, models.scale, models.whitener, models.levels):
                column[row, [0, latest]] = column[row, [latest, 0]]
            if growth.place[row] == latest:
                growth.place[row] = 0
            keep_young(models, row, self.most)
        self._watch["lasting"][row] = np.nan
        self._close(row)

    def _close(self, row: int) -> None:
        self._watch["moved"][row] = self._watch["returned"][row] = -1
        self._watch["home"][row] = 0

    def moved(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """(m,) since when ``rows`` are beside their first baseline, when that was seen, when it ended."""
        return self._watch["moved"][rows], self._watch["seen"][rows], self._watch["returned"][rows]

    def movement(self, row: int) -> tuple[Floats, Evidence]:
        """The latest baseline's centre (k,); as evidence the first one's, and how many scales lie between."""
        models = self._models.columns
        latest = max(int(models.used[row]) - 1, 0)
        first, scale = models.center[row, 0].copy(), models.scale[row, 0]
        known = scale > 0
        off = np.full(self.width, np.nan)
        off[known] = (models.center[row, latest] - first)[known] / scale[known]
        parts = np.where(known, np.square(off), 0.0)
        return models.center[row, latest].copy(), Evidence(parts, first, off)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for table in self._tables.values():
            table.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        for table in self._tables.values():
            table.reset(row, seed)

    def dump(self, row: int) -> State:
        """All of it: baselines, the rows that they grow from, and where scoring stands."""
        return {
            f"{name}_{kind}": values
            for name, table in self._tables.items()
            for kind, values in table.dump(row).items()
        }

    def shared(self, row: int) -> State:
        """The first baseline alone: medians, scales, correlations, and how far health goes.

        It stands elsewhere until a tenth as many of the machine's own readings have been learned.
        """
        models = self._models.columns
        if not models.used[row]:
            return {}
        bare = FleetBaseline(self.width, self.smooth, self.first, self.most)
        bare.resize(1)
        bare.reset(0, 0)
        for name in ("center", "scale", "whitener", "levels"):
            getattr(bare._models.columns, name)[0, 0] = getattr(models, name)[row, 0]
        bare._models["used"][0] = 1
        seen = self.most if self._growth["place"][row] else int(self._growth["learned"][row])
        bare._growth["due"][0] = max(self.first, seen // 10)
        return bare.dump(0)

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors differ."""
        for name, table in self._tables.items():
            prefix = f"{name}_"
            table.load(row, {key[len(prefix) :]: v for key, v in state.items() if key.startswith(prefix)})
