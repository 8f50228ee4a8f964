"""Who is told what, when: a table of cases, and the laws that hold for any of them."""

from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples
from pydantic import ValidationError

from desk.rules.desk import Known, Rules, Surroundings, receive
from desk.rules.life import Announced, Life
from desk.rules.point import apply
from desk.rules.routing import OWN, Kind, NotificationHistory, plan
from desk.rules.shifts import covers, parse_hours
from desk.settings.alarms import NotifySettings
from pipeline.priority import Priority
from pipeline.records import AlarmKind
from tests.desk.rules.plant import OVEN, PRESS, RIVAL, ROBOT, raised

SEOUL = ZoneInfo("Asia/Seoul")
MINUTE = 60_000
MONDAY_NOON = 1_767_582_000_000  # 2026-01-05 12:00 in Seoul


def notify(**routes):
    return NotifySettings.model_validate(
        {
            "channels": {
                name: {"kind": "webhook", "url": "http://127.0.0.1/", "secret": "0123456789abcdef"}
                for name in ("body", "night", "boss")
            },
            "crews": {
                "body": {"channels": ["body"], "shifts": ["mon-fri 06:00-22:00"]},
                "night": {"channels": ["night"], "shifts": ["22:00-06:00"]},
                "boss": {"channels": ["boss"], "quiet": ["22:00-07:00"]},
            },
            "routes": [{"crews": ["body", "night"]} | routes],
        }
    )


def alarm(machine=PRESS, at=MONDAY_NOON, severity=3, criticality=2, onset=None, **event):
    [entry] = receive(
        None,
        raised(machine, at if onset is None else onset, severity=severity, **event),
        Known(),
        at=at,
        rules=Rules(),
        around=Surroundings(criticality),
    )
    return apply(None, entry)


def planned(points, config, now=MONDAY_NOON, done=frozenset(), told=None, flood=10):
    return plan(points, config, now=now, zone=SEOUL, done=done.__contains__, told=told or {}, flood=flood)


def heads(made):
    return sorted((one.kind.value, one.crew) for one in made.send)


def test_the_crew_on_shift_is_told():
    assert heads(planned([alarm()], notify())) == [("alarm", "body")]
    midnight = MONDAY_NOON + 12 * 60 * MINUTE
    assert heads(planned([alarm(at=midnight)], notify(), midnight)) == [("alarm", "night")]


def test_an_alarm_is_never_told_to_nobody():
    sunday = MONDAY_NOON - 24 * 60 * MINUTE
    assert heads(planned([alarm(at=sunday)], notify(crews=["body"]), sunday)) == [("alarm", "body")]


def test_what_was_told_is_not_told_again():
    config, point = notify(), alarm()
    [first] = planned([point], config).send
    done = {first.id("body")}
    assert planned([point], config, done=done).send == []
    again = msgspec.structs.replace(point, announced=2)
    assert len(planned([again], config, done=done).send) == 1, "announced anew, told anew"


@pytest.mark.parametrize(
    ("route", "machine", "severity", "told"),
    [
        ({"areas": ["gwangju/ggm/body"]}, PRESS, 3, True),
        ({"areas": ["gwangju/ggm/body"]}, OVEN, 3, False),
        ({"areas": ["gwangju/ggm/bod"]}, PRESS, 3, False),
        ({"areas": ["gwangju"]}, RIVAL, 3, False),
        ({"classes": ["press"]}, PRESS, 3, True),
        ({"classes": ["oven"]}, PRESS, 3, False),
        ({"priority": "medium"}, PRESS, 2, True),
        ({"priority": "high"}, PRESS, 3, False),
        ({"kinds": ["quality"]}, PRESS, 3, False),
    ],
)
def test_routes(route, machine, severity, told):
    assert bool(planned([alarm(machine, severity=severity)], notify(**route)).send) is told


