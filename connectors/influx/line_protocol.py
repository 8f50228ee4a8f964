"""InfluxDB's line protocol, built column by column from arrays.

The numbers of whole columns become text at once, and a kernel lays the lines out from these texts. No line
holds a line break, so that a body can be cut at any of them.

Grammar: InfluxDB 2, "Line protocol", and what its parser takes (``models/points.go``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.influx.line_layout import lay_out
from pipeline.records import Floats, Ints

#: The times that InfluxDB can store, in ms: 1677-09-21 to 2262-04-11.
TIME_RANGE = (-9_223_372_036_854, 9_223_372_036_854)

_CONTROL = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}  # ␀ ␁ … ␡, so that they stay visible
_SPECIAL = _CONTROL | {ord(","): "\\,", ord("="): "\\=", ord(" "): "\\ "}
_QUOTED = _CONTROL | {ord('"'): '\\"', ord("\\"): "\\\\"}


def escape_key(text: str) -> str:
    r"""Escape a measurement, tag key, tag value or field key.

    A backslash stands for itself, except at the end, where it would escape the separator: there the
    protocol has no way to write it, and it becomes a fullwidth one. Control characters become their pictures.

    >>> escape_key("press 7, left"), escape_key("a\\b"), escape_key("a\\"), escape_key("a\nb")
    ('press\\ 7\\,\\ left', 'a\\b', 'a＼', 'a␊b')
    """
    kept = text.rstrip("\\")
    return (kept + "＼" * (len(text) - len(kept))).translate(_SPECIAL)


def quote(text: str) -> str:
    r"""A string field's value.

    >>> quote('say "ok"\\')
    '"say \\"ok\\"\\\\"'
    """
    return f'"{text.translate(_QUOTED)}"'


def head(measurement: str, tags: Sequence[tuple[str, str]]) -> bytes:
    """Measurement and tags of a line, tags sorted (as InfluxDB advises), empty ones left out.

    >>> head("reading", [("unit", "press 7"), ("class", ""), ("area", "body")])
    b'reading,area=body,unit=press\\\\ 7'
    """
    parts = [escape_key(measurement)]
    parts += (f"{escape_key(key)}={escape_key(value)}" for key, value in sorted(tags) if value)
    return encode(",".join(parts))


def encode(text: str) -> bytes:
    """UTF-8; what is no text (half a surrogate pair) becomes a question mark."""
    return text.encode("utf-8", "replace")


def table(
    heads: Sequence[bytes],
    counts: Sequence[int],
    names: Sequence[str],
    values: Floats,
    times: Ints,
    whole: tuple[str, NDArray[np.integer]] | None = None,
) -> bytes:
    """Lines of n points: ``counts`` (m,) in a row with each of ``heads`` (m,) from `head`.

    ``values`` (n, k) of the fields ``names``, NaN and infinities left out; ``times`` (n,) ms; ``whole``: one
    more field, of whole numbers (n,). A point with no field that exists gives no line. Each line ends with a
    line break.

    >>> table([b"m,unit=a", b"m,unit=b"], [1, 1], ["t"], np.array([[0.5], [np.nan]]), np.array([7, 8]))
    b'm,unit=a t=0.5 7\\n'
    """
    if not len(times):
        return b""
    # One call writes every number, each as the shortest text that reads back to the same float.
    texts = [_numbers(values.ravel(order="F"))] if names else []
    keys = [_key(name) for name in names]
    if whole is not None:
        keys.append(_key(whole[0]))
        texts.append(_numbers(whole[1]))
    text, stamps = b"".join(texts), _numbers(times)
    lengths = np.array([len(head) for head in heads], dtype=np.int64)
    key_lengths = np.array([len(key) for key in keys], dtype=np.int64)
    per_line = int(key_lengths.sum()) + len(keys) + 2
    room = int((lengths * counts).sum()) + len(text) + len(stamps) + per_line * len(times)
    out = np.empty(room, dtype=np.uint8)
    length = lay_out(
        out,
        np.frombuffer(bytearray().join(heads), dtype=np.uint8),
        np.cumsum(lengths),
        np.repeat(np.arange(len(heads)), counts),
        np.frombuffer(bytearray().join(keys), dtype=np.uint8),
        np.cumsum(key_lengths),
        np.frombuffer(bytearray(text), dtype=np.uint8),
        np.frombuffer(bytearray(stamps), dtype=np.uint8),
        len(names),
    )
    return out[:length].tobytes()


@lru_cache(maxsize=1 << 14)
def _key(name: str) -> bytes:
    return encode(escape_key(name)) + b"="


def _numbers(values: NDArray[Any]) -> bytes:
    """Each number's text and a comma; ``null`` where it is not finite."""
    return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1] + b","


def point(line_head: bytes, fields: Sequence[tuple[str, float | int | str | None]], time: int) -> bytes:
    """One line; fields that are None or not finite are left out, and a line with no field is empty.

    >>> point(b"alarm,unit=a", [("score", 0.5), ("severity", 3), ("detail", "hot"), ("sensor", None)], 7)
    b'alarm,unit=a score=0.5,severity=3i,detail="hot" 7\\n'
    """
    written = []
    for name, value in fields:
        if isinstance(value, str):
            written.append(f"{escape_key(name)}={quote(value)}")
        elif isinstance(value, int):
            written.append(f"{escape_key(name)}={int(value)}i")
        elif value is not None and np.isfinite(value):
            written.append(f"{escape_key(name)}={float(value)!r}")
    if not written:
        return b""
    return line_head + b" " + encode(",".join(written)) + b" %d\n" % time


def bodies(lines: bytes, max_lines: int, max_bytes: int) -> Iterator[bytes]:
    """Cut ``lines`` at line breaks into bodies within the limits; a longer line is a body of its own.

    >>> list(bodies(b"a\\nbb\\nc\\n", 2, 100)), list(bodies(b"a\\nbb\\nc\\n", 9, 4))
    ([b'a\\nbb\\n', b'c\\n'], [b'a\\n', b'bb\\n', b'c\\n'])
    """
    ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n")) + 1
    first = start = 0
    while first < len(ends):
        fitting = int(np.searchsorted(ends, start + max_bytes, side="right"))
        last = max(min(fitting, first + max_lines), first + 1)
        yield lines[start : int(ends[last - 1])]
        first, start = last, int(ends[last - 1])


def joined(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Put pieces together to texts of at least ``size`` bytes (the last may be shorter), each given at once.

    >>> list(joined([b"a\\n", b"", b"bb\\n", b"c\\n"], 4))
    [b'a\\nbb\\n', b'c\\n']
    """
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if length:
        yield b"".join(held)
