"""docs/bad-input.md, row by row: what it says happens, and it speaks of every reason there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmPhase, Message, Reason, Results, State
from pipeline.settings import ClassSettings, IntakeSettings
from streams.settings import Settings
from tests.pipeline.plant import SENSORS, START, recording, settings, through

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"
NAME = "a/b/c/d/press-07"
T0 = 1_700_000_000_000


def run(*values: Any, key: bytes | None = None, using: Settings | None = None, offset: int = -1) -> Results:
    """One pipeline's results of these messages."""
    messages = []
    for value in values:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        messages.append(Message(data, T0, key=key, offset=offset))
    return through(Pipeline(using or Settings()), messages)


def wire(**fields: Any) -> dict[str, Any]:
    return {"machine": NAME, "time": [T0, T0 + 1], "sensors": {"a": [1.0, 2.0], "b": [3.0, 4.0]}} | fields


WHOLE = [
    (b"", "not-json"),
    (b'{"machine": "a/b/c/d/e", "time": 17', "not-json"),
    (b'{"machine": "a/b/c/d/\xff"}', "not-json"),
    (b"[" * 50_000, "not-json"),
    (b"\x00\x01\x02", "not-json"),
    (b"[1]", "wrong-type"),
    (b"null", "wrong-type"),
    (b'"text"', "wrong-type"),
    (wire(machine=7), "wrong-type"),
    (wire(sensors=[1]), "wrong-type"),
    (b" " * 10_000_000, "too-large"),
    (wire(time=[T0] * 100_001, sensors={"a": [1.0] * 100_001}), "too-large"),
    ({"time": T0, "sensors": {"a": 1}}, "machine-missing"),
    (wire(machine=None), "machine-missing"),
    (wire(machine=""), "machine-invalid"),
    (wire(machine="press\n07"), "machine-invalid"),
    (wire(machine="x" * 400), "machine-invalid"),
    ({"machine": NAME, "sensors": {"a": 1}}, "time-missing"),
    (wire(time=None), "time-missing"),
    (wire(time=[], sensors={"a": []}), "time-missing"),
    ({"machine": NAME, "time": T0}, "sensors-missing"),
    (wire(sensors={}), "sensors-missing"),
    (wire(sensors=None), "sensors-missing"),
    (wire(sensors={"": [1, 2]}), "sensor-name-invalid"),
    (wire(sensors={"a\nb": [1, 2]}), "sensor-name-invalid"),
    (wire(sensors={"x" * 129: [1, 2]}), "sensor-name-invalid"),
    (wire(sensors={f"s{i}": [1, 2] for i in range(257)}), "too-many-sensors"),
    (wire(sensors={"a": [1, 2], "b": [1, 2, 3]}), "unequal-lengths"),
    (wire(sensors={"a": 1}), "unequal-lengths"),
    (wire(time=T0, sensors={"a": [1]}), "unequal-lengths"),
]


@pytest.mark.parametrize(("value", "reason"), WHOLE, ids=[f"{i}-{r}" for i, (_, r) in enumerate(WHOLE)])
def test_rejected_as_a_whole(value: Any, reason: str) -> None:
    results = run(value)
    assert not results.scored
    assert [one.reason.value for one in results.rejections] == [reason]
    original = results.rejections[0].original
    assert original == (value if isinstance(value, bytes) else json.dumps(value).encode())
    assert results.rejections[0].detail


