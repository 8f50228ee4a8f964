"""Operation apart from condition: what a machine is asked to do moves its sensors more than wear does.

The sensors that say so are declared, or found: those that take a few levels, explain most of what the
others do, and say nothing of the remaining life. Their levels make operating regimes, in each of which the
sensors are standardised (C-MAPSS: Wang et al. 2008). Declared sensors of no few levels are regressed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.batch import Bools, Floats, Ints

#: Most levels that a sensor of operation has.
_MOST_LEVELS = 12
#: A gap between levels, in shares of the sensor's whole range; variance within them, of its whole variance.
_GAP, _WITHIN = 0.05, 1e-3
#: A sensor whose levels tell more of the remaining life (share of its variance) tells of wear.
_OF_LIFE = 0.1
#: Share of the others' variance (median) that levels must explain, and what one sensor more must add.
_EXPLAINS, _MORE = 0.5, 0.02
#: Readings that make a regime known.
_LEAST = 50


class Latest(NamedTuple):
    """The latest known values of a machine: standardised (k,), and of the sensors of operation (m,)."""

    z: Floats
    operating: Floats


class Operation:
    """Standardises sensors by what the machine was asked to do, as it was learned from runs.

    ``x``         (n, k) readings of all runs; NaN = missing
    ``left``      (n,) remaining life at each
    ``operating`` columns of x that say what the machine is asked to do; None = found, () = none

    ``columns`` are those used, ``regimes`` how many regimes are known.
    """

    def __init__(self, x: Floats, left: Floats, operating: Sequence[int] | None = None) -> None:
        edges = {c: _levels(x[:, c]) for c in (range(x.shape[1]) if operating is None else operating)}
        levelled = {c: at for c, at in edges.items() if at is not None}
        if operating is None:
            self.columns = tuple(_explaining(x, left, levelled))
            self._regressors = np.zeros(0, dtype=np.int64)
        else:
            self.columns = tuple(operating)
            self._regressors = np.array([c for c, at in edges.items() if at is None], dtype=np.int64)
        self._edges = [(self.columns.index(c), levelled[c]) for c in self.columns if c in levelled]
        raw = _held(x[:, list(self.columns)], np.full(len(self.columns), np.nan))
        regime = self._key(raw)
        self._fit_regression(x, raw)
        rest = x - self._expected(raw)
        keys, at, number = np.unique(regime, return_inverse=True, return_counts=True)
        known = np.flatnonzero(number >= min(_LEAST, number.max()))
        self._keys: Ints = keys[known]
        self.regimes = len(known)
        self._centre = np.array([np.nanmean(_some(rest[at == r]), axis=0) for r in known])
        spread = np.array([np.nanstd(_some(rest[at == r]), axis=0) for r in known])
        least = 1e-9 * (np.abs(self._centre) + 1e-9)
        self._scale = np.where(spread > least, spread, np.inf)
        # a declared sensor says what is asked for, not how the machine is: it is no sign of wear
        self._asked: Bools = np.isin(np.arange(x.shape[1]), self.columns if operating is not None else ())

    def standard(self, x: Floats, latest: Latest | None = None) -> tuple[Floats, Latest]:
        """Standardised (n, k), and the latest values, which the next call takes.

        A missing value is the latest that was there, or the usual one; so is one of a regime that was
        not learned.
        """
        if latest is None:
            latest = Latest(np.zeros(x.shape[1]), np.full(len(self.columns), np.nan))
        raw = _held(x[:, list(self.columns)], latest.operating)
        regime = self._key(raw)
        place = np.minimum(np.searchsorted(self._keys, regime), len(self._keys) - 1)
        z = (x - self._expected(raw) - self._centre[place]) / self._scale[place]
        z = np.clip(np.where((self._keys[place] == regime)[:, None], z, np.nan), -8.0, 8.0)
        z[:, self._asked] = 0.0
        z = _held(z, latest.z)
        return z, Latest(z[-1], raw[-1]) if len(x) else latest

    def _key(self, raw: Floats) -> Ints:
        """(n,) a number of each reading's regime; a value that was never there counts as the lowest level."""
        key = np.zeros(len(raw), dtype=np.int64)
        for column, edges in self._edges:
            level = np.where(np.isnan(raw[:, column]), 0, np.searchsorted(edges, raw[:, column]))
            key = key * (_MOST_LEVELS + 1) + level
        return key

    def _fit_regression(self, x: Floats, raw: Floats) -> None:
        """Each sensor by least squares on declared sensors of no few levels, their squares and products."""
        self._at = [self.columns.index(c) for c in self._regressors.tolist()]
        o = raw[:, self._at]
        self._middle = np.nanmean(_some(o), axis=0)
        width = np.nanstd(_some(o), axis=0)
        self._width = np.where(width > 0, width, 1.0)
        terms = self._terms(raw)
        self._weights = np.zeros((terms.shape[1], x.shape[1]))
        for column in range(x.shape[1]):
            known = ~np.isnan(x[:, column])
            if self._at and known.sum() > 2 * terms.shape[1]:
                self._weights[:, column] = np.linalg.lstsq(terms[known], x[known, column], rcond=1e-9)[0]

    def _terms(self, raw: Floats) -> Floats:
        """(n, d) the regression's terms; a missing value counts as the mean."""
        o = np.nan_to_num(np.clip((raw[:, self._at] - self._middle) / self._width, -8.0, 8.0))
        i, j = np.triu_indices(o.shape[1])
        return np.concatenate([np.ones((len(o), 1)), o, o[:, i] * o[:, j]], axis=1)

    def _expected(self, raw: Floats) -> Floats:
        """(n, k) what declared sensors of no few levels explain; no `@`, whose bits depend on the shape."""
        expected = np.zeros((len(raw), self._weights.shape[1]))
        if self._at:
            for term, weights in zip(self._terms(raw).T, self._weights, strict=True):
                expected += term[:, None] * weights
        return expected


