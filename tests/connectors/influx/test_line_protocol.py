"""Line protocol against a parser written from its grammar, for any names and values."""

from __future__ import annotations

import math
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connectors.influx.line_protocol import bodies, head, point, table

# A quotation mark opens a string after an equals sign only: in a key it is one character as any other.
_LINE = re.compile(
    rb"(?P<head>(?:\\.|[^ \\]|\\(?![ ,=]))+) (?P<fields>(?:=\"(?:\\.|[^\"\\])*\"|\\.|[^ ])++) (?P<time>-?\d+)"
)
_FIELD = re.compile(rb"((?:\\[,= ]|[^,=])+)=(\"(?:\\.|[^\"\\])*\"|[^,]+)(?:,|$)")

names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda s: s.strip() and s != "time"
)
floats = st.floats(allow_nan=True, allow_infinity=True)


def unescape(text: bytes) -> str:
    """What a key or tag stands for."""
    return re.sub(rb"\\([,= ])", rb"\1", text).decode()


def shown(name: str) -> str:
    """How a name reads after writing: a backslash at its end cannot be written."""
    kept = name.rstrip("\\")
    return kept + "＼" * (len(name) - len(kept))


def parse(line: bytes) -> tuple[bytes, dict[str, bytes], int]:
    """Head, fields and time of one line."""
    found = _LINE.fullmatch(line)
    assert found is not None, line
    fields = {unescape(key): value for key, value in _FIELD.findall(found["fields"])}
    return found["head"], fields, int(found["time"])


@given(
    st.lists(names, min_size=1, max_size=4, unique_by=shown),
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            st.lists(st.lists(floats, min_size=4, max_size=4), min_size=n, max_size=n),
            st.lists(st.integers(0, 2**53), min_size=n, max_size=n, unique=True),
        )
    ),
)
def test_every_finite_value_comes_back_bit_for_bit(
    sensors: list[str], data: tuple[list[list[float]], list[int]]
) -> None:
    rows, times = data
    values = np.array(rows)[:, : len(sensors)]
    tag = head("reading", [("machine", "a b,c=d")])
    text = table([tag, tag], [1, len(rows) - 1], sensors, values, np.array(times))
    lines = text.split(b"\n")
    assert lines.pop() == b""
    found = {time: fields for _, fields, time in map(parse, lines)}
    for row, time in zip(values.tolist(), times, strict=True):
        wanted = {shown(name): v for name, v in zip(sensors, row, strict=True) if math.isfinite(v)}
        assert {name: float(v) for name, v in found.get(time, {}).items()} == wanted
        for name, value in wanted.items():
            assert math.copysign(1, float(found[time][name])) == math.copysign(1, value)


@given(st.text(max_size=30), names)
def test_a_point_is_one_line_whatever_its_text(text: str, name: str) -> None:
    line = point(
        head("m", [("tag", name)]), [("text", text), ("whole", 7), ("share", 0.1), ("gone", math.nan)], 5
    )
    assert line.count(b"\n") == 1
    _, found, time = parse(line.rstrip(b"\n"))
    assert time == 5
    assert found["whole"] == b"7i"
    assert found["share"] == b"0.1"
    assert set(found) == {"text", "whole", "share"}


def test_nothing_to_say_is_no_line() -> None:
    assert point(b"m", [("a", None), ("b", math.inf)], 1) == b""
    assert table([b"m"], [1], ["a"], np.array([[math.nan]]), np.array([1])) == b""
    assert table([], [], ["a"], np.empty((0, 1)), np.array([], dtype=int)) == b""


def test_whole_numbers_stand_beside_values_that_may_be_missing() -> None:
    values = np.array([[0.5, math.nan], [math.nan, -0.0], [math.nan, math.nan]])
    heads = [b"m,unit=a", b"m,unit=none", b"m,unit=b"]
    times = np.array([1, 2, -3])
    text = table(
        heads, [2, 0, 1], ["t", "p q"], values, times, ("state", np.array([1, 2, 3], dtype=np.uint8))
    )
    assert text.splitlines() == [
        b"m,unit=a t=0.5,state=1i 1",
        b"m,unit=a p\\ q=-0.0,state=2i 2",
        b"m,unit=b state=3i -3",
    ]


@given(
    st.lists(st.binary(min_size=1, max_size=9).filter(lambda b: b"\n" not in b)),
    st.integers(1, 4),
    st.integers(1, 30),
)
def test_bodies_keep_every_line_in_order(lines: list[bytes], most: int, size: int) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    parts = list(bodies(whole, most, size))
    assert b"".join(parts) == whole
    for part in parts:
        assert 1 <= part.count(b"\n") <= most
        assert len(part) <= size or part.count(b"\n") == 1
