"""Event time goes forward only, and each reading is taken or counted once, however frames are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.intake import REMEMBERED, Clock, admit
from pipeline.records import Frame, Message, Reason, Rejection
from pipeline.wire.readings import decode, encode_frame

NAME = "a/b/c/d/e"
T0 = 1_700_000_000_000
FUTURE = 1000


def frame_of(time: list[int]) -> Frame:
    values = np.array(time, dtype=np.float64)[:, None]
    return Frame(NAME, np.array(time, dtype=np.int64), ("x",), values)


def origin(frame: Frame, received: int = T0 + 500) -> Message:
    return Message(encode_frame(frame), received, topic="t", offset=1)


@given(st.lists(st.lists(st.integers(0, 2500), max_size=8), max_size=8))
def test_each_reading_is_taken_or_counted_once(batches: list[list[int]]) -> None:
    clock = Clock()
    taken: list[int] = []
    left_out = 0
    for batch in batches:
        frame = frame_of([T0 + t for t in batch])
        sent = origin(frame)
        admitted, rejections = admit(frame, clock, sent, FUTURE)
        here = [] if admitted is None else admitted.time.tolist()
        if admitted is not None:
            assert admitted.values[:, 0].tolist() == here, "values stay with their times"
        assert len(here) + sum(one.readings for one in rejections) == len(batch)
        assert all(one.original == sent.value for one in rejections)
        taken += here
        left_out += sum(one.readings for one in rejections)
    assert taken == sorted(set(taken)), "strictly forward"
    assert all(time <= T0 + 500 + FUTURE for time in taken)
    assert len(taken) + left_out == sum(map(len, batches))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.data())
def test_what_is_taken_does_not_depend_on_how_sorted_readings_are_cut(
    offsets: list[int], data: st.DataObject
) -> None:
    times = sorted(T0 + t for t in offsets)
    whole, clock = Clock(), Clock()
    one, _ = admit(frame_of(times), whole, origin(frame_of(times)), FUTURE)
    assert one is not None
    parts: list[int] = []
    while times:
        cut = data.draw(st.integers(1, len(times)))
        part, _ = admit(frame_of(times[:cut]), clock, origin(frame_of(times[:cut])), FUTURE)
        parts += [] if part is None else part.time.tolist()
        times = times[cut:]
    assert parts == one.time.tolist()
    assert clock.last == whole.last
    assert clock.recent.tolist() == whole.recent.tolist()


def reasons(rejections: list[Rejection]) -> dict[Reason, int]:
    return {one.reason: one.readings for one in rejections}


def test_duplicates_and_late_ones_are_told_apart() -> None:
    clock = Clock()
    admit(frame_of([T0, T0 + 20]), clock, origin(frame_of([T0])), FUTURE)
    _, rejections = admit(
        frame_of([T0, T0 + 10, T0 + 20, T0 + 30, T0 + 30]), clock, origin(frame_of([T0])), FUTURE
    )
    assert reasons(rejections) == {Reason.DUPLICATE: 3, Reason.LATE: 1}
    for i in range(REMEMBERED):
        admit(frame_of([T0 + 100 + i]), clock, origin(frame_of([T0])), FUTURE)
    _, rejections = admit(frame_of([T0]), clock, origin(frame_of([T0])), FUTURE)
    assert reasons(rejections) == {Reason.LATE: 1}, "forgotten: cannot be told from a late one any more"


def test_a_wrong_clock_does_not_close_the_door() -> None:
    clock = Clock()
    admitted, rejections = admit(frame_of([T0, T0 + 10**9]), clock, origin(frame_of([T0])), FUTURE)
    assert admitted is not None
    assert admitted.time.tolist() == [T0]
    assert reasons(rejections) == {Reason.TIME_FUTURE: 1}
    admitted, _ = admit(frame_of([T0 + 1]), clock, origin(frame_of([T0])), FUTURE)
    assert admitted is not None


def test_without_a_message_the_readings_themselves_are_the_original() -> None:
    clock = Clock()
    admit(frame_of([T0, T0 + 10]), clock, Message(b"", 1 << 62), FUTURE)
    _, rejections = admit(frame_of([T0, T0 + 10, T0 + 20]), clock, Message(b"", 1 << 62), FUTURE)
    original, _ = decode(Message(rejections[0].original, 0))
    assert original is not None
    assert original.time.tolist() == [T0, T0 + 10]
