"""The engine: which messages the pipeline sees, and how state comes back from snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.partitioning import librdkafka
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame, Message, Reason
from pipeline.settings import AlarmSettings, ClassSettings, IntakeSettings, LearningSettings, SensorSettings
from pipeline.wire.readings import encode_frame
from streams.agents.engine import Engine
from streams.agents.fetch import Chunk
from streams.agents.partition_state import PartitionState, Phase
from streams.agents.snapshots import Stored, latest, parse_key, snapshot_key
from streams.settings import Settings

SETTINGS = Settings(
    classes={"all": ClassSettings(learning=LearningSettings(warmup=40))}, intake=IntakeSettings(wait=0)
)
MACHINES = ("a/b/c/d/one", "a/b/c/d/two")


@dataclass(frozen=True)
class Fetched:
    """A record as aiokafka gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 1_790_000_000_000


def fetched(offset: int, machine: str = MACHINES[0]) -> Fetched:
    """Ten readings of a machine."""
    time = 1_780_000_000_000 + (offset * 10 + np.arange(10)) * 1000
    values = np.sin(time / 7000.0)[:, None] + offset % 3 / 100
    return Fetched(offset, machine.encode(), encode_frame(Frame(machine, time, ("t",), values)))


def engine() -> Engine:
    """A fresh one."""
    return Engine(Pipeline(SETTINGS), "feedback")


def stored(one: Any, slot: int) -> Stored:
    """A dump as the topic holds it."""
    return Stored(one.machine, slot, one.offset, one.data)


def test_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    partition = PartitionState("frames", 0)
    records = [fetched(n, MACHINES[n % 2]) for n in range(20)]
    whole = engine().process([Chunk(partition, records)])
    first = engine()
    first.process([Chunk(partition, records[:11])])
    dumped = first.dump_changed(frozenset({0}))
    assert {one.machine: one.offset for one in dumped} == {MACHINES[0]: 10, MACHINES[1]: 9}
    assert first.dump_changed(frozenset({0})) == [], "nothing changed since"
    second = engine()
    restored = second.restore(0, {one.machine: [stored(one, 1)] for one in dumped})
    assert (restored.machines, restored.rewind) == (2, None)
    assert restored.slots == dict.fromkeys(MACHINES, 1)
    # It is given more than it has not seen: what is in the snapshots is left out.
    again = second.process([Chunk(partition, records[5:])])
    wanted = {(s.machine, t): v for s in whole.scored for t, v in zip(s.time.tolist(), s.score, strict=True)}
    found = {(s.machine, t): v for s in again.scored for t, v in zip(s.time.tolist(), s.score, strict=True)}
    assert len(found) == 90
    assert all(np.array_equal(wanted[key], value, equal_nan=True) for key, value in found.items())


def test_only_machines_of_the_partitions_asked_for() -> None:
    one = engine()
    zero, three = PartitionState("frames", 0), PartitionState("frames", 3)
    one.process([Chunk(zero, [fetched(0)]), Chunk(three, [fetched(0, MACHINES[1])])])
    assert [d.machine for d in one.dump_changed(frozenset({3}))] == [MACHINES[1]]
    assert [d.machine for d in one.dump_changed(frozenset({0, 3}))] == [MACHINES[0]]
    one.forget(frozenset({3}))
    assert one.machines == 1
    one.retain(frozenset({1}))
    assert one.machines == 0


def test_damaged_snapshots_say_how_far_to_go_back() -> None:
    first, partition = engine(), PartitionState("frames", 0)
    first.process([Chunk(partition, [fetched(0), fetched(1, MACHINES[1])])])
    old = {d.machine: stored(d, 0) for d in first.dump_changed(frozenset({0}))}
    first.process([Chunk(partition, [fetched(4), fetched(5, MACHINES[1])])])
    new = {d.machine: stored(d, 1) for d in first.dump_changed(frozenset({0}))}
    bad = {m: Stored(m, s.slot, s.offset, s.data[:-3]) for m, s in new.items()}
    restored = engine().restore(0, {m: [bad[m], old[m]] for m in MACHINES})
    assert (restored.rewind, restored.behind) == (1, set(MACHINES))
    assert restored.slots == dict.fromkeys(MACHINES, 0), "the next one takes the damaged one's slot"
    lost = engine().restore(0, {MACHINES[0]: [bad[MACHINES[0]]], MACHINES[1]: [new[MACHINES[1]]]})
    assert (lost.machines, lost.rewind, lost.behind) == (1, 0, {MACHINES[0]})


def test_going_back_is_for_the_machines_behind_alone() -> None:
    one = engine()
    partition = PartitionState("frames", 0, resume=2, behind=frozenset({MACHINES[1]}))
    records = [fetched(0), fetched(1, MACHINES[1]), fetched(2), fetched(3, MACHINES[1])]
    results = one.process([Chunk(partition, records)])
    assert (
        sorted(s.machine for s in results.scored for _ in range(len(s)))
        == [MACHINES[0]] * 10 + [MACHINES[1]] * 20
    )


def test_going_back_finds_a_machine_by_its_sources_name_for_it() -> None:
    short = "plant/site/area/line/press 7"
    partition = PartitionState("frames", 0, resume=2, behind=frozenset({short}))
    results = engine().process([Chunk(partition, [fetched(0), fetched(1, "press 7")])])
    assert [s.machine for s in results.scored for _ in range(len(s))] == [short] * 10


