"""InfluxDB's line protocol, built column by column from arrays.

A line is built by joining byte pieces that were made for a whole column at once; that is several times
faster than an object a point. No line holds a line break, so that a body
can be cut at any of them.

Grammar: InfluxDB 2, "Line protocol", and what its parser takes (``models/points.go``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.records import Floats, Ints

Bools = NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True)
class Column:
    """One field of many lines: its escaped key, its values as they stand in a line, and which exist.

    ``tokens`` and ``present`` (n,) have an entry a line.
    """

    key: bytes
    tokens: Sequence[bytes]
    present: Bools


def float_columns(names: Sequence[str], values: Floats) -> list[Column]:
    """Columns of ``values`` (n, k); NaN and infinities are left out."""
    n = len(values)
    present = np.isfinite(values)
    # One call writes every number, each as the shortest text that reads back to the same float.
    tokens = msgspec.json.encode(values.ravel(order="F").tolist())[1:-1].split(b",")
    return [
        Column(encode(escape_key(name)), tokens[j * n : (j + 1) * n], present[:, j])
        for j, name in enumerate(names)
    ]


def int_column(name: str, values: NDArray[np.integer]) -> Column:
    """A column of whole numbers (n,)."""
    tokens = [b"%di" % value for value in values.tolist()]
    return Column(encode(escape_key(name)), tokens, np.ones(len(tokens), dtype=bool))


def table(heads: Sequence[bytes], columns: Sequence[Column], times: Ints) -> bytes:
    """Lines of n points with these fields. ``heads`` (n,) from `head`, ``times`` (n,) ms.

    A point with no field that exists gives no line. Each line ends with a line break.
    """
    columns = [column for column in columns if column.present.any()]
    if not columns or not len(heads):
        return b""
    stamps = msgspec.json.encode(times.tolist())[1:-1].split(b",")
    present = np.stack([column.present for column in columns], axis=1)
    if present.all():
        return _join(heads, [(column.key, column.tokens) for column in columns], stamps)
    # Lines that miss the same fields are built together: there are few such patterns in a batch.
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    blocks = []
    for number, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        lines = np.flatnonzero(which.reshape(-1) == number).tolist()
        kept = [column for column, there in zip(columns, pattern.tolist(), strict=True) if there]
        blocks.append(
            _join(
                [heads[i] for i in lines],
                [(column.key, [column.tokens[i] for i in lines]) for column in kept],
                [stamps[i] for i in lines],
            )
        )
    return b"".join(blocks)


def _join(
    heads: Sequence[bytes], fields: Sequence[tuple[bytes, Sequence[bytes]]], stamps: Sequence[bytes]
) -> bytes:
    n = len(heads)
    stride = 2 * len(fields) + 4
    pieces: list[bytes] = [b"\n"] * (n * stride)
    pieces[0::stride] = heads
    at = 1
    for key, tokens in fields:
        pieces[at::stride] = [(b" " if at == 1 else b",") + key + b"="] * n
        pieces[at + 1 :: stride] = tokens
        at += 2
    pieces[at::stride] = [b" "] * n
    pieces[at + 1 :: stride] = stamps
    return b"".join(pieces)


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
