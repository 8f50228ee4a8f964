"""What comes back and grows rises in priority, until somebody says what it was."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, tuples

from desk.rules.desk import Known, Rules, Surroundings, act, receive
from desk.rules.life import Event
from desk.rules.point import apply
from desk.rules.recurrence import APART, KEPT, WITHIN, add, recurrence, rises
from pipeline.priority import Priority
from pipeline.records import AlarmKind, Contribution, Verdict, VerdictKind
from tests.desk.rules.plant import PRESS, cleared, limit, raised

HOUR = 3_600_000


def condition(onset, deviation, severity=2, **more):
    return raised(
        PRESS,
        onset,
        severity=severity,
        contributions=(Contribution("vibration", 0.9, 3.0, 2.0, deviation),),
        **more,
    )


def received(events, point=None, criticality=2, at=0):
    for event in events:
        for entry in receive(point, event, Known(), at=at, rules=Rules(), around=Surroundings(criticality)):
            point = apply(point, entry)
    return point


def coming(levels, apart=2 * HOUR):
    """An alarm that comes with these deviations and goes again."""
    found = []
    for k, level in enumerate(levels):
        event = condition(k * apart, level)
        found += [event, cleared(PRESS, k * apart)]
    return found


def test_the_third_time_it_is_higher_and_growing_it_is_higher_still():
    """One wear, many alarms that nobody judged: it does not stay a medium one."""
    priorities = [received(coming([5.0, 6.0, 7.0, 8.0][:n])).priority for n in (1, 2, 3, 4)]
    assert priorities == [Priority.MEDIUM, Priority.MEDIUM, Priority.HIGH, Priority.URGENT]
    found = recurrence(received(coming([5.0, 6.0, 7.0, 8.0])).episodes)
    assert (found.count, found.since, found.growth, found.sensor) == (4, 10_000, 1.6, "vibration")


def test_what_only_comes_often_is_high_at_most():
    assert received(coming([5.0] * 10), criticality=3).priority is Priority.HIGH


def test_a_higher_priority_asks_anew_while_it_still_waits():
    third = received(coming([5.0] * 3)[:-1])
    assert (third.announced, third.waits) == (2, True)


def test_a_verdict_answers_all_that_came_before():
    events = coming([5.0, 6.0, 7.0, 8.0])
    point = received(events)
    verdict = Verdict(
        id="v",
        machine=PRESS,
        machine_class="press",
        kind=VerdictKind.FALSE_ALARM,
        start=events[-2].onset,
        end=events[-1].time,
        at=0,
        by="kim",
        alarm=point.alarm,
    )
    point = apply(point, act(point, Event.CLOSE, at=0, by="kim", verdict=verdict))
    assert point.episodes == ()
    assert received([condition(20 * HOUR, 9.0)], point).priority is Priority.MEDIUM


def test_chattering_is_one_episode():
    many = [condition(k * (APART - 1), 5.0) for k in range(2)]
    assert len(received(many).episodes) == 1


def test_what_is_a_week_old_no_longer_counts():
    point = received([condition(0, 5.0), condition(HOUR, 5.0), condition(WITHIN + HOUR, 5.0)])
    assert len(point.episodes) == 1


def test_a_sensor_that_fails_often_makes_no_machine_worse():
    often = [raised(onset=k * HOUR, kind=AlarmKind.QUALITY, sensor="vibration", severity=2) for k in range(5)]
    assert received(often).priority is Priority.MEDIUM


@pytest.mark.parametrize(("values", "bound"), [((5.0, 6.0, 7.0, 8.0), 4.0), ((3.0, 2.0, 1.0, 0.5), 4.0)])
def test_limits_grow_away_from_their_side(values, bound):
    points = received([limit("trip", k * HOUR, value=value, bound=bound) for k, value in enumerate(values)])
    assert recurrence(points.episodes).growth > 1.2


def test_growth_is_of_one_sensor():
    other = [
        replace(one, contributions=(Contribution(sensor, 0.9, 3.0, 2.0, deviation),))
        for one, sensor, deviation in (
            (condition(0, 0), "current", 4.0),
            (condition(HOUR, 0), "vibration", 5.0),
            (condition(2 * HOUR, 0), "current", 6.0),
            (condition(3 * HOUR, 0), "vibration", 7.0),
        )
    ]
    assert recurrence(received(other).episodes).growth is None


@given(lists(tuples(integers(0, 10 * WITHIN), floats(0.1, 1e6)), min_size=1, max_size=60))
def test_episodes_are_few_in_order_and_of_one_week(raises):
    found = ()
    for onset, level in raises:
        found = add(found, condition(onset, level))
    times = [one.time for one in found]
    assert times == sorted(times)
    assert len(times) <= KEPT
    assert times[-1] - times[0] < WITHIN
    assert recurrence(found).count == len(found)


@given(lists(floats(-1e6, 1e6), max_size=12))
def test_what_rises_backwards_falls(levels):
    assert not (rises(levels) and rises(levels[::-1]))
