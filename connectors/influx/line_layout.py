"""Lines laid out from texts of whole columns: the one part of line protocol that is copied byte by byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Ints
from detectors.compiled import compiled

Bytes = NDArray[np.uint8]

_COMMA, _SPACE, _BREAK, _WHOLE, _NULL = ord(","), ord(" "), ord("\n"), ord("i"), ord("n")


@compiled
def lay_out(
    out: Bytes,
    heads: Bytes,
    head_ends: Ints,
    head_of: Ints,
    keys: Bytes,
    key_ends: Ints,
    values: Bytes,
    times: Bytes,
    whole: int,
) -> int:
    """Write ``head key=value,key=value… time`` of each of n points to ``out``; returns its length.

    ``head_of`` (n,) says which of the heads is each point's; heads and keys stand one after the other and end
    at ``head_ends`` and ``key_ends`` (k,). ``values`` holds k·n texts, a column after the other, ``times`` n;
    each ends with a comma. A value ``null`` is left out, and a point without any value. The columns from
    ``whole`` on are whole numbers. ``out`` must have room for everything.
    """
    n, k = len(head_of), len(key_ends)
    starts = np.empty(k * n + 1, dtype=np.int64)
    _after_commas(values, starts)
    when = np.empty(n + 1, dtype=np.int64)
    _after_commas(times, when)
    at = 0
    for i in range(n):
        line = at
        number = head_of[i]
        at = _copy(out, at, heads, 0 if number == 0 else head_ends[number - 1], head_ends[number])
        given = False
        for j in range(k):
            start, end = starts[j * n + i], starts[j * n + i + 1] - 1
            if values[start] == _NULL:
                continue
            out[at] = _COMMA if given else _SPACE
            given = True
            at = _copy(out, at + 1, keys, 0 if j == 0 else key_ends[j - 1], key_ends[j])
            at = _copy(out, at, values, start, end)
            if j >= whole:
                out[at] = _WHOLE
                at += 1
        if not given:
            at = line
            continue
        out[at] = _SPACE
        at = _copy(out, at + 1, times, when[i], when[i + 1] - 1)
        out[at] = _BREAK
        at += 1
    return at


@compiled
def _after_commas(text: Bytes, starts: Ints) -> None:
    """Where each text begins, and where one more would."""
    starts[0] = 0
    found = 1
    for at in range(len(text)):
        if text[at] == _COMMA:
            starts[found] = at + 1
            found += 1


@compiled
def _copy(out: Bytes, at: int, source: Bytes, start: int, end: int) -> int:
    for place in range(start, end):
        out[at] = source[place]
        at += 1
    return at