PARTS = [
    (wire(time=[T0, "soon"]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, "2026-01-01T00:00:00"]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, T0 // 1000 // 60]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, 9_999_999_999_999]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, None]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, True]), "time-invalid", 1, [[1, 3]]),
    (wire(time=[T0, T0 + 86_400_000]), "time-in-the-future", 1, [[1, 3]]),
    (wire(sensors={"a": [1, "2"]}), "value-not-a-number", 1, [[1], [None]]),
    (wire(sensors={"a": [1, True]}), "value-not-a-number", 1, [[1], [None]]),
    (wire(sensors={"a": [1, {}]}), "value-not-a-number", 1, [[1], [None]]),
    (wire(sensors={"a": [[1], 2]}), "value-not-a-number", 1, [[None], [2]]),
    (wire(sensors={"a": [1, float("inf")]}), "infinite", 1, [[1], [None]]),
    (wire(sensors={"a": [1, float("-inf")]}), "infinite", 1, [[1], [None]]),
    (wire(sensors={"a": [1, 10**400]}), "infinite", 1, [[1], [None]]),
    (wire(time=[T0, T0]), "duplicate", 1, [[1, 3]]),
]


@pytest.mark.parametrize(
    ("value", "reason", "count", "left"), PARTS, ids=[f"{i}-{p[1]}" for i, p in enumerate(PARTS)]
)
def test_only_what_is_wrong_is_left_out(value: Any, reason: str, count: int, left: list[Any]) -> None:
    results = run(value)
    (rejection,) = results.rejections
    assert (rejection.reason.value, rejection.readings) == (reason, count)
    assert rejection.original == json.dumps(value).encode()
    assert rejection.machine == NAME
    (scored,) = results.scored
    assert np.array_equal(scored.values, np.array(left, dtype=np.float64), equal_nan=True)


def test_a_huge_number_literal_is_infinite() -> None:
    results = run(b'{"machine":"a/b/c/d/e","time":1700000000000,"sensors":{"t":1e999}}')
    assert [one.reason for one in results.rejections] == [Reason.INFINITE]
    assert results.readings == 1


def test_an_unknown_machine_is_watched_or_rejected_as_the_settings_say() -> None:
    press = {"press": ClassSettings(match=["*/press-*"])}
    taken = run(wire(machine="a/b/c/d/robot"), using=Settings(classes=press))
    assert taken.scored[0].machine_class == "press"
    listed = Settings(classes=press, intake=IntakeSettings(machines="listed"))
    results = run(wire(machine="a/b/c/d/robot"), wire(), using=listed)
    assert [one.reason.value for one in results.rejections] == ["machine-unknown"]
    assert results.rejections[0].original == json.dumps(wire(machine="a/b/c/d/robot")).encode()
    assert [one.machine for one in results.scored] == [NAME]


def test_a_message_under_another_key_is_rejected() -> None:
    results = run(wire(), key=b"other")
    assert [one.reason.value for one in results.rejections] == ["key-mismatch"]
    assert not run(wire(), key=NAME.encode()).rejections


def test_late_and_duplicate_readings() -> None:
    results = run(wire(), wire(time=[T0 - 5, T0]), wire(time=[T0 + 1, T0 + 2]))
    assert [(one.reason.value, one.readings) for one in results.rejections] == [
        ("duplicate", 1),
        ("duplicate", 1),
    ]
    assert np.concatenate([one.time for one in results.scored]).tolist() == [T0 - 5, T0, T0 + 1, T0 + 2]


def test_sensors_beyond_the_limit_are_left_out_and_the_known_ones_used() -> None:
    small = Settings(intake=IntakeSettings(max_sensors=2))
    results = run(wire(), wire(time=[T0 + 2, T0 + 3], sensors={"a": [5, 6], "c": [7, 8]}), using=small)
    assert [one.reason.value for one in results.rejections] == ["too-many-sensors"]
    assert {name for one in results.scored for name in one.sensors} == {"a", "b"}
    values = np.concatenate([one.values[:, one.sensors.index("a")] for one in results.scored])
    assert values.tolist() == [1, 2, 5, 6]


@pytest.mark.parametrize("missing", ["null", "NaN"])
def test_missing_values_are_taken(missing: str) -> None:
    data = f'{{"machine":"{NAME}","time":{T0},"sensors":{{"a":{missing},"b":{missing}}}}}'
    results = run(data.encode())
    assert not results.rejections
    assert np.isnan(results.scored[0].values).all()


def test_unknown_fields_and_disorder_are_taken() -> None:
    results = run(wire(time=[T0 + 1, T0], unit="bar", nested={"x": [1, {"y": None}]}))
    assert not results.rejections
    assert results.scored[0].time.tolist() == [T0, T0 + 1]
    assert results.scored[0].values.tolist() == [[2, 4], [1, 3]]


def test_a_message_that_comes_twice_by_its_offset_is_skipped() -> None:
    results = run(wire(), wire(), offset=5)
    assert not results.rejections
    assert results.readings == 2


def test_a_sensor_that_appears_and_one_that_vanishes() -> None:
    pipeline = Pipeline(settings())
    frame = recording("a/b/c/d/m", 600, 3, late_sensor=300)
    results = pipeline.process([frame])
    assert not results.rejections
    layouts = [one.sensors for one in results.scored]
    assert layouts[0] != layouts[-1]
    assert set(layouts[-1]) > set(SENSORS)
    assert all(s != State.LEARNING for one in results.scored[-3:] for s in one.state.tolist())
    gone = recording("a/b/c/d/n", 400, 4)
    gone.values[200:, 1] = np.nan
    results = pipeline.process([gone])
    assert not results.rejections
    told = [a for a in results.alarms if a.sensor == SENSORS[1] and a.phase is AlarmPhase.RAISED]
    assert told
    assert "dropout" in told[0].detail
    assert told[0].time > START + 200_000


# -- the page


def test_the_page_speaks_of_every_reason_and_of_no_other() -> None:
    table = PAGE.read_text().split("## What becomes of it")[1].split("\n## ")[0]
    told = set(re.findall(r"\| `([a-z-]+)` \|$", table, flags=re.MULTILINE))
    assert told == {reason.value for reason in Reason}


def test_every_setting_that_the_pages_name_exists() -> None:
    for name in ("bad-input.md", "wire.md"):
        text = (PAGE.parent / name).read_text()
        for section, field in re.findall(r"`(intake|kafka)\.(\w+)", text):
            assert field in type(getattr(Settings(), section)).model_fields, f"{name}: {section}.{field}"


def test_the_numbers_of_the_wire_page_are_the_code_s() -> None:
    text = (PAGE.parent / "wire.md").read_text()
    fresh = Settings()
    for shown in (
        f"{fresh.kafka.max_message_bytes:,}",
        f"{fresh.intake.max_readings:,}",
        f"| {fresh.intake.max_sensors} |",
        f"{fresh.intake.future:.0f} s",
    ):
        assert shown in text
    for example in re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL):
        at = 1_764_050_500_000
        results = through(Pipeline(fresh), [Message(example.encode(), at)])
        assert results.readings
        assert not results.rejections
