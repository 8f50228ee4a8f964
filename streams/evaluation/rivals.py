"""The simple detectors that Yeji has to beat, at no more false episodes than Yeji: T² and isolation forest.

Both learn the first fifth of a recording (`learned`), are frozen, and get the same delays. Their threshold is
told the labels: going down from the highest score, it is the last one with no more false episodes in the
whole set than are allowed. No threshold that can be chosen without labels does better at that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detectors.batch import Bools, Floats, Ints
from pipeline.settings import AlarmSettings
from streams.evaluation.recording import Outcome, Recording, runs
from streams.evaluation.report import BenchError

#: Readings over which T² smooths each sensor, and the weight of independence in its correlations.
_SPAN, _SHRINKAGE = 5, 0.1

#: Thresholds that are tried: shares of the scores that lie above.
_TAILS = np.concatenate(([0.0], np.geomspace(1e-5, 0.5, 60)))

Scores = Callable[[Recording], Floats]


def learned(recording: Recording) -> int:
    """Readings that a rival learns: a fifth of the recording, at least 100 and at most 10,000."""
    return min(max(len(recording) // 5, 100), 10_000)


def t_squared(recording: Recording) -> Floats:
    """(n,) Hotelling's T² of an EWMA of the sensors, robust scales, shrunk correlations; NaN = learned.

    Sources: Hotelling 1947; MEWMA, Lowry et al. 1992; shrinkage, Ledoit & Wolf 2004, with a fixed weight.
    """
    x, n = _filled(recording), learned(recording)
    smooth = np.empty_like(x)
    level, weight = x[0], 2 / (_SPAN + 1)
    for i, row in enumerate(x):
        level = level + weight * (row - level)
        smooth[i] = level
    healthy = smooth[:n]
    middle = np.median(healthy, axis=0)
    spread = 1.4826 * np.median(np.abs(healthy - middle), axis=0)
    scale = np.maximum(np.maximum(spread, 0.5 * healthy.std(axis=0)), 1e-3 * np.abs(middle) + 1e-9)
    z = np.clip((smooth - middle) / scale, -50, 50)
    correlation = np.cov(z[:n].T).reshape(x.shape[1], -1)
    shrunk = (1 - _SHRINKAGE) * correlation + _SHRINKAGE * np.eye(x.shape[1])
    score: Floats = np.einsum("ij,jk,ik->i", z, np.linalg.pinv(shrunk), z)
    score[:n] = np.nan
    return score


def isolation_forest(recording: Recording) -> Floats:
    """(n,) scikit-learn's isolation forest with its defaults (Liu, Ting & Zhou 2008); NaN = learned.

    Raises BenchError without scikit-learn.
    """
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError as error:
        raise BenchError("The isolation forest needs scikit-learn: pip install 'yeji[bench]'") from error
    x, n = _filled(recording), learned(recording)
    model = IsolationForest(random_state=1).fit(x[:n])
    score: Floats = -model.score_samples(x).astype(np.float64)
    score[:n] = np.nan
    return score


def _filled(recording: Recording) -> Floats:
    """(n, k) values, each missing one as the last that was there, else as the first that comes."""
    x = recording.values.copy()
    for column in x.T:
        known = np.flatnonzero(np.isfinite(column))
        if not len(known):
            column[:] = 0.0
            continue
        at = np.maximum(np.searchsorted(known, np.arange(len(column)), side="right") - 1, 0)
        column[:] = column[known[at]]
    return x


def standing(over: Bools, time: Ints, alarm: AlarmSettings) -> Bools:
    """(n,) whether an alarm stands: raised and cleared by the delays of ``alarm``, with one threshold.

    >>> over = np.array([0, 1, 1, 1, 0, 1, 0, 0, 0], dtype=bool)
    >>> rule = AlarmSettings(on_delay=2, off_delay=2, min_readings=3)
    >>> standing(over, 1000 * np.arange(9), rule).astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 1, 1, 0]
    """
    on, off = round(alarm.on_delay * 1000), round(alarm.off_delay * 1000)
    inside = np.zeros(len(over), dtype=bool)
    until = -1  # first reading at which the alarm of an earlier run is over
    for start, stop in runs(over).tolist():
        if start <= until:  # no reading in between ended it
            raised = start
        else:
            since = int(np.searchsorted(time, time[start] + on))
            raised = max(start + alarm.min_readings - 1, since)
            if raised >= stop:
                continue
        until = len(over) if stop == len(over) else int(np.searchsorted(time, time[stop] + off))
        inside[raised:until] = True
    return inside


def at_no_more_false(
    recordings: Sequence[Recording], scores: Sequence[Floats], alarm: AlarmSettings, most: int
) -> list[Outcome]:
    """Outcomes at the last threshold, going down, with ``most`` or fewer false episodes."""
    pooled = np.concatenate([score[~np.isnan(score)] for score in scores])
    best = [_outcome(*pair, np.inf, alarm) for pair in zip(recordings, scores, strict=True)]
    for threshold in np.unique(np.quantile(pooled, 1 - _TAILS))[::-1].tolist():
        found = [_outcome(*pair, threshold, alarm) for pair in zip(recordings, scores, strict=True)]
        if sum(int((~one.recording.labels[one.raised]).sum()) for one in found) > most:
            break
        best = found
    return best


def _outcome(recording: Recording, score: Floats, threshold: float, alarm: AlarmSettings) -> Outcome:
    inside = standing(score >= threshold, recording.time, alarm)
    return Outcome(recording, score, inside, runs(inside)[:, 0])
