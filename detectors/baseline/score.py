"""Scores readings by the baseline that they are nearest to, and watches what leaves all of them."""

from __future__ import annotations

from math import exp, isnan, log, nan, sqrt

import numpy as np

from detectors.baseline.fit import distance, refit
from detectors.baseline.learn import begin_anew
from detectors.baseline.state import (
    BLOCKS,
    CANDIDATES,
    MODELS,
    PATIENCE,
    PHASES,
    YOUNG,
    Growth,
    Models,
    Watch,
)
from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled

_DAY = 86_400_000
_HALF = log(2.0)
_TENTH = log(10.0)
#: Evidence −ln(1 − score) at the threshold, how it grows beyond it with the log distance, and its most.
THRESHOLD, _STEEPNESS, _MOST = log(1000.0), 4.0, 34.5
#: Evidence at a distance that is well under the threshold: 80 % of it.
_CLEAR = log(100.0)
#: What was learned, taken for usual, or recurs still ranks, below what alarms: by the first baseline as it
#: was when it was young and as it is, with these weights, and half by the mean over so many readings.
_BY_YOUNG, _MEAN, _LEAST_RANK = 0.85, 128.0, -6.0
_TOLERATED, _TOLERATED_RANGE = _CLEAR, 2.2
#: An excursion begins with so many readings in a row over the threshold, and ends with so many well under it.
_BEGINS, _ENDS = 3, 5
_WELL_UNDER = log(0.8)
#: A young machine is one that was seen for less than a day; it goes over to another operation when about two
#: thirds of its sensors (of three or more) are by ten scales where they never were.
_YOUNG, _ELSEWHERE, _FAR, _SENSORS = _DAY, 0.5, 10.0, 3
#: Then commissioning lasts until two days were seen.
_COMMISSIONING = 2 * _DAY
#: What stands for so long, or as long as the machine was seen before, in so many readings at least, without
#: having grown, is a baseline of its own.
_STANDS, _STANDS_READINGS, _GROWS = 2 * 3_600_000, 64, log(1.15)
_SMOOTHED = 1.0 / 16.0
#: With so many readings in a row near its first baseline a machine is back at it.
_BACK = 64
#: How far one excursion that ended by itself can raise the threshold, in logs: of a baseline that grows, and
#: of a fixed one; how soon the latter is halved; and how much is added.
_LENIENT, _LENIENT_FIXED, _HALVED, _BEYOND = 2.0, 0.5, 5 * _DAY, 0.1
#: As much for what recurs at the same time of the day, if it was not farther than this.
_RECURS, _RECURRING = 0.3, 2.0


