"""What the fleet page shows, and in which order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.history import MachineNow
from desk.web.kit.render import score_text
from desk.web.page.views import (
    SPANS,
    Judged,
    badness,
    choose,
    fleet_view,
    judge,
    span_range,
    spark,
    useful_spans,
)
from pipeline.records import State

MINUTE = 60_000


def machine(
    name: str, state: State = State.NORMAL, health: float | None = 100.0, alarms: int = 0
) -> MachineNow:
    return MachineNow(
        machine=name,
        machine_class="c",
        first=0,
        last=60 * MINUTE,
        state=state,
        score=0.5,
        health=health,
        open_alarms=alarms,
    )


def judged(*machines: MachineNow) -> list[Judged]:
    return judge(machines, {}, 3)


def test_the_worst_first():
    ordered = judged(
        machine("a/b/c/d/alarm", State.ALARM, 20, alarms=1),
        machine("a/b/c/d/worn", State.NORMAL, 30),
        machine("a/b/c/d/alarm-two", State.ALARM, 50, alarms=2),
        machine("a/b/c/d/weak", State.NORMAL, 55),
        machine("a/b/c/d/suspect", State.SUSPECT, 60),
        machine("a/b/c/d/sensor", State.NORMAL, 100, alarms=1),
        machine("a/b/c/d/a", State.NORMAL, 100),
        machine("a/b/c/d/b", State.NORMAL, None),
        machine("a/b/c/d/new", State.LEARNING, None),
    )
    assert sorted(ordered, key=badness) == ordered


def test_groups_stand_where_their_worst_machine_would():
    machines = judged(
        machine("e/s/paint/l1/good"),
        machine("e/s/body/l2/bad", State.ALARM, 10),
        machine("e/s/body/l1/fair", health=80),
        machine("e/s/body/l2/good"),
    )
    shown, found = choose(machines, "", 100)
    fleet = fleet_view(machines, shown, found, {"e/s/body/l2/bad": np.array([90.0, 10.0])})
    assert [area.place for area in fleet.areas] == ["e/s/body", "e/s/paint"]
    assert [line.name for line in fleet.areas[0].lines] == ["l2", "l1"]
    assert [card.unit for card in fleet.areas[0].lines[0].cards] == ["bad", "good"]
    assert fleet.areas[0].lines[0].cards[0].spark
    assert fleet.counts == {State.ALARM: 1, State.SUSPECT: 0, State.NORMAL: 3, State.LEARNING: 0}


def test_only_the_worst_of_many_are_shown_and_found_by_any_part_of_their_name():
    machines = judged(*(machine(f"e/s/a/l/Press-{n}", health=n) for n in range(300)))
    shown, found = choose(machines, " press-1 ", 5)
    assert found == 111
    assert [one.now.machine.rsplit("-")[-1] for one in shown] == ["1", "10", "11", "12", "13"]


@given(st.lists(st.floats(0, 100), max_size=200))
def test_a_spark_stays_in_its_frame(values: list[float]):
    points = spark(np.array(values))
    pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
    assert len(pairs) == (len(values) if len(values) > 1 else 0)
    assert all(0 <= x <= 100 and 0 <= y <= 24 for x, y in pairs)


@given(st.floats(0, 1))
def test_a_score_is_never_shown_higher_than_it_is(score: float):
    text = score_text(score)
    assert float(text) <= score + 1e-8
    for threshold in (0.9, 0.99, 0.999):
        assert (float(text) >= threshold) == (score >= threshold - 1e-8)


def test_spans_that_show_nothing_more_are_not_offered():
    assert useful_spans(machine("x")) == [SPANS[0], 0]
    assert span_range(machine("x"), SPANS[0]).start == 45 * MINUTE
    assert span_range(machine("x"), SPANS[-2]).start == 0
    assert span_range(machine("x"), 0).start == 0