def test_escalation_and_reminders_until_acknowledged():
    config = notify(remind=30, escalate=[{"after": 15, "crews": ["boss"]}])
    point = alarm()
    at = lambda minutes, p=point: heads(planned([p], config, MONDAY_NOON + minutes * MINUTE))  # noqa: E731
    assert at(14) == [("alarm", "body")]
    assert at(15) == [("alarm", "body"), ("escalation", "boss")]
    assert ("reminder", "boss") in at(30)
    assert ("reminder", "body") in at(30)
    acknowledged = msgspec.structs.replace(point, life=Life(Announced.ACKNOWLEDGED, active=True))
    assert at(60, acknowledged) == []


def test_after_an_outage_only_the_latest_reminder_is_due():
    config = notify(remind=10)
    made = planned([alarm()], config, MONDAY_NOON + 95 * MINUTE)
    assert [one.step for one in made.send if one.kind is Kind.REMINDER] == ["9"]


def test_quiet_hours_hold_all_but_urgent_back_until_they_end():
    config = notify(crews=["boss"])
    night = MONDAY_NOON + 11 * 60 * MINUTE
    low, urgent = alarm(at=night), alarm(OVEN, at=night, severity=4, criticality=4)
    assert [one.points[0].machine for one in planned([low, urgent], config, night).send] == [OVEN]
    morning = MONDAY_NOON + 19 * 60 * MINUTE
    assert len(planned([low], config, morning).send) == 1


def test_two_routes_to_one_crew_are_one_message():
    config = notify()
    config.routes.append(config.routes[0])
    assert len(planned([alarm()], config).send) == 1


def test_a_flood_is_one_message():
    config = notify()
    points = [alarm(f"gwangju/ggm/body/line-{k}/press") for k in range(11)]
    made = planned(points, config)
    assert heads(made) == [("flood", "body")]
    assert len(made.send[0].points) == len(made.folded) == 11
    assert heads(planned(points[:10], config)) == [("alarm", "body")] * 10, "ten are no flood"


def test_what_comes_during_a_flood_waits_for_its_next_message():
    config, now = notify(), MONDAY_NOON
    points = [alarm(f"gwangju/ggm/body/line-{k}/press") for k in range(11)]
    first = planned(points, config)
    done = {first.send[0].id("body")} | {one.id("body") for one in first.folded}
    told = {"body": NotificationHistory(alarms=(now,) * 11, messages=(now,), flood=now)}
    late = alarm(OVEN, at=now + MINUTE)
    between = planned([*points, late], config, now + MINUTE, done, told)
    assert (between.send, between.folded) == ([], [])
    urgent = alarm(ROBOT, at=now + MINUTE, severity=4, criticality=4)
    soon = planned([*points, late, urgent], config, now + MINUTE, done, told)
    assert [p.machine for p in soon.send[0].points] == [ROBOT], "an urgent one does not wait"
    later = planned([*points, late], config, now + 9 * MINUTE + 59_999, done, told)
    assert later.send == []
    calm = planned([*points, late], config, now + 10 * MINUTE, done, told)
    assert heads(calm) == [("alarm", "body")], "the flood is over: it is told by itself"


def test_over_the_budget_only_urgent_alarms_go_by_themselves():
    config, now = notify(), MONDAY_NOON
    config.crews["body"].budget = 2
    told = {"body": NotificationHistory(messages=(now - 30 * MINUTE,))}
    points = [alarm(OVEN), alarm(ROBOT), alarm(PRESS), alarm(RIVAL, severity=4, criticality=4)]
    made = planned(points, config, told=told)
    assert heads(made) == [("alarm", "body"), ("summary", "body")]
    assert made.send[0].points[0].machine == RIVAL
    assert len(made.send[1].points) == 3
    hour = {"body": NotificationHistory(messages=(now - 60 * MINUTE,))}
    assert len(planned(points[:2], config, told=hour).send) == 2, "an hour later there is room"


def member(lead, machine, at=MONDAY_NOON + 1, **more):
    return msgspec.structs.replace(alarm(machine, at=at, **more), group=lead.id)