def test_machines_move_by_the_names_that_producers_use_as_keys() -> None:
    one = engine()
    names = [f"press {n}" for n in range(12)]
    for name in names:
        partition = librdkafka(name.encode(), 3)
        one.process([Chunk(PartitionState("frames", partition), [fetched(0, name)])])
    found = one.moving(3, 8)
    wanted = {
        f"plant/site/area/line/{name}": librdkafka(name.encode(), 8)
        for name in names
        if librdkafka(name.encode(), 8) != librdkafka(name.encode(), 3)
    }
    assert found == wanted
    assert wanted


def test_a_message_that_makes_the_pipeline_fail_is_rejected_with_its_bytes() -> None:
    partition = PartitionState("frames", 0, poison={1: "ValueError: oh"})
    records = [fetched(0), Fetched(1, b"k", b"bytes"), fetched(2)]
    [rejection] = engine().process([Chunk(partition, records)]).rejections
    assert (rejection.reason, rejection.original, rejection.offset) == (Reason.INTERNAL, b"bytes", 1)
    assert "ValueError: oh" in rejection.detail


def test_a_message_without_a_value_is_rejected_not_fatal() -> None:
    [rejection] = engine().process([Chunk(PartitionState("frames", 0), [Fetched(0, b"k", None)])]).rejections
    assert rejection.reason is Reason.NOT_JSON


def test_places() -> None:
    partition = PartitionState("t", 0, expected=7, dropped=True)
    partition.begin(4, 9)
    assert (partition.phase, partition.expected, partition.dropped) == (Phase.READY, 4, False)
    partition.resume = 9
    assert partition.catching_up
    partition.durable = 9
    assert not partition.catching_up
    assert not partition.dirty
    partition.durable = 10
    assert partition.dirty


@given(st.text(min_size=1).filter(lambda s: s.encode("utf-8", "ignore").decode() == s), st.integers(0, 5))
def test_keys(machine: str, slot: int) -> None:
    assert parse_key(snapshot_key(machine, slot)) == (machine, slot % 2)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_newest_is_always_the_one_that_stands_for_most(written: list[tuple[int, int]]) -> None:
    found: list[Stored] = []
    for slot, offset in written:
        found = latest(found, Stored("m", slot, offset, b""))
    assert found[0].offset == max(offset for _, offset in written)
    assert len(found) <= 2


@pytest.mark.parametrize("bad", [b"", b"{}", b'{"id": 1}'])
def test_a_verdict_that_is_none_is_rejected(bad: bytes) -> None:
    chunk = Chunk(PartitionState("feedback", 0), [Fetched(3, b"k", bad)])
    [rejection] = engine().process([chunk]).rejections
    assert (rejection.reason, rejection.topic, rejection.offset) == (Reason.WRONG_TYPE, "feedback", 3)


def test_messages_keep_where_they_came_from() -> None:
    seen: list[Message] = []

    class Spy(Pipeline):
        def process(self, items: Any) -> Any:
            seen.extend(items)
            return super().process(items)

    Engine(Spy(SETTINGS), "feedback").process([Chunk(PartitionState("frames", 6), [fetched(41)])])
    assert [(m.topic, m.partition, m.offset, m.received) for m in seen] == [
        ("frames", 6, 41, 1_790_000_000_000)
    ]


def hot(offset: int, level: float) -> Fetched:
    """Twenty readings of a machine at a level."""
    time = 1_780_000_000_000 + (offset * 20 + np.arange(20)) * 1000
    values = level + np.random.default_rng(offset).normal(0, 0.1, (20, 1))
    return Fetched(offset, MACHINES[0].encode(), encode_frame(Frame(MACHINES[0], time, ("t",), values)))


@pytest.mark.parametrize("quiet", [True, False])
def test_a_limit_that_is_taken_away_while_it_runs_takes_its_alarm_along(quiet: bool) -> None:
    def watched(**limits: float) -> ClassSettings:
        return ClassSettings(
            learning=LearningSettings(warmup=40, block=8),
            alarm=AlarmSettings(on_delay=3, min_readings=3),
            sensors={"t": SensorSettings(**limits)},
        )

    settings = Settings(classes={"default": watched(warn=70)}, intake=IntakeSettings(wait=0))
    changes: list[bool] = []
    one = Engine(Pipeline(settings), "feedback", lambda: changes.pop() if changes else False)
    partition = PartitionState("frames", 0)
    raised = one.process([Chunk(partition, [hot(n, 60) for n in range(3)] + [hot(3, 80)])]).alarms
    assert [(a.code, a.phase) for a in raised if a.kind is AlarmKind.LIMIT] == [("warn", AlarmPhase.RAISED)]
    settings.classes = {"default": watched()}
    assert not one.let_go().alarms, "nobody has said that anything changed"
    changes.append(True)
    told = one.let_go() if quiet else one.process([Chunk(partition, [hot(4, 80)])])
    cleared = [a for a in told.alarms if a.kind is AlarmKind.LIMIT]
    assert [(a.code, a.phase, a.id) for a in cleared] == [("warn", AlarmPhase.CLEARED, raised[0].id)]
    assert not one.let_go().alarms
