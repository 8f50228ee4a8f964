"""What a snapshot holds goes on as River's own model."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Batch
from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from pipeline.settings import ClassSettings, DetectorSettings, LearningSettings
from pipeline.snapshots.river_models import river_models
from streams.settings import Settings

MACHINE, SENSORS = "a/b/c/d/pump-1", ("flow", "pressure", "speed")
START = 1_700_000_000_000


def settings(*kinds: str) -> Settings:
    detectors = [DetectorSettings(kind=kind) for kind in kinds]
    learning = LearningSettings(warmup=60)
    return Settings(classes={"pumps": ClassSettings(detectors=detectors, learning=learning)})


def frame(n: int) -> Frame:
    x = np.random.default_rng(2).normal(size=(n, 3))
    return Frame(MACHINE, START + 1000 * np.arange(n), SENSORS, x)


def test_models_go_on_in_river() -> None:
    chosen = settings("half-space-trees", "robust-univariate", "loda", "one-class-svm")
    pipeline = Pipeline(chosen)
    pipeline.process([frame(400)])
    models = river_models(pipeline.dump(MACHINE), chosen)
    assert list(models) == ["half-space-trees", "loda", "one-class-svm"]
    monitor = next(iter(pipeline._monitors.values()))[0]
    reading = np.array([[0.1, -2.0, 0.7]])
    batch = Batch(np.array([0]), np.array([1]), np.array([START]), reading)
    features = dict(zip(SENSORS, reading[0].tolist(), strict=True))
    row = pipeline.machine(MACHINE).row
    batch = Batch(np.array([row]), batch.counts, batch.time, batch.x)
    for kind, sign in (("half-space-trees", 1), ("loda", 1), ("one-class-svm", -1)):
        ours = next(d for d in monitor.detectors if d.kind == kind).score(batch).raw[0]
        assert ours == pytest.approx(sign * models[kind].score_one(features), rel=1e-9)


def test_a_machine_in_its_warm_up_has_none() -> None:
    chosen = settings("half-space-trees")
    pipeline = Pipeline(chosen)
    pipeline.process([frame(20)])
    with pytest.raises(ValueError, match="warm-up"):
        river_models(pipeline.dump(MACHINE), chosen)


def test_other_detectors_now() -> None:
    chosen = settings("half-space-trees")
    pipeline = Pipeline(chosen)
    pipeline.process([frame(100)])
    with pytest.raises(ValueError, match="detector1"):
        river_models(pipeline.dump(MACHINE), settings("half-space-trees", "loda"))
