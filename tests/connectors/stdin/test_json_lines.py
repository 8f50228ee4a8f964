"""JSON lines: a message a line, whatever stands in it."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from connectors.stdin.json_lines import JsonLinesSource
from pipeline.records import Message, Reason, Rejection


def read(data: bytes, max_line: int = 100) -> list[Message | Rejection]:
    return list(JsonLinesSource(io.BytesIO(data), "stdin", max_line=max_line, clock=lambda: 42))


def test_a_line_is_a_message_received_now() -> None:
    items = read(b'{"a":1}\n\n  \n{"b":2}\r\nlast')
    assert [one.value for one in items if isinstance(one, Message)] == [b'{"a":1}', b'{"b":2}', b"last"]
    assert {(one.received, one.topic, one.offset) for one in items} == {(42, "stdin", -1)}


def test_a_line_that_is_too_long_is_told_and_the_next_one_read() -> None:
    items = read(b"a\n" + b"x" * 5000 + b"\nb\n")
    first, long, last = items
    assert isinstance(first, Message)
    assert isinstance(last, Message)
    assert last.value == b"b"
    assert isinstance(long, Rejection)
    assert long.reason is Reason.TOO_LARGE
    assert long.original == b"x" * 100
    assert "stdin:2" in long.detail
    assert "5001 bytes" in long.detail


@given(st.binary(max_size=400))
def test_no_line_is_lost(data: bytes) -> None:
    lines = [line for line in data.split(b"\n") if line.strip()]
    assert len(read(data, max_line=50)) >= sum(len(line) <= 50 for line in lines)
    values = [one.value for one in read(data, max_line=1000) if isinstance(one, Message)]
    assert values == [line.strip() for line in lines]


def test_closing_ends_it() -> None:
    source = JsonLinesSource(io.BytesIO(b"a\nb\nc\n"))
    items = iter(source)
    next(items)
    source.close()
    assert list(items) == []
