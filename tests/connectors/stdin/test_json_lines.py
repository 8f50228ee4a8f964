"""JSON lines: a message a line, whatever stands in it."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping.mapping import Mapping
from connectors.mapping.settings import MappingSettings
from connectors.stdin.json_lines import JsonLinesSource
from pipeline.records import Frame, Message, Reason, Rejection

OURS = b'{"machine":"a/b/c/d/e","time":1788220800000,"sensors":{"t":1}}'


def read(data: bytes, max_line: int = 100) -> list[Message | Frame | Rejection]:
    return list(JsonLinesSource(io.BytesIO(data), "stdin", max_line=max_line, clock=lambda: 42))


def test_a_line_is_a_message_received_now() -> None:
    items = read(OURS + b"\n\n  \n" + OURS + b"\r\nlast")
    messages = [one for one in items if isinstance(one, Message)]
    assert [one.value for one in messages] == [OURS, OURS, b"last"]
    assert {(one.received, one.topic, one.offset) for one in messages} == {(42, "stdin", -1)}


def test_another_system_s_line_is_read_where_it_is_plain_or_by_a_mapping() -> None:
    line = b'{"device":"P-101","ts":1788220800000,"temp":60}'
    (frame,) = read(line)
    assert isinstance(frame, Frame)
    assert (frame.machine, frame.sensors) == ("plant/site/area/line/P-101", ("temp",))
    (refused,) = read(b'[{"ts":1788220800000,"values":{"temp":60}}]')
    assert isinstance(refused, Rejection)
    assert refused.reason is Reason.MACHINE_MISSING
    mapping = Mapping(MappingSettings(machine="{id}"), "stdin")
    source = JsonLinesSource(io.BytesIO(b'{"id":7,"ts":1788220800000,"temp":60}'), mapping=mapping)
    (frame,) = list(source)
    assert isinstance(frame, Frame)
    assert frame.machine == "plant/site/area/line/7"


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
    values = [
        one.value if isinstance(one, Message) else one.original
        for one in read(data, max_line=1000)
        if not isinstance(one, Frame)
    ]
    assert values == [line.strip() for line in lines]


def test_closing_ends_it() -> None:
    source = JsonLinesSource(io.BytesIO(b"a\nb\nc\n"))
    items = iter(source)
    next(items)
    source.close()
    assert list(items) == []
