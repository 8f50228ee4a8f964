"""Raw waveforms come in as one reading of their features; what cannot be used is rejected with a remedy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Message, Reason
from pipeline.wire.readings import decode

TIME = 1_700_000_000_000
RATE = 5120.0
SINE = (np.sin(2 * np.pi * 160 * np.arange(2048) / RATE) * 9.80665).tolist()


def message(**fields: Any) -> Message:
    wire: dict[str, Any] = {"machine": "a/b/c/d/e", "time": TIME, "waveform": {"de": SINE}, "rate": RATE}
    wire |= fields
    return Message(json.dumps({k: v for k, v in wire.items() if v != "leave out"}).encode(), TIME)


def sensors(**fields: Any) -> dict[str, float]:
    frame, rejections = decode(message(**fields))
    assert frame is not None
    assert not rejections
    assert len(frame) == 1
    return dict(zip(frame.sensors, frame.values[0].tolist(), strict=True))


def test_a_waveform_becomes_one_reading_of_its_features() -> None:
    found = sensors()
    # 1 g of sine at 160 Hz: 9.807 / √2 m/s², and divided by 2π·160 as velocity
    assert found["de.rms"] == pytest.approx(6.934, rel=1e-3)
    assert found["de.velocity_rms"] == pytest.approx(6.898, rel=1e-2)
    assert found["de.crest"] == pytest.approx(2**0.5, rel=0.03)
    assert found["de.band_100_1000"] == pytest.approx(6.934, rel=1e-2)
    assert "speed" not in found


def test_unit_g_speed_bearing_and_other_sensors() -> None:
    bearing = {"balls": 9, "ball": 7.94, "pitch": 39.04}
    found = sensors(unit="g", speed=1500, bearing=bearing, sensors={"temperature": 61.5})
    assert found["de.rms"] == pytest.approx(6.934 * 9.80665, rel=1e-3)
    assert found["speed"] == 1500
    assert found["temperature"] == 61.5
    assert {"de.envelope_bpfo", "de.envelope_bpfi", "de.envelope_bsf", "de.envelope_ftf"} <= set(found)


def test_a_feature_that_cannot_be_known_is_missing() -> None:
    found = sensors(waveform={"de": [1.0] * 100})
    assert np.isnan(found["de.kurtosis"])
    assert found["de.rms"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("fields", "reason", "text"),
    [
        ({"rate": "leave out"}, Reason.WRONG_TYPE, "No `rate`"),
        ({"rate": -1}, Reason.WRONG_TYPE, "number above 0"),
        ({"rate": True}, Reason.WRONG_TYPE, "number above 0"),
        ({"waveform": []}, Reason.WRONG_TYPE, "must be an object"),
        ({"waveform": {}}, Reason.WRONG_TYPE, "must be an object"),
        ({"waveform": {"de": [1.0, None] * 99}}, Reason.WRONG_TYPE, "'de' must be a list of numbers"),
        ({"waveform": {"de": [1.0] * 10}}, Reason.WRONG_TYPE, "needs 64 or more"),
        ({"waveform": {"de": [10**400] * 99}}, Reason.WRONG_TYPE, "'de'"),
        ({"unit": "mm"}, Reason.WRONG_TYPE, "m/s2 or g"),
        ({"bearing": {"balls": 9}}, Reason.WRONG_TYPE, "send balls, ball, pitch"),
        ({"bearing": {"balls": 9, "ball": 5, "pitch": 4}}, Reason.WRONG_TYPE, "no bearing has"),
        ({"bearing": 5}, Reason.WRONG_TYPE, "`bearing`"),
        ({"time": [TIME]}, Reason.LENGTHS, "a waveform has one time"),
        ({"time": "leave out"}, Reason.TIME_MISSING, "No `time`"),
    ],
)
def test_what_cannot_be_used_is_rejected(fields: dict[str, Any], reason: Reason, text: str) -> None:
    frame, rejections = decode(message(**fields))
    assert frame is None
    assert [r.reason for r in rejections] == [reason]
    assert text in rejections[0].detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=70) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=80,
)


@given(waveform=json_values, rate=json_values, bearing=json_values, speed=json_values)
def test_nothing_that_is_sent_raises(waveform: Any, rate: Any, bearing: Any, speed: Any) -> None:
    frame, rejections = decode(message(waveform=waveform, rate=rate, bearing=bearing, speed=speed))
    assert (frame is None) != (not rejections) or frame is not None
