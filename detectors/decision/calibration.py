"""From a detector's raw score to a calibrated one: how rare would this be on the healthy machine?

Split conformal prediction (Vovk et al. 2005), made online: a raw score is compared with those of the
machine's own healthy readings, which were scored before they were learned. Beyond them the tail goes on
as a generalised Pareto distribution fitted to the highest tenth (peaks over threshold, as SPOT does:
Siffer et al., KDD 2017), so that a score can say "once in 30 days" after some hundred readings.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled

#: Shares of the healthy readings between which the score is interpolated, in −ln(1 − share).
_SHARES = np.array([0.25, 0.5, 0.7, 0.8, 0.85, 0.9])
_KNOTS = -np.log1p(-_SHARES)
_LARGEST_SCORE = 1 - 1e-15
#: Readings after which a machine's quantiles and tail are worked out again.
_STRETCH = 16
_REACH = 8.0


class _Rows(NamedTuple):
    """What is kept of each machine."""

    seen: Ints
    stored: Ints
    eager: Ints  # readings to come that are not thinned
    kept: Floats  # (m, size); unused places hold +inf
    knots: Floats
    scale: Floats
    shape: Floats
    ready: Bools
    order: NDArray[np.int16]  # (m, size) places in `kept`, that of the smallest score first


class FleetCalibrator(FleetState):
    """Calibrates one detector's raw scores, machine by machine.

    Keeps the latest ``size`` raw scores of healthy readings of each machine; once these are full only
    every ``thin``-th is taken, which stretches the memory over size × thin readings. With fewer than
    ``least`` it does not say anything (NaN).

    >>> calibrator = FleetCalibrator()
    >>> calibrator.resize(1); calibrator.reset(0, seed=0)
    >>> raw = np.random.default_rng(1).exponential(size=500)
    >>> batch = Batch(np.array([0]), np.array([500]), np.arange(500), np.zeros((500, 1)))
    >>> calibrator.learn(batch, raw)
    >>> two = Batch(np.array([0]), np.array([2]), np.arange(2), np.zeros((2, 1)))
    >>> calibrator.score(two, np.array([0.7, 7.0])).round(2).tolist()
    [0.52, 1.0]
    """

    loads_whole: ClassVar[bool] = True

    def __init__(self, size: int = 512, thin: int = 64, least: int = 20, shape: float = 0.25) -> None:
        self.size, self.thin, self.least, self.shape = size, thin, least, shape
        counts, values = np.zeros(0, dtype=np.int64), np.zeros(0)
        self._of = _Rows(
            seen=counts,
            stored=counts,
            eager=counts,
            kept=np.zeros((0, size)),
            knots=np.zeros((0, len(_SHARES))),
            scale=values,
            shape=values,
            ready=np.zeros(0, dtype=np.bool_),
            order=np.zeros((0, size), dtype=np.int16),
        )

    def learn(self, batch: Batch, raw: Floats) -> None:
        """Take in raw scores (n,) of healthy readings that the detector has not learned yet.

        Scores are clipped at ``_REACH`` scales of the tail, so that one outlier cannot stretch it.
        """
        _learn(self._of, batch.rows, batch.starts, batch.counts, raw, self.thin, self.least, self.shape)

    def quicken(self, rows: Ints) -> None:
        """What is healthy has changed for ``rows``: take the next ``size`` readings all, to know it soon."""
        self._of.eager[rows] = self.size

    def score(self, batch: Batch, raw: Floats) -> Floats:
        """Calibrated scores (n,) of raw scores (n,): ≥ p in a share 1 − p of healthy readings.

        NaN where ``raw`` is, or while too few healthy readings are known.
        """
        score = np.empty(len(raw))
        _score(self._of, batch.rows, batch.starts, batch.counts, raw, score)
        return score

    def evidence(self, batch: Batch, raw: Floats, most: float) -> Floats:
        """(m,) each machine's mean −ln(1 − score) of raw scores (n,), none counted over ``most``.

        1 on average in health. NaN where a score is, or where there is none.
        """
        mean = np.empty(len(batch.rows))
        _mean_evidence(self._of, batch.rows, batch.starts, batch.counts, raw, most, mean)
        return mean

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        of, known = self._of, len(self._of.order)
        self._of = _Rows(
            seen=grown(of.seen, capacity),
            stored=grown(of.stored, capacity),
            eager=grown(of.eager, capacity),
            kept=grown(of.kept, capacity, fill=np.inf),
            knots=grown(of.knots, capacity),
            scale=grown(of.scale, capacity, fill=1),
            shape=grown(of.shape, capacity),
            ready=grown(of.ready, capacity),
            order=grown(of.order, capacity),
        )
        self._of.order[known:] = np.arange(self.size)

    def reset(self, row: int, seed: int) -> None:
        """Forget the healthy scores of ``row``."""
        of = self._of
        of.seen[row] = of.stored[row] = of.eager[row] = 0
        of.kept[row] = np.inf
        of.knots[row] = 0.0
        of.scale[row] = 1.0
        of.shape[row] = 0.0
        of.ready[row] = False
        of.order[row] = np.arange(self.size)

    def dump(self, row: int) -> State:
        """The healthy scores that are kept, and what followed from them at the end of the last stretch."""
        of = self._of
        counts = np.array([of.seen[row], of.stored[row], of.eager[row]])
        return {
            "seen": counts,
            "kept": of.kept[row, : min(int(counts[1]), self.size)].copy(),
            "tail": np.concatenate((of.knots[row], of.scale[[row]], of.shape[[row]])),
            "ready": of.ready[row : row + 1].copy(),
        }

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; the tail is worked out where only scores are given.

        Raises ValueError when the sizes do not fit.
        """
        kept, tail = state["kept"], state.get("tail")
        seen, stored, eager = (*state["seen"].tolist(), len(kept), 0)[:3]
        if len(kept) != min(stored, self.size) or (tail is not None and len(tail) != len(_SHARES) + 2):
            raise ValueError(f"{len(kept)} saved healthy scores do not fit a calibrator of {self.size}")
        self.reset(row, 0)
        of = self._of
        of.seen[row], of.stored[row], of.eager[row] = seen, stored, eager
        of.kept[row, : len(kept)] = kept
        of.order[row] = np.argsort(of.kept[row])
        if tail is None:
            _refresh(of, row, self.least, self.shape)
        else:
            of.knots[row], of.scale[row], of.shape[row] = tail[:-2], tail[-2], tail[-1]
            of.ready[row] = state["ready"][0]


