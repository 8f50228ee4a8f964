"""Made-up runs to failure: hidden wear that speeds up, seen through noisy sensors."""

from __future__ import annotations

import numpy as np

from detectors.remaining_life.run_features import Run


def run_to_failure(rng: np.random.Generator, sensors: int = 6) -> Run:
    """A life of 80 to 240 readings; the last one is the failure."""
    life = int(rng.integers(80, 240))
    age = np.arange(1.0, life + 1)
    wear = np.exp(rng.uniform(4, 6) * (age / life - 1)) + rng.normal(0, 0.02)
    strength = np.linspace(-3, 4, sensors)
    load = rng.normal(0, 0.5, (life, 1))
    x = (
        50
        + wear[:, None] * strength
        + load * np.linspace(1, -1, sensors)
        + rng.normal(0, 0.4, (life, sensors))
    )
    return Run(age, x)


def fleet(seed: int, runs: int) -> list[Run]:
    """Some of them."""
    rng = np.random.default_rng(seed)
    return [run_to_failure(rng) for _ in range(runs)]