def machines(points, now=MONDAY_NOON + 1, **route):
    return [(one.points[0].machine, one.points[0].kind) for one in planned(points, notify(**route), now).send]


def answered(point):
    return msgspec.structs.replace(point, life=Life(Announced.ACKNOWLEDGED, active=True))


def test_an_unanswered_alarm_stands_for_another_of_its_kind_on_its_machine():
    first = alarm(PRESS, kind=AlarmKind.LIMIT, sensor="vibration")
    second = member(first, PRESS, kind=AlarmKind.LIMIT, sensor="current")
    assert machines([first, second]) == [(PRESS, AlarmKind.LIMIT)]
    assert len(machines([answered(first), second])) == 1, "answered, it stands for nothing more"
    worse = member(first, PRESS, kind=AlarmKind.LIMIT, sensor="current", severity=4, criticality=4)
    assert len(machines([first, worse])) == 2, "and never for one that is more urgent"


def test_no_kind_stands_for_another_and_no_machine_for_its_neighbour():
    first = alarm(PRESS)
    assert len(machines([first, member(first, PRESS, kind=AlarmKind.LIMIT, sensor="vibration")])) == 2
    assert len(machines([first, member(first, ROBOT)])) == 2


@pytest.mark.parametrize("closed_as", ["", "fault-confirmed"])
def test_an_answered_alarm_that_lasts_hides_no_later_one(closed_as):
    """Acknowledged, or closed while its condition lasts: the urgent one after it goes out, and escalates."""
    first = msgspec.structs.replace(answered(alarm(PRESS, severity=4, criticality=4)), closed_as=closed_as)
    later = member(first, PRESS, kind=AlarmKind.LIMIT, sensor="vibration", severity=4, criticality=4)
    config = notify(remind=30, escalate=[{"after": 15, "crews": ["boss"]}])
    kinds = {kind for kind, _ in heads(planned([first, later], config, MONDAY_NOON + 31 * MINUTE))}
    assert kinds == {"alarm", "reminder", "escalation"}


def silences(count, at=MONDAY_NOON):
    first, *rest = (
        alarm(f"gwangju/ggm/body/line-{k}/press", at=at, kind=AlarmKind.QUALITY, severity=2, cause="silence")
        for k in range(count)
    )
    return [first, *(msgspec.structs.replace(one, group=first.id) for one in rest)]


def test_a_gateway_of_five_machines_on_five_lines_is_one_message():
    points = silences(5)
    assert planned(points, notify(), MONDAY_NOON + 29_999).send == [], "the others may follow"
    assert len(planned(points, notify(), MONDAY_NOON + 30_000).send) == 1


def test_one_that_is_told_to_others_stands_for_nothing_here():
    points = silences(2)
    config = notify(areas=["gwangju/ggm/body/line-1"])
    [only] = planned(points, config, MONDAY_NOON + MINUTE).send
    assert only.points[0].machine == points[1].machine


def test_an_alarm_of_last_week_is_not_told_like_a_new_one():
    week = 7 * 24 * 60 * MINUTE
    old = alarm(PRESS, onset=MONDAY_NOON - week)
    assert old.late
    assert len(planned([old], notify()).send) == 1, "it lasts: they are told, and told that it is late"
    over = msgspec.structs.replace(old, life=Life(Announced.RETURNED))
    assert planned([over], notify()).send == [], "it is over: it stands on the desk"
    live = msgspec.structs.replace(alarm(PRESS, onset=MONDAY_NOON), life=Life(Announced.RETURNED))
    assert len(planned([live], notify()).send) == 1


def test_the_desks_own_alarms_reach_every_crew_when_no_route_is_for_them():
    point = alarm(f"{OWN}/notify/channel/mail", severity=4, kind=AlarmKind.LIMIT)
    config = notify(areas=["gwangju"])
    assert {one.crew for one in planned([point], config).send} == {"body", "night", "boss"}


MACHINES = [f"gwangju/ggm/body/line-{k}/press" for k in range(14)]


