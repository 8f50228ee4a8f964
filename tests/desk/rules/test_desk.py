"""What the desk makes of events, acts and time, in any order and number; the journal gives the same."""

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, integers, sampled_from

from desk.rules.desk import Known, RefusedError, Rules, Surroundings, act, note, receive, shelve, tick
from desk.rules.grouping import group_of
from desk.rules.journal import Action
from desk.rules.life import AlarmState, Announced, Event, Shelf
from desk.rules.point import apply, point_id
from desk.rules.suppression import Window, parents_of, reasons
from desk.rules.views import arrange
from pipeline.priority import Priority, priority_of
from pipeline.records import AlarmKind, AlarmPhase
from tests.desk.rules.plant import OVEN, PRESS, RIVAL, ROBOT, cleared, limit, raised, silent

RULES = Rules()


class Bench:
    """Points and what is known of occurrences, as a store would keep them."""

    def __init__(self):
        self.points, self.known, self.entries = {}, {}, []

    def write(self, entries):
        for entry in entries:
            self.entries.append(entry)
            self.points[entry.point] = apply(self.points.get(entry.point), entry)
            known = self.known.get(entry.alarm, Known())
            self.known[entry.alarm] = Known(
                known.raised or entry.action is Action.RAISE, known.cleared or entry.action is Action.CLEAR
            )
        return entries

    def receive(self, event, at=0, **around):
        point = self.points.get(point_id(event))
        known = self.known.get(event.id, Known())
        surroundings = Surroundings(**around)
        return self.write(receive(point, event, known, at=at, rules=RULES, around=surroundings))

    def point(self, event):
        return self.points[point_id(event)]


def test_an_alarm_raised_seen_and_over():
    bench, event = Bench(), raised()
    [entry] = bench.receive(event, at=5)
    assert (entry.action, entry.by, entry.time, entry.at) == (Action.RAISE, "yeji", event.time, 5)
    assert bench.point(event).life.state is AlarmState.UNACKNOWLEDGED
    bench.write([act(bench.point(event), Event.ACKNOWLEDGE, at=9, by="kim")])
    point = bench.point(event)
    assert (point.acknowledged_by, point.acknowledged_at, point.waits) == ("kim", 9, False)
    bench.receive(cleared(), at=70)
    assert bench.point(event).life.state is AlarmState.NORMAL


def test_the_same_event_again_changes_nothing():
    bench = Bench()
    for event in (raised(), cleared()):
        assert bench.receive(event)
    for event in (cleared(), raised(), raised(), cleared()):
        assert bench.receive(event) == []


def test_a_clear_before_its_raise_makes_the_raise_old_news():
    bench = Bench()
    bench.receive(cleared())
    assert bench.point(cleared()).life.state is AlarmState.NORMAL
    assert bench.receive(raised()) == []
    assert arrange(bench.points.values(), now=0, stale_after=1) == []


def test_two_causes_on_one_sensor_end_when_the_last_does():
    quality = {"kind": AlarmKind.QUALITY, "sensor": "vibration"}
    first, second = raised(onset=0, **quality), raised(onset=1, **quality)
    bench = Bench()
    bench.receive(first)
    bench.receive(second)
    bench.receive(cleared(onset=0, **quality))
    assert bench.point(first).life.active
    bench.receive(cleared(onset=1, **quality))
    assert bench.point(first).life.state is AlarmState.RETURNED


def test_three_raises_in_a_minute_latch_until_quiet():
    bench = Bench()
    for k in range(3):
        bench.receive(raised(onset=k * 20_000), at=k)
        bench.receive(cleared(onset=k * 20_000, time=k * 20_000 + 15_000), at=k)
    point = bench.point(raised())
    assert (point.life.latched, point.life.active, point.count) == (True, False, 3)
    assert point.life.state is AlarmState.UNACKNOWLEDGED, "latched: it does not return by itself"
    assert [e.action for e in bench.entries].count(Action.LATCH) == 1
    assert tick(point, now=2 + RULES.quiet - 1, reasons=(), rules=RULES) == []
    [entry] = bench.write(tick(point, now=2 + RULES.quiet, reasons=(), rules=RULES))
    assert (entry.action, bench.point(raised()).life.state) == (Action.UNLATCH, AlarmState.RETURNED)


