"""A machine that anything stands against is never shown as normal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assessment import HEALTH_ACT, HEALTH_PLAN, Standing, assess
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, State


def standing(kind: AlarmKind = AlarmKind.LIMIT, *, active: bool = True, count: int = 1) -> Standing:
    event = AlarmEvent(
        id="1",
        machine="a/b/c/d/e",
        machine_class="",
        kind=kind,
        phase=AlarmPhase.RAISED,
        onset=0,
        time=0,
        score=1.0,
        threshold=1.0,
        severity=2,
    )
    return Standing(event=event, priority=event.priority, active=active, since=0, count=count)


@pytest.mark.parametrize(
    ("against", "shown"),
    [
        (standing(AlarmKind.LIMIT), State.ALARM),
        (standing(AlarmKind.CONDITION), State.ALARM),
        (standing(AlarmKind.MOVED), State.SUSPECT),
        (standing(AlarmKind.QUALITY), State.SUSPECT),
        (standing(AlarmKind.CONDITION, active=False), State.NORMAL),
        (standing(AlarmKind.CONDITION, active=False, count=3), State.SUSPECT),
    ],
)
def test_what_stands_against_a_machine_whose_readings_are_normal(against: Standing, shown: State) -> None:
    found = assess(State.NORMAL, 100.0, [against])
    assert (found.state, found.lead, found.against) == (shown, against, shown > State.NORMAL)


@pytest.mark.parametrize(
    ("health", "shown"),
    [
        (HEALTH_PLAN, State.NORMAL),
        (HEALTH_PLAN - 0.1, State.SUSPECT),
        (HEALTH_ACT, State.SUSPECT),
        (HEALTH_ACT - 0.1, State.ALARM),
    ],
)
def test_health_by_itself_stands_against_it(health: float, shown: State) -> None:
    found = assess(State.NORMAL, health)
    assert (found.state, found.health_low) == (shown, shown is not State.NORMAL)


def test_what_lasts_leads_and_the_highest_priority_is_shown() -> None:
    ended = replace(standing(active=False), priority=Priority.URGENT)
    lasting = standing()
    found = assess(State.NORMAL, None, [ended, lasting])
    assert found.lead == lasting
    assert found.priority is Priority.URGENT


@given(
    st.sampled_from(State),
    st.none() | st.floats(0, 100),
    st.lists(st.builds(standing, st.sampled_from(AlarmKind), active=st.booleans(), count=st.integers(1, 9))),
    st.integers(0, 3),
)
def test_no_machine_is_shown_better_than_anything_that_is_known_of_it(
    state: State, health: float | None, alarms: list[Standing], open_alarms: int
) -> None:
    found = assess(state, health, alarms, open_alarms=open_alarms)
    assert found.state >= state
    some = any(one.active or one.count >= 3 for one in alarms)
    if some or open_alarms or (health is not None and health < HEALTH_PLAN):
        assert found.state >= State.SUSPECT
    else:
        assert found.state is state
