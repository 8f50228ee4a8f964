"""How often does the interval of a prognosis hold the truth? Measured on simulated lives.

    python benchmarks/prognosis_coverage.py [--lives 200] [--seed 1]

A life is a wear that goes from 0 to 1 in its own way (linear, speeding up, slowing down, by random steps)
and shows in calibrated scores; FleetHealth and FleetPrognosis follow. The truth is when health without its
noise reaches the threshold. Each life weighs the same.
"""

from __future__ import annotations

import argparse

import numpy as np

from detectors.batch import Batch, Floats
from detectors.health.health import FleetHealth
from detectors.health.prognosis import FleetPrognosis

STEP = 60_000  # a reading a minute


def wear(shape: str, n: int, rng: np.random.Generator) -> Floats:
    """(n,) wear from 0 to 1."""
    t = np.linspace(0, 1, n)
    if shape == "exponential":
        rate = rng.uniform(2, 5)
        return np.expm1(rate * t) / np.expm1(rate)
    if shape == "power":
        return t ** rng.uniform(1.3, 3)
    if shape == "slowing":
        return t ** rng.uniform(0.6, 0.9)
    if shape == "random steps":
        steps = rng.gamma(0.3, 1.0, n)  # a gamma process only goes one way
        return np.cumsum(steps) / steps.sum()
    return t


SHAPES = ("linear", "exponential", "power", "slowing", "random steps")


def health_of(batch: Batch, score: Floats) -> Floats:
    """(n,) health of a machine with these scores."""
    health = FleetHealth()
    health.resize(1)
    nothing = np.zeros(len(score))
    return health.update(batch, score, nothing.astype(np.uint8), nothing)


def life(shape: str, seed: int, options: dict[str, float]) -> dict[str, float]:
    """One life: share of told prognoses that hold, share of the wear time told, relative width and error."""
    rng = np.random.default_rng([seed, SHAPES.index(shape)])
    healthy, n = int(rng.integers(300, 3000)), int(rng.integers(1000, 20_000))
    path = np.concatenate((np.zeros(healthy), wear(shape, n, rng)))
    surprise = 1.0 + 22.0 * path
    shape_of_noise = 1.0 + 3.0 * path  # exponential in health, and steadier the clearer the damage is
    score = -np.expm1(-rng.gamma(shape_of_noise, surprise / shape_of_noise))
    batch = Batch(np.array([0]), np.array([len(path)]), STEP * np.arange(len(path)), np.zeros((len(path), 1)))
    prognosis = FleetPrognosis(**options)
    prognosis.resize(1)
    found = health_of(batch, score)
    ended = np.flatnonzero(health_of(batch, -np.expm1(-surprise)) <= prognosis.threshold)
    end = int(ended[0]) if len(ended) else len(path)
    results = [r for r in prognosis.update(batch, found) if r.index < end]
    wearing = [r for r in results if r.index >= healthy]
    told = [r for r in results if r.remaining is not None]
    inside, width, error = [], [], []
    for r in told:
        truth = (end - r.index) * STEP / 3_600_000
        high = np.inf if r.high is None else r.high
        inside.append(r.low <= truth <= high)  # type: ignore[operator]
        width.append((high - r.low) / truth)  # type: ignore[operator]
        error.append(abs(r.remaining - truth) / truth)  # type: ignore[operator]
    return {
        "inside": float(np.mean(inside)) if told else np.nan,
        "told": len([r for r in told if r.index >= healthy]) / max(1, len(wearing)),
        "early": len([r for r in told if r.index < healthy]) / max(1, len(results) - len(wearing)),
        "open": float(np.mean([r.high is None for r in told])) if told else np.nan,
        "width": float(np.median(width)) if told else np.nan,
        "error": float(np.median(error)) if told else np.nan,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lives", type=int, default=200, help="lives of each shape")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--margin", type=float, help="instead of the default")
    parser.add_argument("--bend", type=float, help="instead of the default")
    options = parser.parse_args()
    given = {
        name: getattr(options, name) for name in ("margin", "bend") if getattr(options, name) is not None
    }
    columns = ("inside", "told", "early", "open", "width", "error")
    print(f"{'wear':14}" + "".join(f"{name:>9}" for name in columns))
    everything = []
    for shape in SHAPES:
        lives = [life(shape, 1000 * options.seed + i, given) for i in range(options.lives)]
        everything += lives
        print(f"{shape:14}" + "".join(f"{_middle(lives, name):9.3f}" for name in columns), flush=True)
    print(f"{'all':14}" + "".join(f"{_middle(everything, name):9.3f}" for name in columns))
    print("inside: share of prognoses whose 90 % interval holds the truth, mean over lives")
    print("told: share of the wearing time with a prognosis; early: of the healthy time")
    print("open: share of intervals with no upper end; width, error: relative to the truth, median")


def _middle(lives: list[dict[str, float]], name: str) -> float:
    values = [one[name] for one in lives]
    return float(np.nanmedian(values) if name in ("width", "error") else np.nanmean(values))


if __name__ == "__main__":
    main()
