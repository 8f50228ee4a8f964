"""Measures of ISA-18.2, from journals whose numbers are known."""

import random

import msgspec

from desk.rules.desk import Known, Rules, Surroundings, act, receive
from desk.rules.journal import Action
from desk.rules.kpis import DAY, TEN_MINUTES, floods, kpis, peak, quantile
from desk.rules.life import Event
from desk.rules.point import apply
from pipeline.priority import Priority
from pipeline.records import Verdict, VerdictKind
from tests.desk.rules.plant import PRESS, ROBOT, cleared, raised

MINUTE = 60_000


def journal():
    """Two alarms of one machine, one of them acknowledged, one closed as false; a chattering neighbour."""
    entries, points = [], {}

    def take(event, at, known=Known()):  # noqa: B008
        for entry in receive(
            points.get(event.machine), event, known, at=at, rules=Rules(), around=Surroundings(4)
        ):
            points[event.machine] = apply(points.get(event.machine), entry)
            entries.append(entry)

    def do(machine, event, at, **more):
        entries.append(act(points[machine], event, at=at, by="Kim", **more))
        points[machine] = apply(points[machine], entries[-1])

    take(raised(PRESS, onset=0, time=MINUTE), 1 * MINUTE)
    do(PRESS, Event.ACKNOWLEDGE, 3 * MINUTE)
    take(cleared(PRESS, onset=0, time=4 * MINUTE), 4 * MINUTE, Known(raised=True))
    take(raised(PRESS, onset=9, time=20 * MINUTE, severity=4), 20 * MINUTE)
    false = Verdict(
        id="v",
        machine=PRESS,
        machine_class="press",
        kind=VerdictKind.FALSE_ALARM,
        start=0,
        end=1,
        at=0,
        by="Kim",
        alarm="x",
    )
    do(PRESS, Event.CLOSE, 30 * MINUTE, verdict=false)
    for k in range(3):
        take(raised(ROBOT, onset=k * 1000, time=31 * MINUTE + k), 31 * MINUTE)
        take(cleared(ROBOT, onset=k * 1000, time=31 * MINUTE + k), 31 * MINUTE, Known(raised=True))
    return entries


def test_a_day():
    found = kpis(journal(), start=0, end=DAY, budget=150.0, stale=2)
    assert (found.alarms, found.a_day, found.peak) == (3, 3.0, 1)
    assert (found.chattering, found.stale, found.acknowledged) == (1, 2, 2)
    assert (found.ack_median, found.ack_p90) == (6 * 60.0, 120 + 0.9 * 480)
    assert found.priorities == {
        Priority.LOW: 0,
        Priority.MEDIUM: 0,
        Priority.HIGH: 0,
        Priority.URGENT: 3,
    }
    assert [(one.machine, one.count) for one in found.bad_actors] == [(PRESS, 2), (ROBOT, 1)]
    assert (found.false_share, found.verdicts[VerdictKind.FALSE_ALARM]) == (1.0, 1)


def test_only_the_period_counts():
    entries = journal()
    later = kpis(entries, start=15 * MINUTE, end=31 * MINUTE, budget=150.0)
    assert (later.alarms, later.acknowledged, later.ack_median) == (1, 1, 600.0)
    acknowledged_after = kpis(entries, start=0, end=2 * MINUTE, budget=150.0)
    assert (acknowledged_after.acknowledged, acknowledged_after.ack_median) == (0, None)
    assert kpis([], start=0, end=DAY, budget=1.0).false_share is None


def test_an_alarm_that_is_announced_anew_counts_again_with_its_priority():
    entries = journal()[:1]
    point = apply(None, entries[0])
    entries.append(act(point, Event.SHELVE_TIMED, at=2 * MINUTE, by="Kim", until=3 * MINUTE))
    point = apply(point, entries[-1])
    entries.append(act(point, Event.EXPIRE, at=3 * MINUTE, by="yeji"))
    found = kpis(entries, start=0, end=DAY, budget=1.0)
    assert (found.alarms, found.acknowledged) == (2, 0)
    since = kpis(entries, start=150_000, end=DAY, budget=1.0, priorities={entries[0].point: Priority.HIGH})
    assert (since.alarms, since.priorities[Priority.HIGH]) == (1, 1)


def test_a_backlog_is_no_flood_of_the_day_it_comes_in():
    """Fifty alarms of last week arrive in one second."""
    entries = []
    for k in range(50):
        event = raised(f"a/b/c/d/{k}", onset=k * 60 * MINUTE)
        entries += receive(None, event, Known(), at=7 * DAY, rules=Rules())
    then, now = (
        kpis(entries, start=0, end=7 * DAY, budget=1.0),
        kpis(entries, start=7 * DAY, end=8 * DAY, budget=1),
    )
    assert (then.alarms, then.peak, then.flood_alarms) == (50, 1, 0.0)
    assert (now.alarms, now.flood_time) == (0, 0.0)


def test_a_verdict_that_replaces_another_counts_once():
    entries = journal()
    again = Verdict(
        id="w",
        machine=PRESS,
        machine_class="press",
        kind=VerdictKind.FAULT,
        start=0,
        end=1,
        at=0,
        by="Lee",
        alarm="x",
        failure_mode="wear",
    )
    entries.append(msgspec.structs.replace(entries[-1], action=Action.VERDICT, verdict=again, at=40 * MINUTE))
    found = kpis(entries, start=0, end=DAY, budget=1.0)
    assert (found.false_share, found.verdicts[VerdictKind.FAULT]) == (0.0, 1)


def test_floods_begin_over_ten_and_end_under_five():
    def times(*counts):
        return [k * TEN_MINUTES + j for k, count in enumerate(counts) for j in range(count)]

    def share(*counts):
        return floods(times(*counts), 0, len(counts) * TEN_MINUTES, 10)

    assert share(10, 10, 10) == (0.0, 0.0)
    assert share(11, 5, 4, 5) == (0.5, 16 / 25)
    assert share(0, 11, 4, 11) == (0.5, 22 / 26)
    assert share() == (0.0, 0.0)


def test_the_peak_is_that_of_any_ten_minutes():
    rng = random.Random(1)
    for _ in range(50):
        times = sorted(rng.randrange(40 * MINUTE) for _ in range(30))
        every = max(sum(start <= t < start + TEN_MINUTES for t in times) for start in times)
        assert peak(times) == every
    assert peak([]) == 0


def test_quantiles():
    assert quantile([3.0], 0.9) == 3.0
    assert quantile([4.0, 1.0, 2.0, 3.0], 0.5) == 2.5
    assert quantile([1.0, 2.0], 1.0) == 2.0
