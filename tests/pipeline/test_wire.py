"""The decoder: never raises, accounts for each reading, keeps the original; and round trips are exact."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Frame, Message, Reason, Rejection
from pipeline.wire.names import sensor_name
from pipeline.wire.readings import EARLIEST, LATEST, Limits, decode, encode_frame

NAME = "a/b/c/d/press-07"
T0 = 1_700_000_000_000
USUAL = Limits()
TINY = Limits(message_bytes=400, sensors=4, readings=5)


def wire(**fields: Any) -> dict[str, Any]:
    return {"machine": NAME, "time": [T0, T0 + 1], "sensors": {"a": [1.0, 2.0], "b": [3, None]}} | fields


def message(value: Any) -> Message:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Message(data, T0, topic="t", partition=3, offset=17)


def check(sent: Message, limits: Limits = USUAL) -> tuple[Frame | None, list[Rejection]]:
    """Decode, and hold the outcome to what always holds."""
    frame, rejections = decode(sent, limits)
    assert frame is not None or rejections, "nothing may vanish"
    for one in rejections:
        assert one.original is sent.value
        assert (one.received, one.topic, one.partition, one.offset) == (sent.received, "t", 3, 17)
        assert one.detail
        for text in (one.detail, one.machine or "", one.sensor or ""):
            text.encode()  # can be stored anywhere
            assert text.isprintable()
            assert len(text) < 4000
    if frame is not None:
        n, k = len(frame), len(frame.sensors)
        assert n > 0
        assert k > 0
        assert len(set(frame.sensors)) == k
        assert frame.values.shape == (n, k)
        assert frame.values.dtype == np.float64
        assert frame.time.shape == (n,)
        assert frame.time.dtype == np.int64
        assert not np.isinf(frame.values).any()
        assert ((frame.time >= EARLIEST) & (frame.time < LATEST)).all()
        assert n <= limits.readings
        assert k <= limits.sensors
    return frame, rejections


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([NAME, T0, "2026-01-01T00:00:00Z", [T0, T0 + 1], {"a": 1.0}, {"a": [1.0, 2.0]}]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes) -> None:
    check(message(data))


@given(json_values)
def test_arbitrary_json(value: Any) -> None:
    check(message(value))


@given(
    st.fixed_dictionaries(
        {}, optional={"machine": json_values, "time": json_values, "sensors": json_values, "x": json_values}
    )
)
def test_fields_of_any_kind(fields: dict[str, Any]) -> None:
    check(message(wire(**fields)))
    check(message(fields))


@given(st.data())
def test_a_valid_message_with_bytes_changed(data: st.DataObject) -> None:
    value = bytearray(json.dumps(wire()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1))
        what = data.draw(st.sampled_from(["change", "cut", "repeat", "drop"]))
        if what == "change":
            value[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del value[at + 1 :]
        elif what == "repeat":
            value[at:at] = value[at : at + 9]
        else:
            del value[at : at + data.draw(st.integers(1, 9))]
        value = value or bytearray(b"{")
    check(message(bytes(value)))
    check(message(bytes(value)), TINY)


cells = st.none() | st.floats() | st.integers() | st.booleans() | st.text(max_size=3) | st.just([1.0])
times = (
    st.integers(T0, T0 + 1000)
    | st.integers()
    | st.floats()
    | st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01", "", None, True, 17e8])
)


@given(st.data(), st.integers(1, 6), st.integers(1, 3))
def test_each_reading_is_taken_or_rejected(data: st.DataObject, n: int, k: int) -> None:
    """In a frame that is sound as a whole, what is missing from it is in the rejections, cell by cell."""
    time = data.draw(st.lists(times, min_size=n, max_size=n))
    sensors = {f"s{i}": data.draw(st.lists(cells, min_size=n, max_size=n)) for i in range(k)}
    frame, rejections = check(message(wire(time=time, sensors=sensors)))
    left_out = sum(one.readings for one in rejections if one.reason is Reason.TIME_INVALID)
    assert (0 if frame is None else len(frame)) + left_out == n
    if frame is not None:
        assert frame.sensors == tuple(sensors)
    for name, column in sensors.items():
        told = {r.reason: r.readings for r in rejections if r.sensor == name}
        numbers = [c for c in column if type(c) in (int, float)]
        assert told.get(Reason.VALUE_TYPE, 0) == sum(
            1 for c in column if c is not None and type(c) not in (int, float)
        )
        assert told.get(Reason.INFINITE, 0) == sum(1 for c in numbers if _beyond(c))


def _beyond(number: float) -> bool:
    try:
        return math.isinf(float(number))
    except OverflowError:
        return True


@given(
    st.lists(st.integers(EARLIEST, LATEST - 1), min_size=1, max_size=8),
    st.lists(st.text(min_size=1, max_size=5).filter(str.isprintable), min_size=1, max_size=4, unique=True),
    st.data(),
)
def test_a_frame_comes_back_to_the_last_bit(time: list[int], names: list[str], data: st.DataObject) -> None:
    names = list(dict.fromkeys(filter(None, map(sensor_name, names)))) or ["x"]
    row = st.lists(st.floats(allow_infinity=False), min_size=len(names), max_size=len(names))
    values = np.array(data.draw(st.lists(row, min_size=len(time), max_size=len(time))))
    frame = Frame(NAME, np.array(time), tuple(names), values)
    back, rejections = check(message(encode_frame(frame)))
    assert not rejections
    assert back is not None
    assert back.sensors == frame.sensors
    assert np.array_equal(back.time, frame.time)
    assert np.array_equal(back.values, values, equal_nan=True)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_written_times_are_exact_to_the_millisecond(naive: datetime, minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    frame, rejections = check(message(wire(time=at.isoformat(), sensors={"a": 1})))
    assert not rejections
    assert frame is not None
    assert int(frame.time[0]) == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text", ["2023-11-14t22:13:20.123z", " 2023-11-14T22:13:20.123Z ", "20231114T221320.123Z"]
)
def test_other_ways_to_write_a_time(text: str) -> None:
    frame, _ = check(message(wire(time=text, sensors={"a": 1})))
    assert frame is not None
    assert frame.time.tolist() == [T0 + 123]


def test_a_list_where_time_is_one_time_is_refused() -> None:
    for cell in ([1.0], [1.0, 2.0], []):
        frame, rejections = check(message(wire(time=T0, sensors={"a": cell})))
        assert frame is None
        assert [one.reason for one in rejections] == [Reason.LENGTHS]


def test_deep_nesting_anywhere_is_told() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    head = json.dumps(wire()).encode()[:-1]
    for data in (deep, head + b',"x":' + deep + b"}", b'{"sensors":' + deep + b"}"):
        frame, rejections = check(message(data))
        assert frame is None
        assert [one.reason for one in rejections] == [Reason.NOT_JSON]


def test_names_that_are_no_text_can_still_be_stored() -> None:
    for fields in (
        {"machine": "a/b/c/d/\ud800"},
        {"machine": "x" * 900_000},
        {"sensors": {"\ud800\n": [1, 2]}},
    ):
        frame, rejections = check(message(wire(**fields)))
        assert frame is None
        assert rejections[0].reason in (Reason.MACHINE_INVALID, Reason.SENSOR_NAME)


def test_a_large_message_is_not_even_decoded() -> None:
    """Ten megabytes of anything cost no time and no memory beside the message itself."""
    data = b"[" * 10_000_000
    frame, rejections = check(message(data))
    assert frame is None
    assert rejections[0].reason is Reason.TOO_LARGE
    assert rejections[0].original is data
