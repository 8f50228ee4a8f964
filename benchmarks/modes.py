"""How soon failure modes are told apart: our kernel classifier beside River's, over confirmed faults.

    .venv/bin/python -m benchmarks.modes

Four modes of a machine with eight sensors, each with its own two or three sensors; alarms differ in strength
and are noisy. Shares are of 60 alarms not learned from, means over 15 such machines.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from river import forest, linear_model, naive_bayes, neighbors, tree

from desk.rules.modes import FailureModes

STEPS = (4, 8, 16, 40)
MODES, SENSORS = 4, 8

CLASSIFIERS: dict[str, Callable[[], object]] = {
    "failure modes (ours)": FailureModes,
    "river KNN, k=3": lambda: neighbors.KNNClassifier(
        n_neighbors=3, engine=neighbors.LazySearch(window_size=1000)
    ),
    "river GaussianNB": naive_bayes.GaussianNB,
    "river Hoeffding tree": lambda: tree.HoeffdingTreeClassifier(grace_period=5),
    "river ARF, 10 trees": lambda: forest.ARFClassifier(n_models=10, seed=1, grace_period=5),
    "river softmax": linear_model.SoftmaxRegression,
}


def signatures(rng: np.random.Generator) -> np.ndarray:
    found = np.zeros((MODES, SENSORS))
    for mode in range(MODES):
        chosen = rng.choice(SENSORS, size=rng.integers(2, 4), replace=False)
        found[mode, chosen] = rng.normal(0, 4, len(chosen)) + 3 * np.sign(rng.normal(size=len(chosen)))
    return found


def looks(deviation: np.ndarray) -> dict[str, float]:
    """As `pipeline.spreading.examples.features` makes it of contributions in proportion to the deviations."""
    share = np.abs(deviation) / np.abs(deviation).sum()
    found = {}
    for j in np.flatnonzero(share >= 0.02).tolist():
        found[f"share s{j}"] = float(share[j])
        found[f"way s{j}"] = float(share[j] * math.tanh(deviation[j] / 6))
    return found


def measure(noise: float, machines: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {name: ([], []) for name in CLASSIFIERS}
    for seed in range(machines):
        rng = np.random.default_rng(seed)
        known = signatures(rng)

        def sample(rng: np.random.Generator = rng, known: np.ndarray = known) -> tuple[str, dict[str, float]]:
            mode = int(rng.integers(MODES))
            strength = rng.uniform(0.5, 1.5)
            return str(mode), looks(known[mode] * strength + rng.normal(0, noise, SENSORS))

        learned, judged = [sample() for _ in range(max(STEPS))], [sample() for _ in range(60)]
        for name, make in CLASSIFIERS.items():
            model = make()
            right, brier = [], []
            for count, (mode, x) in enumerate(learned, start=1):
                model.learn_one(x, mode)
                if count in STEPS:
                    said = [(truth, model.predict_proba_one(x) or {}) for truth, x in judged]
                    right.append(np.mean([bool(p) and max(p, key=p.get) == truth for truth, p in said]))
                    brier.append(
                        np.mean(
                            [
                                sum((p.get(str(m), 0) - (str(m) == truth)) ** 2 for m in range(MODES))
                                for truth, p in said
                            ]
                        )
                    )
            found[name][0].append(right)
            found[name][1].append(brier)
    return {name: (np.mean(right, axis=0), np.mean(brier, axis=0)) for name, (right, brier) in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=15)
    machines = parser.parse_args().machines
    for noise in (1.5, 3.0):
        print(f"noise {noise} standard deviations; share named right, and Brier score (0 best), after")
        print(f"{'':24}" + "".join(f"{f'{step} faults':>20}" for step in STEPS))
        for name, (right, brier) in measure(noise, machines).items():
            cells = "".join(f"{f'{r:.0%}  {b:.2f}':>20}" for r, b in zip(right, brier, strict=True))
            print(f"{name:24}{cells}")


if __name__ == "__main__":
    main()
