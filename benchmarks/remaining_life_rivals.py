"""Which of River's regressors predicts C-MAPSS best, on which features? One fold of engines held out.

    python benchmarks/remaining_life_rivals.py ../shared/data/CMAPSS

Prints RMSE (labels capped at 125) of engines cut off at random, as `yeji bench --format cmapss` does, and the
seconds of learning. Forests see every second or fourth reading, in random order: they take minutes otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from river import forest, linear_model, preprocessing

from detectors.remaining_life.run_features import Run, RunFeatures, RunFollower
from streams.evaluation.cmapss import CAP, FOLDS, cut_places
from streams.evaluation.cmapss_files import read_engines

Features = Callable[[Run], Any]


def bayes() -> Any:
    return linear_model.BayesianLinearRegression(alpha=0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    runs = [engine.run for engine in read_engines(parser.parse_args().path)[0]]
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(runs)) % FOLDS
    cuts = [cut_places(run, rng) for run in runs]
    train = [run for run, f in zip(runs, fold, strict=True) if f]
    held_out = [(run, at) for run, f, at in zip(runs, fold, cuts, strict=True) if not f]
    features = RunFeatures(train, CAP, (10.0, 40.0, 160.0), 3)

    def raw(run: Run) -> Any:
        return run.x

    def base(run: Run) -> Any:
        scaled = (RunFollower(features).base(run.age, run.x) - features.mean) / features.deviation
        return np.column_stack([np.ones(len(scaled)), scaled])

    def bent(run: Run) -> Any:
        return features.of(run.age, run.x)

    rivals: list[tuple[str, Callable[[], Any], Features, int]] = [
        ("BayesianLinearRegression, bent features", bayes, bent, 1),
        ("BayesianLinearRegression, base features", bayes, base, 1),
        (
            "LinearRegression, raw",
            lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
            raw,
            1,
        ),
        ("ARFRegressor, base features", lambda: forest.ARFRegressor(n_models=10, seed=1), base, 2),
        (
            "AMFRegressor, base features",
            lambda: preprocessing.MinMaxScaler() | forest.AMFRegressor(n_estimators=10, seed=1),
            base,
            4,
        ),
    ]
    for name, make, of, every in rivals:
        start = time.perf_counter()
        model = make()
        rows = [row for run in train for row in of(run).tolist()[::-1][::every]]
        left = [value for run in train for value in run.remaining(CAP).tolist()[::-1][::every]]
        order = np.arange(len(rows)) if every == 1 else rng.permutation(len(rows))
        for i in order:
            model.learn_one(dict(enumerate(rows[i])), left[i])
        seconds = time.perf_counter() - start
        off = []
        for run, at in held_out:
            table = of(run).tolist()
            said = [model.predict_one(dict(enumerate(table[i]))) for i in at]
            off.append(np.clip(said, 0, CAP) - run.remaining(CAP)[at])
        print(f"{name:42} RMSE {np.sqrt(np.mean(np.square(off))):5.2f}  {seconds:5.0f} s", flush=True)


if __name__ == "__main__":
    main()
