"""Multivariate statistical process control, online: smoothed sensors against their forecast, all together.

Hotelling's T² in the principal subspace and Q beside it (Jackson & Mudholkar 1979), on exponentially
weighted means (MEWMA: Lowry et al. 1992), of forecast errors rather than of values, because healthy sensors
wander: a water temperature drifts by the hour, a flow does not. How much each one does is learned.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch
from detectors.mspc import kernels
from detectors.table import KernelTable

#: What dumps of an older Yeji do not have: it begins afresh.
_LATER = ("_fourth", "_tail", "_slow", "_slow_mass")


class FleetMspc(FleetDetector):
    """MSPC of machines with ``width`` sensors.

    * Each sensor is smoothed over about ``smooth`` readings (F), and over three times as many (F's mean).
    * Its level is forecast from what was learned, by means over the past ``memories`` of readings; the
      one that forecasts a sensor best counts most. A steady sensor is held to its long mean, a wandering
      one to its latest.
    * z = (F − forecast) / the forecast's usual error, which is learned too; or the same of F's mean, where
      that is farther: F is quick with large faults, its mean sees small ones that last. When nothing is
      learned for a while (an alarm lasts), the error of a wandering sensor's forecast grows as its own past
      shows.
    * The more a sensor wanders, the more it is held to its latest trend instead (Brown's double
      exponential smoothing): it must then move faster than ever, not just be elsewhere.
    * Sensors stray differently far: z is divided by the fourth root of its mean fourth power, as far as that
      is beyond a normal variable's. So one that makes excursions at times does not hide a steady one.
    * raw = T² + Q/σ² = zᵀC⁻¹z, C being the correlations of z, learned with forgetting, shrunk towards
      independence as long as little is known, of full rank by its floor σ² (probabilistic PCA, Tipping &
      Bishop 1999). ``C^(−½) z`` squared splits raw into the sensors' parts (Garthwaite & Koch 2016).

    Bounded: an error counts in learning with at most ``bound`` times its usual size. A missing value returns
    no evidence; a sensor that was constant as long as it was learned has no scale, and gives none either.
    """

    kind: ClassVar[str] = "mspc"
    exportable: ClassVar[bool] = True  # sums over many readings
    loads_whole: ClassVar[bool] = True

    def __init__(
        self,
        width: int,
        smooth: float = 3.0,
        memories: tuple[float, ...] = (16.0, 64.0, 256.0, 4096.0),
        forget: float = 64.0,
        explained: float = 0.9,
        bound: float = 3.0,
    ) -> None:
        super().__init__(width)
        if smooth < 1 or forget < 1 or bound <= 0 or not 0 < explained <= 1 or not memories:
            raise ValueError(
                f"mspc: smooth ({smooth}) and forget ({forget}) must be at least 1, bound ({bound}) above 0, "
                f"explained ({explained}) in (0, 1], and memories ({memories}) not empty"
            )
        self._params = kernels.Params(
            float(smooth),
            np.array([1 / memory for memory in memories]),
            float(forget),
            float(explained),
            float(bound),
            few=1 - (1 - 1 / forget) ** 4,
        )
        lengths = {"k": width, "j": len(memories)}
        self._filters = KernelTable(kernels.Filters, **lengths)
        self._models = KernelTable(kernels.Models, **lengths)
        self._found = KernelTable(kernels.Conclusions, **lengths)
        self._tables = (self._filters, self._models, self._found)

    def score(self, batch: Batch) -> RawScores:
        """How far each reading's smoothed sensors are off their forecast."""
        x = np.ascontiguousarray(batch.x)
        filters, found = self._filters.columns, self._found.columns
        return RawScores(*kernels.score(self._params, filters, found, batch.rows, batch.counts, x))

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy."""
        x = np.ascontiguousarray(batch.x)
        state = (self._filters.columns, self._models.columns, self._found.columns)
        kernels.learn(self._params, *state, batch.rows, batch.counts, x)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for table in self._tables:
            table.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        for table in self._tables:
            table.reset(row, seed)

    def dump(self, row: int) -> State:
        """All of it: filters, models, and what follows from them."""
        return {
            f"_{name}": values[row : row + 1].copy()
            for table in self._tables
            for name, values in table.columns._asdict().items()
        }

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when sensors or parameters differ."""
        own = {f"_{name}": values for t in self._tables for name, values in t.columns._asdict().items()}
        own = {name: values for name, values in own.items() if name in state or name not in _LATER}
        for name, values in own.items():
            if state[name].shape[1:] != values.shape[1:]:
                raise ValueError(
                    f"saved {name} is {state[name].shape[1:]}, not {values.shape[1:]}: "
                    "the sensors or mspc's memories were changed"
                )
        self.reset(row, 0)
        for name, values in own.items():
            values[row] = state[name][0]
