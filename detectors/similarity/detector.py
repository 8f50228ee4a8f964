"""Similarity-based modelling: what should each sensor read, given what the others read and have read before?

Auto-associative kernel regression over remembered healthy states (Hines & Garvey 2006; the family of MSET,
Singer et al. 1997), as power plants and airlines use it. The machine's own past says what goes together, so
load, speed, shifts and standstill need no declaration: a state that was seen before is normal, however long
ago it was.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch
from detectors.similarity import kernels
from detectors.table import KernelTable


class FleetSimilarity(FleetDetector):
    """Similarity models of machines with ``width`` sensors.

    * A machine remembers up to ``states`` states: means of readings that were alike. A reading farther
      than ``resolution`` from all of them (RMS over sensors, each in its own long-run standard deviations)
      becomes a new one; when there is no more room the two nearest to each other are joined.
    * expected = Σ wᵢ·stateᵢ / Σ wᵢ, w = exp(−d² / 2·bandwidth²), d² the mean squared distance, each sensor
      bounded so that one that is broken does not choose its own company.
    * More load than ever moves every sensor as load always did. So what is left over, where it lies mostly
      along the main axes of the remembered states, is taken for load, within one standard deviation.
    * z = (value − expected), smoothed over about ``smooth`` readings, in its own usual size. Remembered
      states are few, so what lies between them is off in all sensors at once, in ways that repeat: raw is
      zᵀC⁻¹z with their correlations C, learned and shrunk towards independence. ``C^(−½) z`` squared splits
      raw into the sensors' parts (Garthwaite & Koch 2016).
    """

    kind: ClassVar[str] = "similarity"
    exportable: ClassVar[bool] = True  # sums over many readings

    def __init__(
        self,
        width: int,
        states: int = 40,
        resolution: float = 0.3,
        bandwidth: float = 0.15,
        smooth: float = 6.0,
        memory: float = 65536.0,
    ) -> None:
        super().__init__(width)
        if states < 4 or resolution <= 0 or bandwidth <= 0 or smooth < 1 or memory < kernels.EPOCH:
            raise ValueError(
                f"similarity: states ({states}) must be at least 4, resolution ({resolution}) and bandwidth "
                f"({bandwidth}) above 0, smooth ({smooth}) at least 1, "
                f"memory ({memory}) at least {kernels.EPOCH}"
            )
        self._params = kernels.Params(float(resolution), float(bandwidth), float(smooth), float(memory))
        axes = 0 if width < 3 else 1 if width < 6 else 2
        self._of = KernelTable(kernels.Memory, k=width, states=states, axes=axes)

    def score(self, batch: Batch) -> RawScores:
        """How far each reading's smoothed sensors are from what the remembered states say."""
        x = np.ascontiguousarray(batch.x)
        return RawScores(*kernels.score(self._params, self._of.columns, batch.rows, batch.counts, x))

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy; models change at the end of each machine's epochs."""
        x = np.ascontiguousarray(batch.x)
        kernels.learn(self._params, self._of.columns, batch.rows, batch.counts, x)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._of.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        self._of.reset(row, seed)

    def dump(self, row: int) -> State:
        """The state of ``row``, as `load` takes it."""
        return self._of.dump(row)

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when sensors or parameters differ."""
        self._of.load(row, state)
