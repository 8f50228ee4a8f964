"""What `yeji map` proposes for the messages of a source, and that it says what it is not sure of."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.mapping.mapping import Mapping
from connectors.mapping.propose import Proposal, Sample, parse_samples, propose
from connectors.mapping.settings import MappingSettings
from streams.cli import make_app

T0 = 1_788_220_800_000


def proposed(*messages: tuple[str | None, Any]) -> Proposal:
    return propose([Sample(topic, json.dumps(payload).encode()) for topic, payload in messages], 5)


def values(proposal: Proposal) -> dict[str, dict[str, float]]:
    """By machine: the last value of each sensor."""
    out: dict[str, dict[str, float]] = {}
    for frame in (frame for mapped in proposal.mapped for frame in mapped.frames):
        for name, value in zip(frame.sensors, frame.values[-1].tolist(), strict=True):
            if not math.isnan(value):
                out.setdefault(frame.machine, {})[name] = value
    return out


def test_a_value_a_topic() -> None:
    topics = ("plant/L2/P-1/temp", "plant/L2/P-1/vib", "plant/L2/P-2/temp")
    proposal = proposed(*((topic, 20.5) for topic in topics))
    assert proposal.settings.topic == "plant/L2/{machine}/{sensor}"
    assert values(proposal)["plant/site/area/line/P-1"] == {"temp": 20.5, "vib": 20.5}
    assert any("time of arrival" in doubt for doubt in proposal.doubts)
    assert any("levels" in doubt for doubt in proposal.doubts)


def test_a_machine_a_topic_with_several_values() -> None:
    payload = {"ts": T0, "values": {"temp": 1, "vib": 2}}
    proposal = proposed(("acme/gwangju/P-1/telemetry", payload), ("acme/gwangju/P-2/telemetry", payload))
    assert (proposal.settings.preset, proposal.settings.topic) == (
        "thingsboard",
        "acme/gwangju/{machine}/telemetry",
    )
    assert set(values(proposal)) == {"plant/site/area/line/P-1", "plant/site/area/line/P-2"}


def test_a_field_with_an_unusual_name_is_the_machine_and_another_the_time() -> None:
    proposal = proposed(
        (None, {"serial": "a1", "when": "2026-09-01T10:00:00", "temp": 5, "mode": "auto"}),
        (None, {"serial": "a2", "when": "2026-09-01T10:00:01", "temp": 6, "mode": "auto"}),
    )
    assert (proposal.settings.machine, proposal.settings.time) == ("{serial}", "when")
    told = " ".join(proposal.doubts)
    assert "'serial'" in told
    assert "mode" in told, "what else it could be"
    assert "timezone" in told


@pytest.mark.parametrize(
    ("preset", "topic", "payload"),
    [
        ("telegraf", "t", {"name": "p", "tags": {"machine": "m"}, "fields": {"t": 1}, "timestamp": T0}),
        ("thingsboard-gateway", "t", {"P-1": [{"ts": T0, "values": {"t": 1}}]}),
        ("neuron", "t", {"node": "P-1", "group": "g", "timestamp": T0, "values": {"t": 1}}),
        ("umh", "umh/v1/a/b/c/d/e/_historian", {"timestamp_ms": T0, "t": 1}),
        ("node-red", "a/P-1", {"payload": {"t": 1}, "_msgid": "x", "topic": "y"}),
        ("sparkplug-json", "a/P-1", {"timestamp": T0, "metrics": [{"name": "t", "value": 1}]}),
    ],
)
def test_bridges_are_known_by_their_shape(preset: str, topic: str, payload: Any) -> None:
    proposal = proposed((topic, payload))
    assert proposal.settings.preset == preset
    assert list(values(proposal).values()) == [{"t": 1}]


def test_what_is_proposed_is_what_is_read_from_the_toml() -> None:
    proposal = proposed(("a/b", {"x": {"t": 1}, "ts": T0}), ("a/c", {"x": {"t": 2}, "ts": T0}))
    read = MappingSettings(**tomllib.loads(proposal.toml("hall"))["sources"]["hall"]["mapping"])
    assert read == proposal.settings
    again = Mapping(read).apply({"x": {"t": 3}, "ts": T0}, "a/b", 5)
    assert [frame.machine for frame in again.frames] == ["plant/site/area/line/b"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.none() | st.text(max_size=9), json_values), min_size=1, max_size=4))
def test_any_sample_gets_a_proposal(messages: list[tuple[str | None, Any]]) -> None:
    proposal = proposed(*messages)
    assert len(proposal.mapped) == len(messages)
    tomllib.loads(proposal.toml("x"))


def test_lines_with_and_without_a_topic() -> None:
    lines = [b'plant/P-1 {"a": 1}\n', b'{"a": 1}', b"", b"telegraf [1]", b"pump,host=a/b temp=1"]
    assert [one.topic for one in parse_samples(lines)] == ["plant/P-1", None, "telegraf", None]


def test_the_command_proposes_tries_and_says_what_to_look_at(tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_text('hall/#1/temp 20\nhall/#2/temp 21\n{"a": 1}\n')
    done = CliRunner().invoke(make_app(), ["map", str(sample), "--source", "hall"])
    assert done.exit_code == 0
    assert "[sources.hall.mapping]" in done.output
    assert "# not sure:" in done.output
    mapping = tmp_path / "map.toml"
    mapping.write_text('topic = "hall/{machine}/{sensor}"\nlevels = "acme"\n')
    done = CliRunner().invoke(make_app(), ["map", str(sample), "--mapping", str(mapping)])
    assert "acme/site/area/line/~231  (shown as acme/site/area/line/#1)" in done.output
    assert "machine-missing" in done.output
