"""From a detector's raw score to a calibrated one: how rare would this be on the healthy machine?

Split conformal prediction (Vovk et al. 2005), made online: a raw score is compared with those of the
machine's own healthy readings, which were scored before they were learned. Beyond them the tail goes on
as a generalised Pareto distribution fitted to the highest tenth (peaks over threshold, as SPOT does:
Siffer et al., KDD 2017), so that a score can say "once in 30 days" after some hundred readings.
"""

from __future__ import annotations

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.sums import fold

#: Shares of the healthy readings between which the score is interpolated, in −ln(1 − share).
_SHARES = np.array([0.25, 0.5, 0.7, 0.8, 0.85, 0.9])
_KNOTS = -np.log1p(-_SHARES)
_LARGEST_SCORE = 1 - 1e-15
#: Readings after which a machine's quantiles and tail are worked out anew.
_STRETCH = 16
_REACH = 8.0


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

    def __init__(self, size: int = 512, thin: int = 64, least: int = 20, shape: float = 0.25) -> None:
        self.size, self.thin, self.least, self.shape = size, thin, least, shape
        self._seen = np.zeros(0, dtype=np.int64)
        self._stored = np.zeros(0, dtype=np.int64)
        self._eager = np.zeros(0, dtype=np.int64)  # readings to come that are not thinned
        self._kept = np.zeros((0, size))
        self._knots = np.zeros((0, len(_SHARES)))
        self._scale = np.zeros(0)
        self._shape = np.zeros(0)
        self._ready = np.zeros(0, dtype=bool)

    def learn(self, batch: Batch, raw: Floats) -> None:
        """Take in raw scores (n,) of healthy readings that the detector has not learned yet.

        None counts as farther out than ``_REACH`` times the tail's scale: one wild reading stretches nothing.
        """
        known = ~np.isnan(raw)
        batch, raw = batch.select(known), raw[known]
        stretch = (self._seen[batch.row_of] % _STRETCH + batch.step_of) // _STRETCH
        for number in range(int(stretch.max(initial=-1)) + 1):
            here = stretch == number
            self._take(batch.select(here), raw[here])

    def _take(self, batch: Batch, raw: Floats) -> None:
        """Take in readings up to the end of each machine's running stretch, where its tail is worked out."""
        row_of, number = batch.row_of, self._seen[batch.row_of] + batch.step_of
        late = number - self.size
        taken = (late < 0) | (late % self.thin == 0) | (batch.step_of < self._eager[row_of])
        before = np.cumsum(taken) - taken
        earlier = (before - before[batch.starts[batch.column_of]]) if len(batch) else before
        place = (self._stored[row_of] + earlier) % self.size
        most = self._knots[row_of, -1] + _REACH * self._scale[row_of]
        ready = self._ready[row_of]
        self._kept[row_of[taken], place[taken]] = np.where(ready, np.minimum(raw, most), raw)[taken]
        self._seen[batch.rows] += batch.counts
        self._stored[batch.rows] += np.bincount(batch.column_of[taken], minlength=len(batch.rows))
        self._eager[batch.rows] = np.maximum(self._eager[batch.rows] - batch.counts, 0)
        ended = (batch.counts > 0) & (self._seen[batch.rows] % _STRETCH == 0)
        self._refresh(batch.rows[ended])

    def _refresh(self, rows: Ints) -> None:
        """Work out the quantiles and the tail of ``rows`` from what is kept."""
        known = self._held(rows)
        ready = known >= self.least
        rows, known = rows[ready], known[ready]
        self._ready[rows] = True
        ordered = np.sort(self._kept[rows], axis=1)  # unused places hold +inf
        at = np.arange(len(rows))
        for i, share in enumerate(_SHARES):
            # The conformal quantile: of n scores the ⌈(n + 1) share⌉-th smallest.
            self._knots[rows, i] = ordered[at, np.ceil((known + 1) * share).astype(np.int64) - 1]
        # The tail: at most a tenth of the values; as wide for all, so that its sums are too.
        first = np.ceil((known + 1) * _SHARES[-1]).astype(np.int64)
        place = first[:, None] + np.arange(self.size // 10 + 1)
        in_tail = place < known[:, None]
        count = np.maximum(known - first, 1)
        values = np.take_along_axis(ordered, np.minimum(place, self.size - 1), axis=1)
        over = np.where(in_tail, values - self._knots[rows, -1:], 0.0)
        # Probability-weighted moments (Hosking & Wallis 1987): a0 the mean, a1 the mean weighted by the
        # empirical share above; both robust for few values, unlike the likelihood.
        above = (known[:, None] - place - 0.65) / count[:, None]
        a0 = fold(over) / count
        a1 = fold(np.where(in_tail, over * above, 0.0)) / count
        gap = a0 - 2 * a1
        with np.errstate(divide="ignore", invalid="ignore"):
            shape = np.where(gap > 0, a0 / gap - 2, 0.0)  # < 0 = heavier than exponential
        heavy = np.clip(-shape, 0.0, self.shape)
        # A tail may be narrow by chance: it gets at least a third of the scale that the body shows.
        body = (self._knots[rows, -1] - self._knots[rows, 1]) / (_KNOTS[-1] - _KNOTS[1])
        spread = np.maximum(a0 * (1 - heavy), body / 3)
        smallest = 1e-9 * np.maximum(np.abs(self._knots[rows, -1]), 1e-9)
        self._shape[rows] = heavy
        self._scale[rows] = np.maximum(spread, smallest)

    def _held(self, rows: Ints) -> Ints:
        return np.minimum(self._stored[rows], self.size)

    def quicken(self, rows: Ints) -> None:
        """What is healthy has changed for ``rows``: take the next ``size`` readings all, to know it soon."""
        self._eager[rows] = self.size

    def score(self, batch: Batch, raw: Floats) -> Floats:
        """Calibrated scores (n,) of raw scores (n,): ≥ p in a share 1 − p of healthy readings.

        NaN where ``raw`` is, or while too few healthy readings are known.
        """
        row_of = batch.row_of
        knots = self._knots[row_of]
        evidence = np.zeros(len(raw))  # −ln of the share of healthy readings that score higher
        for i in range(1, len(_SHARES)):
            width = knots[:, i] - knots[:, i - 1]
            part = np.clip(raw - knots[:, i - 1], 0.0, width) / np.where(width > 0, width, 1.0)
            part = np.where(width > 0, part, raw > knots[:, i])  # ties count as the commonest
            evidence += part * (_KNOTS[i] - _KNOTS[i - 1])
        evidence += _KNOTS[0] * (raw > knots[:, 0])
        over = np.maximum(raw - knots[:, -1], 0.0) / self._scale[row_of]
        heavy = self._shape[row_of]
        some = np.where(heavy > 0, heavy, 1.0)
        evidence += np.where(heavy > 0, np.log1p(some * over) / some, over)
        score = np.minimum(-np.expm1(-evidence), _LARGEST_SCORE)
        return np.where(self._ready[row_of], score, np.nan)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._seen = grown(self._seen, capacity)
        self._stored = grown(self._stored, capacity)
        self._eager = grown(self._eager, capacity)
        self._kept = grown(self._kept, capacity, fill=np.inf)
        self._knots = grown(self._knots, capacity)
        self._scale = grown(self._scale, capacity, fill=1)
        self._shape = grown(self._shape, capacity)
        self._ready = grown(self._ready, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget the healthy scores of ``row``."""
        self._seen[row] = self._stored[row] = self._eager[row] = 0
        self._kept[row] = np.inf
        self._knots[row] = 0.0
        self._scale[row] = 1.0
        self._shape[row] = 0.0
        self._ready[row] = False

    def dump(self, row: int) -> State:
        """The healthy scores that are kept, and what followed from them at the end of the last stretch."""
        counts = np.array([self._seen[row], self._stored[row], self._eager[row]])
        return {
            "seen": counts,
            "kept": self._kept[row, : min(int(counts[1]), self.size)].copy(),
            "tail": np.concatenate((self._knots[row], self._scale[[row]], self._shape[[row]])),
            "ready": self._ready[row : row + 1].copy(),
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
        self._seen[row], self._stored[row], self._eager[row] = seen, stored, eager
        self._kept[row, : len(kept)] = kept
        if tail is None:
            self._refresh(np.array([row]))
        else:
            self._knots[row], self._scale[row], self._shape[row] = tail[:-2], tail[-2], tail[-1]
            self._ready[row] = state["ready"][0]
