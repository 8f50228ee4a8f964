"""Payloads of other systems become the readings that they mean, by a few settings or none."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping.mapping import Mapping
from connectors.mapping.settings import MappingSettings
from pipeline.machine import display_name, level_name, machine_name, parse_machine
from pipeline.records import Frame, Message, Reason
from pipeline.wire.readings import RejectedError, decode, encode_frame

T0 = 1_788_220_800_000
P101 = "plant/site/area/line/P-101"


def readings(frames: list[Frame]) -> dict[tuple[str, int], dict[str, float]]:
    """Each value by machine, time and sensor; missing ones left out."""
    return {
        (frame.machine, time): {
            name: value for name, value in zip(frame.sensors, row, strict=True) if not math.isnan(value)
        }
        for frame in frames
        for time, row in zip(frame.time.tolist(), frame.values.tolist(), strict=True)
    }


PLAIN: list[tuple[Any, dict[tuple[str, int], dict[str, float]]]] = [
    ({"machine": "P-101", "time": T0 // 1000, "sensors": {"temp": 60}}, {(P101, T0): {"temp": 60}}),
    (
        {"timestamp": "2026-09-01T00:00:00Z", "device": "P-101", "temp": 60, "mode": "auto"},
        {(P101, T0): {"temp": 60}},
    ),
    (
        {"name": "pump", "tags": {"host": "P-101"}, "fields": {"temp": 60}, "timestamp": T0 // 1000},
        {(P101, T0): {"temp": 60}},
    ),
    (
        {"machine": "a/b/c/d/P-101", "time": T0, "sensors": {"temp": {"value": 60, "quality": "Good"}}},
        {("a/b/c/d/P-101", T0): {"temp": 60}},
    ),
    (
        {"machine": "a/b/c/d/P-101", "time": T0, "quality": "Bad", "sensors": {"temp": -9999}},
        {("a/b/c/d/P-101", T0): {}},
    ),
    (
        [{"asset": "P-101", "tag": "temp", "value": "60.5", "ts": T0 * 1000, "unit": "℃"}],
        {(P101, T0): {"temp": 60.5}},
    ),
    (
        {"설비": "P-101", "시각": "2026-09-01T09:00:00+09:00", "온도": 60, "온도_quality": 192},
        {(P101, T0): {"온도": 60}},
    ),
    (
        {"device": "P-101", "ts": T0, "data": {"axis": {"x": 1, "y": True}}, "seq": 7},
        {(P101, T0): {"axis.x": 1, "axis.y": 1}},
    ),
    (
        f'pump,machine=P-101 temp=60,on=t,n=5i,text="a,b c" {T0}000000',
        {(P101, T0): {"temp": 60, "on": 1, "n": 5}},
    ),
]


@pytest.mark.parametrize(("payload", "expected"), PLAIN)
def test_what_is_plain_needs_no_settings(payload: Any, expected: Any) -> None:
    mapped = Mapping().apply(payload if isinstance(payload, str) else json.dumps(payload), None, 5)
    assert readings(mapped.frames) == expected
    assert not mapped.rejections


BRIDGES: list[tuple[dict[str, Any], str, Any, dict[tuple[str, int], dict[str, float]]]] = [
    (
        {"preset": "telegraf"},
        "telegraf",
        {"metrics": [{"tags": {"host": "gw", "machine": "P-101"}, "fields": {"t": 6}, "timestamp": T0}]},
        {(P101, T0): {"t": 6}},
    ),
    (
        {"preset": "thingsboard", "machine": "{topic[-1]}"},
        "tb/P-101",
        [{"ts": T0, "values": {"temp": 60}}, {"ts": T0 + 1000, "values": {"temp": "61"}}],
        {(P101, T0): {"temp": 60}, (P101, T0 + 1000): {"temp": 61}},
    ),
    (
        {"preset": "thingsboard-gateway"},
        "v1/gateway/telemetry",
        {"P-101": [{"ts": T0, "values": {"t": 1}}], "P-102": [{"ts": T0, "values": {"t": 2}}]},
        {(P101, T0): {"t": 1}, ("plant/site/area/line/P-102", T0): {"t": 2}},
    ),
    (
        {"preset": "neuron"},
        "neuron/P-101",
        {"node": "P-101", "group": "g", "timestamp": T0, "values": {"t1": 60.5}, "errors": {"t2": 2014}},
        {(P101, T0): {"t1": 60.5}},
    ),
    (
        {"preset": "neuron"},
        "neuron/P-101",
        {"node": "P-101", "timestamp": T0, "tags": [{"name": "t1", "value": 6}, {"name": "t2", "error": 1}]},
        {(P101, T0): {"t1": 6}},
    ),
    (
        {"preset": "umh"},
        "umh/v1/acme/gwangju/body/l2/p7/_historian/axis/x",
        {"timestamp_ms": T0, "value": 60.5},
        {("acme/gwangju/body/l2/p7", T0): {"axis.x": 60.5}},
    ),
    (
        {"preset": "umh"},
        "umh/v1/acme/gwangju/p7/_historian",
        {"timestamp_ms": T0, "temp": 60.5, "axis": {"x": 1}},
        {("acme/gwangju/area/line/p7", T0): {"temp": 60.5, "axis.x": 1}},
    ),
    (
        {"preset": "node-red", "machine": "{topic[1]}"},
        "f/P-101",
        {"payload": {"temp": 1, "vib": 2}, "topic": "x", "_msgid": "ab", "timestamp": T0},
        {(P101, T0): {"temp": 1, "vib": 2}},
    ),
    (
        {"preset": "sparkplug-json", "machine": "{topic[-1]}"},
        "f/P-101",
        {"timestamp": T0, "metrics": [{"name": "temp", "alias": 1, "value": 60.1}], "seq": 0},
        {(P101, T0): {"temp": 60.1}},
    ),
    (
        {"topic": "plant/{line}/{machine}/{sensor}", "levels": "acme/gwangju/body"},
        "plant/L2/P-1/temp",
        23.4,
        {("acme/gwangju/body/L2/P-1", 5): {"temp": 23.4}},
    ),
    (
        {"machine": "{tags.line}/{tags.name}", "each": "items[*]", "sensors": "v", "time": "at",
         "time_unit": "%d.%m.%Y %H:%M", "timezone": "Asia/Seoul"},
        "t",
        {"tags": {"line": "l/1", "name": "p"}, "at": "01.09.2026 09:00", "items": [{"v": {"a": 1}}]},
        {("plant/site/area/l~2F1/p", T0): {"a": 1}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "topic", "payload", "expected"), BRIDGES)
def test_bridges(settings: dict[str, Any], topic: str, payload: Any, expected: Any) -> None:
    mapped = Mapping(MappingSettings(**settings)).apply(json.dumps(payload), topic, 5)
    assert readings(mapped.frames) == expected


def test_without_a_machine_the_rejection_says_what_to_set() -> None:
    (rejection,) = Mapping(source="hall").apply(b'{"ts": 1788220800000, "temp": 1}', None, 5).rejections
    assert rejection.reason is Reason.MACHINE_MISSING
    assert "`machine`" in rejection.detail
    assert (rejection.original, rejection.topic) == (b'{"ts": 1788220800000, "temp": 1}', "hall")


def test_a_renamed_machine_and_sensor_and_one_left_out() -> None:
    settings = MappingSettings(machines={"P-101": "a/b/c/d/pump"}, names={"TT1": "temp"}, ignore=["x_*"])
    payload = {"device": "P-101", "ts": T0, "TT1": 1, "x_1": 2}
    assert readings(Mapping(settings).apply(payload, None, 5).frames) == {("a/b/c/d/pump", T0): {"temp": 1}}


def test_an_uncertain_value_is_marked_and_comes_through_the_wire() -> None:
    payload = {"device": "P-101", "ts": T0, "temp": 1, "temp_quality": "Uncertain", "vib": 2}
    (frame,) = Mapping().apply(payload, None, 5).frames
    assert frame.uncertain is not None
    assert frame.uncertain.tolist() == [[True, False]]
    again, rejections = decode(Message(encode_frame(frame), 5))
    assert again is not None
    assert not rejections
    assert again.uncertain is not None
    assert again.uncertain.tolist() == [[True, False]]


def test_rows_of_a_source_that_reads_values_itself() -> None:
    mapping = Mapping(MappingSettings(levels="acme/gwangju", names={"TT1": "temp ℃"}))
    frame = mapping.rows("#1", [T0, T0 + 1], {"TT1": [1, 2], "b": [3, 4]}, {"TT1": ["Bad", 64]})
    assert frame is not None
    assert (frame.machine, frame.sensors) == ("acme/gwangju/area/line/~231", ("temp °C", "b"))
    assert np.array_equal(frame.values, [[math.nan, 3], [2, 4]], equal_nan=True)
    assert frame.uncertain is not None
    assert frame.uncertain.tolist() == [[False, False], [True, False]]
    with pytest.raises(RejectedError):
        mapping.frame("", T0, {"a": 1})


WRONG = (
    {"each": "a..b"},
    {"machine": "{a"},
    {"time_unit": "weeks"},
    {"levels": "a/b/c/d/e"},
    {"timezone": "Mars"},
    {"preset": "excel"},
)


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MappingSettings.model_validate(wrong)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([T0, "P-1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ts", "device", "values", "value", "name", "metrics", "quality", "tags", "x"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    json_values,
    st.sampled_from(["plain", "telegraf", "thingsboard-gateway", "neuron", "umh", "sparkplug-json"]),
)
def test_any_json_is_taken_or_rejected_and_never_raises(payload: Any, preset: str) -> None:
    mapped = Mapping(MappingSettings(preset=preset)).apply(json.dumps(payload), "umh/v1/a/b/_historian/t", 5)
    assert mapped.frames or mapped.rejections
    for frame in mapped.frames:
        parse_machine(frame.machine)
        decoded, _ = decode(Message(encode_frame(frame), 5, frame.machine.encode()))
        assert decoded is None or decoded.machine == frame.machine


@given(st.binary(max_size=60), st.text(max_size=20))
def test_any_bytes_are_taken_or_rejected(payload: bytes, topic: str) -> None:
    mapped = Mapping().apply(payload, topic, 5)
    assert mapped.frames or mapped.rejections


NAMES = (
    *("#1 Pump", "Pump A/B", "P&ID-7", "O'Neil", "=M1+A2-K3", "펌프 3", "Pump-7 (old)", "1호기/펌프"),
    "~",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_plants_keep_their_look(name: str) -> None:
    machine = machine_name(name)
    assert display_name(parse_machine(machine).machine) == name
    assert machine_name(machine) == machine, "an id stays as it is"


@given(
    st.text(min_size=1, max_size=30).filter(
        lambda text: "~" not in text and text.strip() and text.strip().isprintable()
    )
)
def test_any_printable_name_becomes_an_id_and_back(name: str) -> None:
    import unicodedata

    machine = level_name([name])
    shown = display_name(parse_machine(machine).machine)
    assert shown == unicodedata.normalize("NFC", name).strip() or shown.endswith("…")


def test_long_names_stay_apart() -> None:
    one, two = level_name(["x" * 80 + "1"]), level_name(["x" * 80 + "2"])
    assert one != two
    parse_machine(one)