@given(
    lists(tuples(sampled_from(MACHINES), integers(1, 4), integers(0, 40)), unique_by=lambda t: t[0]),
    lists(booleans(), min_size=60, max_size=60),
    integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_everybody_hears_of_everything_once(alarms, running, budget):
    """Minute by minute, the planner off now and then: each alarm in exactly one message, and in time."""
    config = notify(crews=["boss"])
    config.crews["boss"].budget = budget
    done, alarms_at, messages, flood = set(), [], [], None
    heard = {}
    for minute in range(60):
        now = MONDAY_NOON + minute * MINUTE
        if not running[minute] and minute < 45:
            continue
        standing = [
            alarm(machine, at=MONDAY_NOON + begin * MINUTE, severity=severity, criticality=4)
            for machine, severity, begin in alarms
            if begin <= minute
        ]
        told = {"boss": NotificationHistory(tuple(alarms_at), tuple(messages), flood)}
        made = planned(standing, config, now, done, told)
        again = planned(standing, config, now, done, told)
        assert again == made
        for one in made.send:
            for point in one.points:
                heard.setdefault(point.machine, []).append(minute)
            assert one.id("boss") not in done
            done.add(one.id("boss"))
            messages.append(now)
            flood = int(one.step.partition(":")[0]) if one.kind is Kind.FLOOD else flood
            alarms_at += [now] * (one.kind is Kind.ALARM)
        for one in made.folded:
            done.add(one.id("boss"))
            alarms_at += [now] * (one.kind is Kind.ALARM)
        assert planned(standing, config, now, done, told).send == []
    assert all(len(times) == 1 for times in heard.values())
    assert set(heard) == {machine for machine, _, _ in alarms}


def test_hours():
    assert covers(["mon-fri 06:00-14:00"], MONDAY_NOON, SEOUL)
    assert not covers(["mon-fri 06:00-12:00"], MONDAY_NOON, SEOUL)
    assert not covers(["mon-fri 06:00-14:00"], MONDAY_NOON + 2 * 3_600_000, SEOUL)
    assert covers(["sun 22:00-04:00"], MONDAY_NOON - 9 * 3_600_000, SEOUL), "Monday, three in the morning"
    assert not covers(["sat 22:00-04:00"], MONDAY_NOON - 9 * 3_600_000, SEOUL)
    assert covers(["03:00-04:00"], MONDAY_NOON, UTC)
    assert parse_hours("fri-mon 00:00-24:00").days == {4, 5, 6, 0}


NO_HOURS = ["", "6-14", "someday 06:00-14:00", "25:00-26:00", "06:60-07:00", "mon- 1:00-2:00 x"]


@pytest.mark.parametrize("text", NO_HOURS)
def test_hours_that_are_none(text):
    with pytest.raises(ValueError, match=r"write|days are|past 24"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"routes": [{"crews": ["nobody"]}]}, "names crew 'nobody'"),
        ({"crews": {"a": {"channels": ["none"]}}}, "names channel 'none'"),
        ({"channels": {"x": {"kind": "email", "url": "http://h"}}}, "begins with smtp"),
        ({"channels": {"x": {"kind": "email", "url": "smtp://h"}}}, "needs `to`"),
        ({"channels": {"x": {"kind": "webhook", "url": "http://h", "secret": "short"}}}, "16 characters"),
        ({"channels": {"x/y": {"kind": "apprise", "url": "json://h"}}}, "letters, digits"),
        ({"crews": {"a": {"channels": ["body"], "shifts": ["always"]}}}, "are no hours"),
    ],
)
def test_settings_that_cannot_be_used_say_why(change, says):
    base = notify().model_dump()
    base["channels"] |= change.pop("channels", {})
    base["crews"] |= change.pop("crews", {})
    with pytest.raises(ValidationError, match=says):
        NotifySettings.model_validate(base | change)


def test_priority_names_are_those_of_the_settings():
    assert [one.name.lower() for one in Priority] == ["low", "medium", "high", "urgent"]