@compiled
def _learn(
    of: _Rows, rows: Ints, starts: Ints, counts: Ints, raw: Floats, thin: int, least: int, heaviest: float
) -> None:
    """Keep what is to be kept, and work out the tail at the end of each stretch."""
    seen, stored, eager, kept, order = of.seen, of.stored, of.eager, of.kept, of.order
    knots, scale, ready = of.knots, of.scale, of.ready
    size = kept.shape[1]
    for m in range(len(rows)):
        row = rows[m]
        for i in range(starts[m], starts[m] + counts[m]):
            value = raw[i]
            if np.isnan(value):
                continue
            late = seen[row] - size
            if late < 0 or late % thin == 0 or eager[row] > 0:
                if ready[row]:
                    value = min(value, knots[row, -1] + _REACH * scale[row])
                _keep(kept[row], order[row], stored[row] % size, value)
                stored[row] += 1
            eager[row] = max(eager[row] - 1, 0)
            seen[row] += 1
            if seen[row] % _STRETCH == 0:
                _refresh(of, row, least, heaviest)


@compiled
def _keep(kept: Floats, order: NDArray[np.int16], place: int, value: float) -> None:
    """Put ``value`` at ``place``, and it in its place in the order."""
    kept[place] = value
    i = 0
    while order[i] != place:
        i += 1
    while i + 1 < len(order) and kept[order[i + 1]] < value:
        order[i] = order[i + 1]
        i += 1
    while i > 0 and kept[order[i - 1]] > value:
        order[i] = order[i - 1]
        i -= 1
    order[i] = place


