"""A machine's sensors as columns: laying frames with other columns out in the model's own order."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.records import Floats, Ints

Layout = tuple[str, ...]


@lru_cache(maxsize=1 << 14)
def _columns(have: Layout, want: Layout) -> tuple[Ints, Ints]:
    """Where in ``want`` the columns that both have go, and where in ``have`` they come from."""
    place = {name: column for column, name in enumerate(have)}
    pairs = [(to, place[name]) for to, name in enumerate(want) if name in place]
    return np.array([p[0] for p in pairs], dtype=np.int64), np.array([p[1] for p in pairs], dtype=np.int64)


def align(values: Floats, have: Layout, want: Layout) -> Floats:
    """``values`` (n, len(have)) in the columns ``want``; NaN where ``have`` lacks one.

    >>> align(np.array([[1.0, 2.0]]), ("a", "b"), ("b", "c")).tolist()
    [[2.0, nan]]
    """
    if have == want:
        return values
    to, came_from = _columns(have, want)
    out = np.full((len(values), len(want)), np.nan)
    out[:, to] = values[:, came_from]
    return out


@lru_cache(maxsize=1 << 14)
def strangers(have: Layout, known: Layout) -> tuple[int, ...]:
    """The columns of ``have`` that ``known`` lacks.

    >>> strangers(("a", "b"), ("b",))
    (0,)
    """
    names = set(known)
    return tuple(column for column, name in enumerate(have) if name not in names)


def union(known: Layout, more: Layout) -> Layout:
    """All sensors of both, sorted: machines that name the same ones in another order share a layout.

    >>> union(("b",), ("c", "a", "b"))
    ('a', 'b', 'c')
    """
    return tuple(sorted({*known, *more}))