def test_three_raises_in_more_than_a_minute_do_not_latch():
    bench = Bench()
    for k in range(3):
        bench.receive(raised(onset=k * 30_001))
        bench.receive(cleared(onset=k * 30_001, time=k * 30_001 + 15_000))
    assert not bench.point(raised()).life.latched


def test_a_timed_shelf_runs_out_and_the_alarm_is_announced_anew():
    bench, event = Bench(), raised()
    bench.receive(event)
    bench.write([shelve(bench.point(event), at=0, by="kim", why="part ordered", rules=RULES, until=1000)])
    point = bench.point(event)
    assert (point.life.state, point.shelved_by, point.shelved_until) == (
        AlarmState.SHELVED_TIMED,
        "kim",
        1000,
    )
    assert tick(point, now=999, reasons=(), rules=RULES) == []
    bench.write(tick(point, now=1000, reasons=(), rules=RULES))
    point = bench.point(event)
    assert (point.life.state, point.announced, point.shelved_until) == (AlarmState.UNACKNOWLEDGED, 2, None)


def test_a_one_shot_shelf_ends_with_the_alarm():
    bench, event = Bench(), raised()
    bench.receive(event)
    bench.write([shelve(bench.point(event), at=0, by="kim", why="known", rules=RULES)])
    bench.receive(cleared())
    assert bench.point(event).life.shelf is Shelf.NONE


@pytest.mark.parametrize(
    ("why", "until", "what"),
    [
        ("", 1000, "shelve-why"),
        ("x", 0, "shelf-over"),
        ("x", RULES.longest_shelf + 1, "shelf-too-long: hours=12"),
    ],
)
def test_shelves_that_are_refused(why, until, what):
    bench = Bench()
    bench.receive(raised())
    with pytest.raises(RefusedError, match=what):
        shelve(bench.point(raised()), at=0, by="kim", why=why, rules=RULES, until=until)


def test_an_alarm_in_a_window_is_announced_when_the_window_ends():
    bench, event = Bench(), raised()
    entries = bench.receive(event, reasons=("window:w",))
    assert [e.action for e in entries] == [Action.SUPPRESS, Action.RAISE]
    assert bench.point(event).life.state is AlarmState.SUPPRESSED
    assert bench.point(event).announced == 0
    bench.write(tick(bench.point(event), now=1, reasons=(), rules=RULES))
    assert (bench.point(event).life.state, bench.point(event).announced) == (AlarmState.UNACKNOWLEDGED, 1)


def test_a_shelf_and_a_window_that_end_together_announce_once():
    bench, event = Bench(), raised()
    bench.receive(event, reasons=("window:w",))
    bench.write([shelve(bench.point(event), at=0, by="kim", why="x", rules=RULES, until=10)])
    bench.write(tick(bench.point(event), now=10, reasons=(), rules=RULES))
    assert bench.point(event).announced == 1


def test_why_a_machine_is_suppressed():
    parents = {f"{PRESS.rpartition('/')[0]}/*": ROBOT}
    windows = [Window("w", "gwangju/ggm/body", 10, 20, "lee"), Window("v", PRESS, 0, 5, "lee")]
    why = lambda machine, now, down=(): reasons(  # noqa: E731
        machine, windows=windows, down=down, parents=parents, now=now
    )
    assert why(PRESS, 0) == ("window:v",)
    assert why(PRESS, 5) == ()
    assert why(PRESS, 10, [ROBOT]) == (f"down:{ROBOT}", "window:w")
    assert why(ROBOT, 30, [ROBOT]) == (), "a machine that is down still shows its own alarms"
    assert why(OVEN, 12) == ()
    assert parents_of("a", {"a": "b", "b": "a"}) == ["b"], "a circle ends"


def test_priority_grows_with_severity_and_criticality():
    for severity in range(1, 5):
        for criticality in range(1, 5):
            here = priority_of(severity, criticality)
            assert here >= priority_of(severity - 1, criticality)
            assert here >= priority_of(severity, criticality - 1)
    assert priority_of(1, 1) is Priority.LOW
    assert priority_of(4, 4) is Priority.URGENT
    assert priority_of(99, 99) is Priority.URGENT


def arrive(bench, event, at=0, within=600_000):
    group = group_of(event, bench.points.values(), within)
    bench.receive(event, at=at, group=group)
    return bench.point(event)


