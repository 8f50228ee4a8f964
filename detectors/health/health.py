"""Health of a machine, 0 (at its end) to 100 (as new): slow, from lasting surprise and lasting wear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled

#: Surprise up to which a machine is as new (1 is the mean in health), and that of its end.
SURPRISE_NEW, SURPRISE_END = 1.6, 24.0
#: The most that a score can say: 1 - 1e-15.
SURPRISE_MOST = 34.5
#: Distance from the slow reference, in standard deviations that its age allows: as new, and at the end.
WEAR_NEW, WEAR_END = 4.0, 12.0
#: The most while an alarm or a fixed limit stands: what lasting scores at the default threshold come to.
STANDING_MOST = 76.0


class FleetHealth(FleetState):
    """Health index (ISO 13374 HA): the worse of two views.

    * Surprise: -ln(1 - score) of a calibrated score is exponential with mean 1 while the machine is
      healthy. Its exponentially weighted mean over ``span`` readings rises with lasting damage, and falls
      again after a repair. While every reading is at the default alarm threshold, health is 76.
    * Wear: the distance from the slow reference (`detectors.health.wear`), which creeping damage cannot take
      along, as it does the fast models.
    """

    def __init__(self, span: float = 64.0) -> None:
        self.weight = 1.0 / span
        self.surprise = np.ones(0)

    def update(self, batch: Batch, score: Floats, state: NDArray[np.uint8], wear: Floats) -> Floats:
        """Health (n,) after each reading.

        ``score`` (n,), NaN = not known; ``state`` (n,); ``wear`` (n,) as `FleetWear.update` returns it.
        """
        health = np.empty(len(batch))
        _update(self.surprise, batch.rows, batch.starts, batch.counts, score, wear, self.weight, health)
        return health

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.surprise = grown(self.surprise, capacity, fill=1.0)

    def reset(self, row: int, seed: int) -> None:
        """A machine as new."""
        self.surprise[row] = 1.0

    def dump(self, row: int) -> State:
        """The smoothed surprise."""
        return {"surprise": self.surprise[row : row + 1].copy()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave."""
        if state["surprise"].shape != (1,):
            raise ValueError(f"saved health has shape {state['surprise'].shape}, not (1,)")
        self.surprise[row] = state["surprise"][0]


def under_alarm(health: Floats, standing: Bools) -> Floats:
    """Health (n,) as it is told: a machine against which something stands (n,) is not as new.

    Trends go by the health that was assessed: a bound that comes and goes is none.
    """
    told: Floats = np.where(standing, np.minimum(health, STANDING_MOST), health)
    return told


@compiled
def _update(
    surprise: Floats,
    rows: Ints,
    starts: Ints,
    counts: Ints,
    score: Floats,
    wear: Floats,
    weight: float,
    health: Floats,
) -> None:
    """Fill in ``health`` (n,)."""
    for m in range(len(rows)):
        mean = surprise[rows[m]]
        for i in range(starts[m], starts[m] + counts[m]):
            if not np.isnan(score[i]):
                now = min(-np.log1p(-score[i]), SURPRISE_MOST)
                mean = weight * now + (1.0 - weight) * mean
            by_surprise = (SURPRISE_END - mean) / (SURPRISE_END - SURPRISE_NEW)
            by_wear = (WEAR_END - wear[i]) / (WEAR_END - WEAR_NEW)
            health[i] = 100.0 * min(max(min(by_surprise, by_wear), 0.0), 1.0)
        surprise[rows[m]] = mean
