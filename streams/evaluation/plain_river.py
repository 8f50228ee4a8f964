"""River's own detectors as its documentation uses them, one a recording: what Yeji is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.settings import AlarmSettings
from streams.evaluation.recording import Outcome, Recording, runs
from streams.evaluation.replay import delayed

#: The threshold is this quantile of the scores of the second half of the warm-up, fixed from then on.
_QUANTILE = 0.99


def half_space_trees() -> Any:
    """MinMaxScaler | HalfSpaceTrees."""
    from river import anomaly, compose, preprocessing

    return compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=1))


def loda() -> Any:
    """StandardScaler | LODA."""
    from river import anomaly, compose, preprocessing

    return compose.Pipeline(preprocessing.StandardScaler(), anomaly.LODA(seed=1))


def one_class_svm() -> Any:
    """StandardScaler | OneClassSVM."""
    from river import anomaly, compose, preprocessing

    return compose.Pipeline(preprocessing.StandardScaler(), anomaly.OneClassSVM())


def plain_river(
    recording: Recording, warmup: int, model: Any, learning: bool, alarm: AlarmSettings
) -> Outcome:
    """Learn ``warmup`` readings, then score each reading, and learn it when ``learning``.

    Its alarms get the same on- and off-delays as Yeji's.
    """
    score = np.full(len(recording), np.nan)
    calibration: list[float] = []
    for i, row in enumerate(recording.values.tolist()):
        reading = {j: value for j, value in enumerate(row) if value == value}
        if i < warmup:
            if i >= warmup // 2:
                calibration.append(float(model.score_one(reading)))
            model.learn_one(reading)
            continue
        score[i] = model.score_one(reading)
        if learning:
            model.learn_one(reading)
    threshold = np.quantile(calibration, _QUANTILE) if calibration else np.inf
    standing = delayed(recording, score > threshold, alarm)
    return Outcome(recording, score, standing, runs(standing)[:, 0])


def river_methods(
    warmup: Callable[[Recording], int], alarm: Callable[[Recording], AlarmSettings]
) -> dict[str, Callable[[Recording], Outcome]]:
    """River's detectors by name, frozen after the warm-up and learning on."""
    models = {"HalfSpaceTrees": half_space_trees, "LODA": loda, "OneClassSVM": one_class_svm}

    def method(make: Callable[[], Any], learning: bool) -> Callable[[Recording], Outcome]:
        return lambda one: plain_river(one, warmup(one), make(), learning, alarm(one))

    return {
        f"River {name}, {'learning on' if learning else 'frozen'}": method(make, learning)
        for name, make in models.items()
        for learning in (False, True)
    }