@compiled
def score(
    smooth: float,
    watch: Watch,
    models: Models,
    growth: Growth,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Evidence (n,) of readings ``x`` (n, k); contributions, expected values, deviations; what decides."""
    n, k = x.shape
    raw, decisive, parts = np.full(n, nan), np.full(n, nan), np.zeros((n, k))
    expected, deviation = np.full((n, k), nan), np.full((n, k), nan)
    z, white, far = np.empty((MODELS + 1, k)), np.empty((MODELS + 1, k)), np.empty(MODELS)
    known, now, absent = np.zeros(1, np.bool_), np.empty(k), watch.absent
    all_filtered, began, count = watch.filtered, watch.began, models.used
    all_center, all_scale, all_whitener, all_levels = (
        models.center, models.scale, models.whitener, models.levels,
    )  # fmt: skip
    moved, home, returned, lasting = watch.moved, watch.home, watch.returned, watch.lasting
    lenience, lenient, phases, done = watch.lenience, watch.lenient, watch.phases, growth.done
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        filtered = all_filtered[row]
        for i in range(start, stop):
            if began[row] < 0:
                began[row] = time[i]
            for c in range(k):
                value = x[i, c]
                if not isnan(value):
                    if isnan(filtered[c]):
                        filtered[c] = value
                    filtered[c] += (value - filtered[c]) / smooth
                    absent[row, c] = 0
                else:
                    absent[row, c] += 1
                now[c] = nan if absent[row, c] > PATIENCE else filtered[c]
            if count[row] == 0:
                if watch.closed[row] >= 0:
                    decisive[i] = 0.0  # commissioning goes on: nothing that was suspected stands
                continue
            best, over = 0, np.inf
            for a in range(count[row]):
                far[a] = distance(
                    now, all_center[row, a], all_scale[row, a], all_whitener[row, a], z[a], white[a]
                )
                if far[a] - all_levels[row, a, 2] < over:
                    best, over = a, far[a] - all_levels[row, a, 2]
            if moved[row] >= 0:
                home[row] = home[row] + 1 if far[0] <= all_levels[row, 0, 2] else 0
                if home[row] >= _BACK:
                    moved[row], returned[row] = -1, time[i]
            if lenience[row] > 0.0 and done[row]:
                lenience[row] *= exp(-_HALF * (time[i] - lenient[row]) / _HALVED)
                lenient[row] = time[i]
            phase = (time[i] % _DAY) * PHASES // _DAY
            tolerated = lenience[row] + max(
                phases[row, phase], max(phases[row, phase - 1], phases[row, (phase + 1) % PHASES])
            )
            usual = _evidence(far[best] - tolerated, all_levels[row, best])
            rank, place = far[0] - all_levels[row, 0, 2], 0
            if models.young[row] > 0:
                place = YOUNG
                young = distance(
                    now, all_center[row, YOUNG], all_scale[row, YOUNG], all_whitener[row, YOUNG],
                    z[YOUNG], white[YOUNG],
                )  # fmt: skip
                rank = _BY_YOUNG * (young - all_levels[row, YOUNG, 2]) + (1.0 - _BY_YOUNG) * rank
            rank = max(rank, _LEAST_RANK)
            if isnan(lasting[row]):
                lasting[row] = rank
            lasting[row] += (rank - lasting[row]) / _MEAN
            ranked = _evidence(
                all_levels[row, place, 2] + 0.5 * (rank + lasting[row]), all_levels[row, place]
            )
            ranked = max(usual, _below_alarms(ranked))
            _explain(
                x[i], filtered, all_center[row, best], all_scale[row, best], all_whitener[row, best], z[best],
                white[best], usual >= _TENTH, parts[i], expected[i], deviation[i],
            )  # fmt: skip
            if _follow(watch, models, growth, row, time[i], over - tolerated, phase, known):
                decisive[i] = 0.0
            else:
                raw[i], decisive[i] = ranked, usual
    return raw, parts, expected, deviation, decisive


@compiled
def _evidence(far: float, levels: Floats) -> float:
    """−ln of the share of healthy readings that are farther than the log distance ``far``."""
    middle, high, limit = levels[0], levels[1], levels[2]
    under = limit + _WELL_UNDER
    found: float = min(THRESHOLD + _STEEPNESS * (far - limit), _MOST)
    if far <= middle:
        found = _HALF * exp(far - middle)
    elif far <= high:
        found = _HALF + (_TENTH - _HALF) * (far - middle) / (high - middle)
    elif far <= under:
        found = _TENTH + (_CLEAR - _TENTH) * (far - high) / (under - high)
    elif far <= limit:
        found = THRESHOLD + (THRESHOLD - _CLEAR) * (far - limit) / (limit - under)
    return found


@compiled
def _below_alarms(evidence: float) -> float:
    """``evidence`` in the same order, but below what alarms."""
    if evidence <= _TOLERATED:
        return evidence
    return _TOLERATED + _TOLERATED_RANGE * (1.0 - exp(-(evidence - _TOLERATED) / 10.0))


@compiled
def _follow(
    watch: Watch, models: Models, growth: Growth, row: int, time: int, over: float, phase: int, known: Bools
) -> bool:
    """Follow excursions: ``over`` says how far a reading is over the threshold, in logs.

    Says whether the reading is of an operation that was not seen yet, and so not to be judged.
    """
    standing, readings, calm = watch.standing, watch.over, watch.calm
    if standing[row] == 0:
        readings[row] = readings[row] + 1 if over >= 0.0 else 0
        if readings[row] < _BEGINS:
            return False
        if _elsewhere(watch, models, row, time):
            _commission(watch, models, growth, row)
            return True
        standing[row], calm[row] = 1, 0
        watch.onset[row] = watch.looked[row] = time
        watch.peak[row] = watch.lately[row] = over
        watch.before[row] = over
        watch.kept[row], watch.every[row] = 0, 1
    else:
        standing[row] += 1
    watch.peak[row] = max(watch.peak[row], over)
    watch.lately[row] += _SMOOTHED * (over - watch.lately[row])
    if standing[row] == _STANDS_READINGS // 2:
        watch.before[row] = watch.lately[row]
    _keep(watch, growth, row)
    calm[row] = calm[row] + 1 if over < _WELL_UNDER else 0
    if calm[row] >= _ENDS:
        standing[row] = readings[row] = 0
        _tolerate(watch, growth, row, time, (watch.onset[row] % _DAY) * PHASES // _DAY)
        return False
    seen = watch.onset[row] - watch.began[row]
    if time - watch.looked[row] < min(_STANDS, seen) or standing[row] < _STANDS_READINGS:
        return False
    if watch.lately[row] > watch.before[row] + _GROWS:  # a fault that grows is nobody's new normal
        watch.before[row], watch.looked[row] = watch.lately[row], time
        return False
    _take_beside(watch, models, growth, row, time, known)
    return False


@compiled
def _elsewhere(watch: Watch, models: Models, row: int, time: int) -> bool:
    """Whether a young machine has gone over to an operation that it was not seen in."""
    x = watch.filtered[row]
    if time - watch.began[row] >= _YOUNG or len(x) < _SENSORS:
        return False
    far = 0
    for c in range(len(x)):
        near = np.inf
        for a in range(models.used[row]):
            off = abs(x[c] - models.center[row, a, c])
            if models.scale[row, a, c] > 0.0:
                near = min(near, off / models.scale[row, a, c])
            elif not off > 0.0:
                near = 0.0
        far += near > _FAR
    return far >= _ELSEWHERE * len(x)


@compiled
def _commission(watch: Watch, models: Models, growth: Growth, row: int) -> None:
    """Say nothing until the machine was seen for long enough; all that it does until then is learned."""
    models.used[row] = models.young[row] = growth.place[row] = 0
    watch.lasting[row] = nan
    growth.done[row] = False
    watch.closed[row] = watch.began[row] + _COMMISSIONING
    watch.standing[row] = watch.over[row] = 0


@compiled
def _keep(watch: Watch, growth: Growth, row: int) -> None:
    """Keep the row of an excursion, thinned."""
    kept, every = watch.kept, watch.every
    candidates, origin, x = watch.candidates[row], growth.origin[row], watch.filtered[row]
    if (watch.standing[row] - 1) % every[row]:
        return
    if kept[row] == CANDIDATES:
        for i in range(CANDIDATES // 2):
            candidates[i] = candidates[2 * i]
        kept[row] = CANDIDATES // 2
        every[row] *= 2
        if (watch.standing[row] - 1) % every[row]:
            return
    for c in range(len(x)):
        candidates[kept[row], c] = np.float32(x[c] - origin[c])
    kept[row] += 1


@compiled
def _tolerate(watch: Watch, growth: Growth, row: int, time: int, phase: int) -> None:
    """An excursion has ended by itself: raise the threshold by it, within bounds."""
    most = _LENIENT_FIXED if growth.done[row] else _LENIENT
    lenience, peak = watch.lenience, watch.peak[row]
    lenience[row] = max(lenience[row], min(lenience[row] + peak + _BEYOND, most))
    watch.lenient[row] = time
    if peak < _RECURRING:
        watch.phases[row, phase] = max(watch.phases[row, phase], np.float32(peak + _RECURS))


@compiled
def _take_beside(watch: Watch, models: Models, growth: Growth, row: int, time: int, known: Bools) -> None:
    """What stands is usual now: a baseline beside the others, which are kept."""
    stood, kept = watch.standing[row], watch.kept[row]
    begin_anew(watch, models, growth, row)
    growth.rows[row, :kept] = watch.candidates[row, :kept]
    growth.farthest[row, : min(kept, BLOCKS)] = watch.candidates[row, : min(kept, BLOCKS)]
    growth.stored[row], growth.blocks[row] = kept, min(kept, BLOCKS)
    growth.stride[row] = watch.every[row]
    growth.length[row] = max(watch.every[row], 1)
    growth.learned[row] = stood - stood % watch.every[row]
    growth.since[row] = watch.onset[row]
    growth.follow[row] = watch.filtered[row]
    refit(models, growth, row, growth.place[row], known)
    growth.due[row] = 1.41421356 * growth.learned[row]
    if known[0]:
        models.used[row] = growth.place[row] + 1
    # what goes where it never was may well do so again, and as far
    watch.lenience[row] = max(watch.lenience[row], _LENIENT_FIXED)
    watch.lenient[row] = time
    if watch.moved[row] < 0:
        watch.moved[row], watch.seen[row] = watch.onset[row], time
    watch.home[row] = 0


@compiled
def _explain(
    x: Floats,
    filtered: Floats,
    center: Floats,
    scale: Floats,
    whitener: Floats,
    z: Floats,
    white: Floats,
    related: bool,
    parts: Floats,
    expected: Floats,
    deviation: Floats,
) -> None:
    """Fill in the parts of a distance, and what was expected of each sensor (k,).

    A sensor is judged by itself or, if ``related``, by what the others say of it where that is farther.
    """
    k = len(x)
    for c in range(k):
        if isnan(x[c]) or not scale[c] > 0.0:
            continue
        parts[c] = white[c] * white[c]
        deviation[c] = z[c]
        expected[c] = center[c]
        if related:
            back, precision = 0.0, 0.0  # of C^(−1) z and C^(−1)
            for j in range(k):
                back += whitener[j, c] * white[j]
                precision += whitener[j, c] * whitener[j, c]
            given = back / sqrt(precision)
            if abs(given) > abs(z[c]):
                deviation[c] = given
                expected[c] = filtered[c] - scale[c] * back / precision