def _some(x: Floats) -> Floats:
    """``x`` (n, k), with 0 in columns that have no value, so that their mean is one."""
    return np.where(np.isnan(x).all(axis=0), 0.0, x)


def _held(x: Floats, last: Floats) -> Floats:
    """``x`` (n, k), each missing value replaced by the latest before it, else by ``last`` (k,)."""
    at = np.maximum.accumulate(np.where(np.isnan(x), -1, np.arange(len(x))[:, None]), axis=0)
    held: Floats = np.where(at >= 0, x[at, np.arange(x.shape[1])], last)
    return held


def _levels(values: Floats) -> Floats | None:
    """Edges between the few levels that ``values`` (n,) take; None when they take one, or many."""
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered) or ordered[-1] <= ordered[0]:
        return None
    cut = np.flatnonzero(np.diff(ordered) > _GAP * (ordered[-1] - ordered[0]))
    if not 1 <= len(cut) < _MOST_LEVELS:
        return None
    within = sum(float(part.var()) * len(part) for part in np.split(ordered, cut + 1))
    if within > _WITHIN * float(ordered.var()) * len(ordered):
        return None
    edges: Floats = (ordered[cut] + ordered[cut + 1]) / 2.0
    return edges


def _explaining(x: Floats, left: Floats, levelled: dict[int, Floats]) -> list[int]:
    """Those of the ``levelled`` sensors whose levels together explain the others, the most telling first."""
    levels = {c: np.searchsorted(edges, x[:, c]) for c, edges in levelled.items()}
    levels = {c: at for c, at in levels.items() if not _explained(at, left[:, None])[0] > _OF_LIFE}
    chosen: list[int] = []
    regime, best = np.zeros(len(x), dtype=np.int64), _EXPLAINS - _MORE
    while len(chosen) < len(levels):
        found = {}
        for column in levels.keys() - set(chosen):
            joined = np.unique(regime * (_MOST_LEVELS + 1) + levels[column], return_inverse=True)[1]
            shares = np.delete(_explained(joined, x), [*chosen, column])
            shares = shares[~np.isnan(shares)]
            found[column] = (float(np.median(shares)) if len(shares) else 0.0, -column, joined)
        column = max(found, key=lambda c: found[c][:2])
        share, _, joined = found[column]
        if share < best + _MORE:
            break
        best, regime = share, joined
        chosen.append(column)
    return chosen


def _explained(group: Ints, x: Floats) -> Floats:
    """(k,) share of each column's variance that lies between groups (n,); NaN for a constant."""
    centred = x - np.nanmean(_some(x), axis=0)
    known = ~np.isnan(centred)
    filled = np.where(known, centred, 0.0)
    groups = int(group.max()) + 1
    total = (filled**2).sum(axis=0)
    between = np.zeros(x.shape[1])
    for column in range(x.shape[1]):
        sums = np.bincount(group, weights=filled[:, column], minlength=groups)
        number = np.bincount(group, weights=known[:, column].astype(float), minlength=groups)
        between[column] = (sums**2 / np.maximum(number, 1.0)).sum()
    share: Floats = np.where(total > 1e-12, between / np.maximum(total, 1e-12), np.nan)
    return share
