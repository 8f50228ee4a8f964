"""One stretch of a machine's time, with what its physics asks for: load, noise, faults, thermal lag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from connectors.simulator.chance import seed_of, smooth, uniform
from connectors.simulator.faults import FaultKind
from connectors.simulator.shifts import DAY, HOUR, LOCAL
from pipeline.records import Floats, Ints

MINUTE = 60_000


@dataclass(frozen=True)
class Span:
    """``time`` (n,) ms of one machine; ``wear`` how far each machine fault has developed, (n,)."""

    seed: int
    block: int
    time: Ints
    wear: dict[FaultKind, Floats]

    @cached_property
    def _rng(self) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=seed_of(self.seed, "noise", self.block)))

    def noise(self, scale: float = 1.0) -> Floats:
        """White noise, (n,). Each call returns the next series, so the order of calls is part of a model."""
        return scale * self._rng.standard_normal(len(self.time))

    def slow(self, name: str, spacing: int, scale: float = 1.0) -> Floats:
        """A smooth random curve that turns every ``spacing`` ms, (n,)."""
        return scale * smooth(seed_of(self.seed, name), self.time, spacing)

    def chance(self, name: str, index: Ints) -> Floats:
        """A uniform number for each ``index``: the same part, stop or cycle always draws the same one."""
        return uniform(seed_of(self.seed, name), index)

    def fault(self, kind: FaultKind) -> Floats:
        """How far ``kind`` has developed, (n,); 0 = not at all."""
        found = self.wear.get(kind)
        return np.zeros(len(self.time)) if found is None else found

    def lagged(self, level: Callable[[Ints], Floats], constant: int) -> Floats:
        """``level`` as a thermal mass follows it, (n,): first-order lag with a time ``constant`` in ms.

        ``level`` maps any times to (n,) and is asked for the six time constants before, too.
        """
        start = (int(self.time[0]) - 6 * constant) // MINUTE
        grid = np.arange(start, int(self.time[-1]) // MINUTE + 2) * MINUTE
        keep = float(np.exp(-MINUTE / constant))
        values = level(grid).tolist()
        followed = values[:1]  # a plain loop: a few hundred steps do not pay for importing scipy.signal
        for value in values[1:]:
            followed.append(keep * followed[-1] + (1.0 - keep) * value)
        lagged: Floats = np.interp(self.time, grid, np.array(followed))
        return lagged

    @cached_property
    def ambient(self) -> Floats:
        """Temperature of the hall in °C, (n,): warmest at 15 o'clock and in July."""
        day = np.cos(2 * np.pi * ((self.time + LOCAL) % DAY - 15 * HOUR) / DAY)
        year = np.cos(2 * np.pi * (self.time / DAY - 200) / 365.25)
        hall: Floats = 20.0 + 2.2 * day + 5.0 * year + self.slow("ambient", 3 * HOUR, 0.4)
        return hall