def test_groups_are_named_by_their_first_point():
    bench = Bench()
    first = arrive(bench, raised(PRESS))
    same_machine = arrive(bench, limit("trip", 900_000, severity=4))
    neighbour = arrive(bench, raised(ROBOT, 1_000_000))
    late = arrive(bench, raised(ROBOT, 3_000_000, kind=AlarmKind.LIMIT, sensor="current"))
    assert first.group == ""
    assert same_machine.group == neighbour.group == late.group == first.id
    # the first ends: the rest stay together, and the first joins them again when it comes back
    bench.write([act(first, Event.ACKNOWLEDGE, at=1, by="kim")])
    bench.receive(cleared(PRESS))
    again = arrive(bench, raised(PRESS, onset=5_000_000))
    assert again.group == first.id


def test_a_group_is_of_the_time_of_events_and_not_of_when_they_arrived():
    bench = Bench()
    arrive(bench, raised(PRESS, 0), at=7_000_000)
    assert arrive(bench, raised(ROBOT, 600_000), at=7_000_000).group == "", "ten minutes later"
    other = arrive(bench, raised(ROBOT, 600_001, kind=AlarmKind.LIMIT, sensor="current"), at=9_000_000)
    assert other.group == bench.point(raised(ROBOT)).id, "the machine's own"


def test_a_span_of_nothing_groups_no_neighbours():
    bench = Bench()
    arrive(bench, raised(PRESS))
    assert arrive(bench, raised(ROBOT), within=0).group == ""
    assert arrive(bench, limit("warn"), within=0).group != "", "alarms of one machine belong together"


def test_a_gateway_takes_machines_of_any_line_along():
    bench, other_line = Bench(), "gwangju/ggm/body/line-9/press-01"
    first = arrive(bench, silent(PRESS))
    assert arrive(bench, silent(OVEN, 60_000)).group == first.id
    assert arrive(bench, silent(RIVAL, 60_000)).group == "", "another site has another network"
    assert arrive(bench, raised(other_line, 60_000)).group == "", "and a machine's own trouble is its own"


def test_the_worst_live_alarm_leads():
    """Two days ago a condition came and went, unanswered; now two limits of that machine are crossed."""
    bench, day = Bench(), 86_400_000
    old = arrive(bench, raised(PRESS, 0, severity=3))
    bench.receive(cleared(PRESS, 0))
    arrive(bench, limit("warn", 2 * day))
    trip = arrive(bench, limit("trip", 2 * day + 1_000, severity=4))
    arrive(bench, raised(OVEN, 2 * day + 5_000, severity=2))
    ended = arrive(bench, raised(RIVAL, 2 * day, severity=4))
    bench.receive(cleared(RIVAL, 2 * day))
    lead, second, last = arrange(bench.points.values(), now=2 * day, stale_after=day)
    assert (lead.point, [one.code for one in lead.members]) == (trip.id, ["warn", ""])
    assert lead.members[-1].point == old.id
    assert (second.machine, last.point) == (OVEN, ended.id), "what lives stands before what is over"


def test_warn_and_trip_have_lives_of_their_own():
    bench = Bench()
    warn, trip = arrive(bench, limit("warn")), arrive(bench, limit("trip", 5_000, severity=4))
    assert (warn.priority, trip.priority) == (Priority.MEDIUM, Priority.HIGH)
    bench.receive(cleared(onset=0, kind=AlarmKind.LIMIT, sensor="vibration", cause="warn"))
    assert not bench.point(limit("warn")).life.active
    assert bench.point(limit("trip")).life.active, "clearing one does not clear the other"
    assert bench.point(limit("trip")).priority is Priority.HIGH


def test_what_makes_a_sensor_untrustworthy_is_one_point_and_silence_another():
    sick = {"kind": AlarmKind.QUALITY, "sensor": "vibration"}
    assert point_id(raised(cause="stuck", **sick)) == point_id(raised(cause="drift", **sick))
    gap = raised(kind=AlarmKind.QUALITY, cause="gap")
    assert len({point_id(silent()), point_id(gap), point_id(raised(cause="stuck", **sick))}) == 3