@compiled
def _refresh(of: _Rows, row: int, least: int, heaviest: float) -> None:
    """Work out the quantiles and the tail of ``row`` from what is kept."""
    kept, order, knots = of.kept[row], of.order[row], of.knots[row]
    known = min(of.stored[row], len(kept))
    if known < least:
        return
    of.ready[row] = True
    for i in range(len(_SHARES)):
        # The conformal quantile: of n scores the ⌈(n + 1) share⌉-th smallest.
        knots[i] = kept[order[min(math.ceil((known + 1) * _SHARES[i]), known) - 1]]
    first = min(math.ceil((known + 1) * _SHARES[-1]), known)  # the tail: at most a tenth of the values
    count = max(known - first, 1)
    # Probability-weighted moments (Hosking & Wallis 1987): a0 the mean, a1 the mean weighted by the
    # empirical share above; both robust for few values, unlike the likelihood.
    a0 = a1 = 0.0
    for place in range(first, known):
        over = (kept[order[place]] - knots[-1]) / count
        a0 += over
        a1 += over * (known - place - 0.65) / count
    gap = a0 - 2 * a1
    shape = a0 / gap - 2 if gap > 0 else 0.0  # < 0 = heavier than exponential
    heavy = min(max(-shape, 0.0), heaviest)
    # A tail may be narrow by chance: it gets at least a third of the scale that the body shows.
    body = (knots[-1] - knots[1]) / (_KNOTS[-1] - _KNOTS[1])
    spread = max(a0 * (1 - heavy), body / 3)
    of.shape[row] = heavy
    of.scale[row] = max(spread, 1e-9 * max(abs(knots[-1]), 1e-9))


@compiled
def _score(of: _Rows, rows: Ints, starts: Ints, counts: Ints, raw: Floats, score: Floats) -> None:
    """Fill in ``score`` (n,)."""
    knots, scale, shape, ready = of.knots, of.scale, of.shape, of.ready
    for m in range(len(rows)):
        row = rows[m]
        for i in range(starts[m], starts[m] + counts[m]):
            if ready[row] and not np.isnan(raw[i]):
                evidence = _evidence(knots, row, scale[row], shape[row], raw[i])
                score[i] = min(-np.expm1(-evidence), _LARGEST_SCORE)
            else:
                score[i] = np.nan


@compiled
def _evidence(knots: Floats, row: int, scale: float, heavy: float, raw: float) -> float:
    """−ln of the share of healthy readings that score higher."""
    evidence = 0.0
    for i in range(1, len(_SHARES)):
        below, knot = knots[row, i - 1], knots[row, i]
        if raw <= below:
            break
        part = (raw - below) / (knot - below) if raw < knot else 1.0
        evidence += part * (_KNOTS[i] - _KNOTS[i - 1])
    if raw > knots[row, 0]:  # ties count as the commonest
        evidence += _KNOTS[0]
    if raw > knots[row, -1]:
        over = (raw - knots[row, -1]) / scale
        evidence += np.log1p(heavy * over) / heavy if heavy > 0 else over
    return evidence


@compiled
def _mean_evidence(
    of: _Rows, rows: Ints, starts: Ints, counts: Ints, raw: Floats, most: float, mean: Floats
) -> None:
    """Fill in ``mean`` (m,)."""
    knots, scale, shape, ready = of.knots, of.scale, of.shape, of.ready
    for m in range(len(rows)):
        row, total = rows[m], 0.0
        for i in range(starts[m], starts[m] + counts[m]):
            if ready[row] and not np.isnan(raw[i]):
                total += min(_evidence(knots, row, scale[row], shape[row], raw[i]), most)
            else:
                total = np.nan
        mean[m] = total / counts[m]