ACTS = (
    Event.ACKNOWLEDGE,
    Event.CLOSE,
    Event.SHELVE_ONCE,
    Event.UNSHELVE,
    Event.OUT_OF_SERVICE,
    Event.IN_SERVICE,
)


class AnyOrder(RuleBasedStateMachine):
    """Events of two points in any order, again and again, while people act and time goes by."""

    def __init__(self):
        super().__init__()
        self.bench, self.now, self.onset = Bench(), 0, 0
        self.sent = []
        self.truth = {}  # occurrence → whether its condition lasts, as its events that came first said
        self.why = ()

    def send(self, event):
        before = len(self.bench.entries)
        entries = self.bench.receive(event, at=self.now, reasons=self.why)
        live_updates = event.id not in self.truth or (
            event.phase is AlarmPhase.CLEARED and self.truth[event.id] is True
        )
        assert bool(entries) == live_updates, "an event is taken once"
        assert live_updates or len(self.bench.entries) == before
        if live_updates:
            self.truth[event.id] = event.phase is AlarmPhase.RAISED
        self.sent.append(event)

    @rule(sensor=sampled_from([None, "vibration"]), gap=integers(0, 40_000))
    def begin(self, sensor, gap):
        self.onset += gap + 1
        self.send(raised(onset=self.onset, sensor=sensor))

    @precondition(lambda self: self.sent)
    @rule(k=integers(0, 10**6))
    def end(self, k):
        event = self.sent[k % len(self.sent)]
        self.send(cleared(onset=event.onset, sensor=event.sensor))

    @precondition(lambda self: self.sent)
    @rule(k=integers(0, 10**6))
    def replay_from(self, k):
        for event in self.sent[k % len(self.sent) :]:
            self.send(event)

    @precondition(lambda self: self.bench.points)
    @rule(k=integers(0, 1), event=sampled_from(ACTS))
    def somebody_acts(self, k, event):
        point = list(self.bench.points.values())[k % len(self.bench.points)]
        try:
            entry = act(point, event, at=self.now, by="kim")
        except RefusedError:
            return
        self.bench.write([entry])

    @precondition(lambda self: self.bench.points)
    @rule(k=integers(0, 1), span=integers(1, 2_000_000))
    def somebody_shelves(self, k, span):
        point = list(self.bench.points.values())[k % len(self.bench.points)]
        try:
            entry = shelve(point, at=self.now, by="kim", why="x", rules=RULES, until=self.now + span)
        except RefusedError:
            return
        self.bench.write([entry])

    @precondition(lambda self: self.bench.points)
    @rule(k=integers(0, 1), action=sampled_from([Action.TAKE, Action.COMMENT, Action.TOLD]))
    def somebody_notes(self, k, action):
        point = list(self.bench.points.values())[k % len(self.bench.points)]
        life = point.life
        self.bench.write([note(point, action, at=self.now, by="kim")])
        assert self.bench.points[point.id].life == life

    @rule(span=integers(0, 1_000_000), work=booleans())
    def time_goes_by(self, span, work):
        self.now += span
        self.why = ("window:w",) if work else ()
        for point in list(self.bench.points.values()):
            self.bench.write(tick(point, now=self.now, reasons=self.why, rules=RULES))
            after = self.bench.points[point.id]
            assert tick(after, now=self.now, reasons=self.why, rules=RULES) == [], (
                "ticking again does nothing"
            )

    @invariant()
    def the_journal_alone_gives_the_same_state(self):
        again = {}
        for entry in self.bench.entries:
            again[entry.point] = apply(again.get(entry.point), entry)
        assert again == self.bench.points

    @invariant()
    def conditions_are_as_told(self):
        for point in self.bench.points.values():
            lasting = {id for id, lasts in self.truth.items() if lasts}
            assert set(point.open) == {id for id in lasting if id in point.open}
            assert point.life.active == bool(point.open)
            if point.life.active:
                assert point.life.announced in (Announced.UNACKNOWLEDGED, Announced.ACKNOWLEDGED)
        assert {id for p in self.bench.points.values() for id in p.open} == {
            id for id, lasts in self.truth.items() if lasts
        }

    @invariant()
    def nobody_is_asked_about_what_is_muted(self):
        for point in self.bench.points.values():
            assert not (point.waits and point.life.muted)
            assert (point.shelved_until is not None) == (point.life.shelf is Shelf.TIMED)


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
