"""The desk over its file: scopes, the journal that cannot be edited, and state made anew from it."""

import sqlite3
from dataclasses import replace
from threading import Thread

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers, lists, sampled_from, tuples

from connectors.sqlite.files import NewerStoreError, StoreError
from connectors.sqlite.steps import migrate
from desk.rules.desk import Known, RefusedError, Rules, receive
from desk.rules.finding import Finding
from desk.rules.journal import GENESIS, Action, JournalError, decode_entry, encode_entry, seal
from desk.rules.life import AlarmState
from desk.rules.scope import EVERYTHING, NOTHING, Scope
from desk.service.desk import Desk, NotFoundError
from desk.store.schema import _STEPS, APPLICATION_ID
from desk.store.store import check_journal
from pipeline.priority import Priority
from pipeline.records import AlarmKind, VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import OVEN, PRESS, RIVAL, ROBOT, cleared, raised

GGM, ULSAN = Scope.of("gwangju/ggm"), Scope.of("ulsan/rival")
HOUR = 3_600_000


class Clock:
    def __init__(self):
        self.now = 1_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk(tmp_path, clock):
    opened = Desk(
        tmp_path / "desk.sqlite",
        Settings(
            desk={"parents": {"gwangju/ggm/body/line-2/press-*": ROBOT}},
            classes={"press": {"match": ["*/press-*"], "criticality": 4}},
        ),
        clock,
    )
    yield opened
    opened.close()


def rebuilt(desk):
    """The desk's state, which must be the same when it is made anew from the journal."""
    tables = ("points", "occurrences", "verdicts", "windows", "down")
    read = lambda: {  # noqa: E731
        table: sorted(map(repr, desk.store._db.execute(f"SELECT * FROM {table}"))) for table in tables
    }
    before = read()
    desk.store.rebuild()
    assert read() == before
    return before


def test_an_alarm_from_its_raise_to_its_verdict(desk, clock):
    event = raised(PRESS)
    desk.receive([event])
    [alarm] = desk.open_alarms(GGM)
    assert (alarm.id, alarm.priority, alarm.state) == (event.id, Priority.URGENT, AlarmState.UNACKNOWLEDGED)
    clock.now += 90_000
    assert desk.assign(GGM, event.id, by="Kim").taken_by == "Kim"
    assert desk.comment(GGM, event.id, by="Kim", text=" loud ").comments == 1
    desk.receive([cleared(PRESS)])
    assert desk.open_alarms(GGM) == []
    verdict = desk.close_alarm(GGM, event.id, Finding(VerdictKind.FAULT, "bearing-wear"), by="Kim")
    assert (verdict.start, verdict.end, verdict.alarm) == (event.onset, event.onset + 60_000, event.id)
    [past] = desk.history(GGM, PRESS)
    assert (past.event, past.ended, past.verdict) == (event, 60_000, verdict)
    assert desk.last_time(GGM, PRESS) == verdict
    assert desk.last_time(GGM, PRESS, but=event.id) is None
    said = [(e.by, e.action, e.why) for e in desk.journal(GGM, alarm=event.id)]
    assert ("Kim", Action.COMMENT, "loud") in said
    measures = desk.kpis(GGM, 0, clock.now + 1)
    assert (measures.alarms, measures.acknowledged, measures.ack_median) == (1, 1, 90.0)
    report = desk.shift_report(GGM, 0, clock.now + 1)
    assert [e.action for e in report.acts] == [Action.TAKE, Action.ACKNOWLEDGE, Action.COMMENT, Action.CLOSE]
    rebuilt(desk)


def test_a_verdict_on_an_alarm_that_lasts_speaks_of_all_of_it_until_now(desk, clock):
    event = raised(PRESS)
    desk.receive([event])
    clock.now += 3_600_000
    verdict = desk.close_alarm(GGM, event.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    assert (verdict.start, verdict.end) == (event.onset, clock.now)


def test_a_tenant_sees_and_touches_nothing_of_another(desk, clock):
    mine, theirs = raised(PRESS), raised(RIVAL)
    desk.receive([mine, theirs])
    window = desk.open_window(ULSAN, "ulsan/rival/body", start=0, end=clock.now + HOUR, by="Lee", why="x")
    assert [a.machine for a in desk.open_alarms(GGM)] == [PRESS]
    assert desk.machines(GGM) == [PRESS]
    assert desk.windows(GGM) == []
    assert {e.machine for e in desk.journal(GGM)} == {PRESS}
    assert desk.history(GGM, RIVAL) == desk.points(GGM, RIVAL) == desk.verdicts(GGM, machine=RIVAL) == []
    assert desk.kpis(GGM, 0, clock.now + 1).alarms == 1
    assert len(desk.shift_report(GGM, 0, clock.now + 1).raised) == 1
    now = clock.now
    for attempt in (
        lambda s: desk.alarm(s, theirs.id),
        lambda s: desk.occurrence(s, theirs.id),
        lambda s: desk.messages(s, theirs.id),
        lambda s: desk.acknowledge(s, theirs.id, by="Kim"),
        lambda s: desk.shelve(s, theirs.id, by="Kim", why="x"),
        lambda s: desk.unshelve(s, theirs.id, by="Kim"),
        lambda s: desk.assign(s, theirs.id, by="Kim"),
        lambda s: desk.comment(s, theirs.id, by="Kim", text="x"),
        lambda s: desk.out_of_service(s, theirs.id, by="Kim", why="x"),
        lambda s: desk.in_service(s, theirs.id, by="Kim"),
        lambda s: desk.close_alarm(s, theirs.id, Finding(VerdictKind.FALSE_ALARM), by="Kim"),
        lambda s: desk.report_verdict(s, RIVAL, Finding(VerdictKind.FALSE_ALARM), by="Kim", start=0, end=1),
        lambda s: desk.open_window(s, RIVAL, start=now, end=now + 1, by="Kim", why="x"),
        lambda s: desk.open_window(s, "ulsan", start=now, end=now + 1, by="Kim", why="x"),
        lambda s: desk.end_window(s, window.id, by="Kim"),
        lambda s: desk.machine_down(s, RIVAL, by="Kim", why="x"),
        lambda s: desk.machine_up(s, RIVAL, by="Kim"),
    ):
        for scope in (GGM, NOTHING):
            with pytest.raises(NotFoundError):
                attempt(scope)
    assert {e.by for e in desk.journal(ULSAN)} == {"yeji", "Lee"}


def test_the_same_results_again_change_nothing(desk):
    alarms = [raised(PRESS), cleared(PRESS), raised(OVEN)]
    desk.receive(alarms)
    head = desk.head()
    desk.receive(alarms)
    desk.receive([])
    assert desk.head() == head


def test_a_window_suppresses_tells_the_models_and_ends(desk, clock):
    desk.receive([raised(PRESS), raised(OVEN)])
    window = desk.open_window(
        GGM, "gwangju/ggm/body", start=clock.now, end=clock.now + HOUR, by="Lee", why="yearly"
    )
    assert desk.alarm(GGM, raised(PRESS).id).state is AlarmState.SUPPRESSED
    assert desk.alarm(GGM, raised(OVEN).id).state is AlarmState.UNACKNOWLEDGED
    [verdict] = desk.verdicts(GGM)
    assert (verdict.machine, verdict.kind, verdict.end) == (PRESS, VerdictKind.PLANNED_WORK, window.end)
    desk.receive([raised(ROBOT)])
    assert desk.alarm(GGM, raised(ROBOT).id).reasons == (f"window:{window.id}",)
    clock.now += 1000
    desk.end_window(GGM, window.id, by="Lee")
    assert desk.alarm(GGM, raised(PRESS).id).state is AlarmState.UNACKNOWLEDGED
    with pytest.raises(RefusedError, match="window-ended"):
        desk.end_window(GGM, window.id, by="Lee")
    rebuilt(desk)


def test_a_window_tells_the_models_of_machines_that_never_alarmed_too(desk, clock):
    desk.receive([raised(PRESS)])
    desk.fleet = lambda: [PRESS, ROBOT, OVEN, RIVAL]
    desk.open_window(GGM, "gwangju/ggm/body", start=clock.now, end=clock.now + HOUR, by="Lee", why="x")
    assert sorted(one.machine for one in desk.verdicts(EVERYTHING)) == [PRESS, ROBOT]


def test_a_parent_that_is_down_suppresses_its_children(desk):
    desk.machine_down(GGM, ROBOT, by="Lee", why="gearbox")
    desk.receive([raised(PRESS), raised(ROBOT)])
    assert desk.alarm(GGM, raised(PRESS).id).reasons == (f"down:{ROBOT}",)
    assert desk.alarm(GGM, raised(ROBOT).id).waits
    assert list(desk.down(GGM)) == [ROBOT]
    with pytest.raises(RefusedError, match="down-already"):
        desk.machine_down(GGM, ROBOT, by="Lee", why="x")
    desk.machine_up(GGM, ROBOT, by="Lee")
    assert desk.alarm(GGM, raised(PRESS).id).waits
    rebuilt(desk)


def test_an_act_on_an_alarm_that_has_come_again_is_refused(desk):
    first, second = raised(PRESS, onset=0), raised(PRESS, onset=100_000)
    desk.receive([first, cleared(PRESS, onset=0), second])
    with pytest.raises(RefusedError, match="came-again"):
        desk.acknowledge(GGM, first.id, by="Kim")
    verdict = desk.close_alarm(GGM, first.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    assert verdict.alarm == first.id
    assert desk.alarm(GGM, second.id).waits, "a word on the past leaves the present open"
    rebuilt(desk)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"kind": VerdictKind.FAULT}, "failure-mode-missing"),
        ({"kind": VerdictKind.SENSOR_FAULT}, "sensor-missing"),
    ],
)
def test_verdicts_that_say_too_little(desk, more, says):
    desk.receive([raised(PRESS)])
    with pytest.raises(RefusedError, match=says):
        desk.close_alarm(GGM, raised(PRESS).id, Finding(**more), by="Kim")


def test_subscribers_hear_of_each_change_after_it_is_written(desk):
    heard = []
    desk.subscribe(lambda entries: heard.append((entries[-1].action, desk.head())))
    desk.receive([raised(PRESS)])
    desk.acknowledge(GGM, raised(PRESS).id, by="Kim")
    desk.receive([raised(PRESS)])
    with pytest.raises(RefusedError):
        desk.acknowledge(GGM, raised(PRESS).id, by="Kim")
    assert heard == [(Action.RAISE, 1), (Action.ACKNOWLEDGE, 2)]


def test_two_acknowledge_at_once_and_one_is_told_so(desk):
    desk.receive([raised(PRESS)])
    results = []

    def acknowledge(name):
        try:
            results.append(desk.acknowledge(GGM, raised(PRESS).id, by=name).acknowledged_by)
        except RefusedError as error:
            results.append(str(error))

    threads = [Thread(target=acknowledge, args=(name,)) for name in ("Kim", "Lee")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in results if one in ("Kim", "Lee")]) == 1
    assert any("acknowledged-by" in one for one in results)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET at = 0",
        "DELETE FROM journal",
        "DELETE FROM journal WHERE seq = 2",
        "INSERT INTO journal SELECT 9, at, action, machine, point, alarm, body, hash FROM journal LIMIT 1",
        "INSERT OR REPLACE INTO journal SELECT 1, at, action, machine, point, alarm, body, hash FROM journal "
        "WHERE seq = 2",
    ],
)
def test_the_journal_cannot_be_edited_in_place(desk, statement):
    desk.receive([raised(PRESS), raised(OVEN)])
    with pytest.raises(sqlite3.IntegrityError):
        desk.store._db.execute(statement)
    assert check_journal(desk.store.path, [])[0] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET body = replace(body, 'press-07', 'press-08') WHERE seq = 1",
        "UPDATE journal SET machine = 'x' WHERE seq = 1",
        "UPDATE journal SET hash = zeroblob(32) WHERE seq = 1",
        "DELETE FROM journal WHERE seq = 1",
        "DELETE FROM journal WHERE seq = 2",
    ],
)
def test_edits_behind_its_back_are_found(desk, statement):
    desk.receive([raised(PRESS), raised(OVEN)])
    count, head = check_journal(desk.store.path, [])
    assert count == 2
    db = desk.store._db
    db.execute("DROP TRIGGER journal_is_never_changed")
    db.execute("DROP TRIGGER journal_is_never_cut")
    db.execute(statement)
    with pytest.raises(JournalError):
        check_journal(desk.store.path, [head])


def test_files_that_are_not_a_desks(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="another kind"):
        Desk(other, Settings())
    (tmp_path / "text").write_text("not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(StoreError, match="cannot be opened"):
        Desk(tmp_path / "text", Settings())
    newer = tmp_path / "newer.sqlite"
    Desk(newer, Settings()).close()
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerStoreError, match="newer Yeji"):
        Desk(newer, Settings())
    with pytest.raises(StoreError, match="no file"):
        check_journal(tmp_path / "none", [])


EVENTS = tuples(sampled_from([PRESS, ROBOT, OVEN, RIVAL]), sampled_from([None, "vibration"]), integers(0, 3))


@given(lists(tuples(EVENTS, sampled_from(["raise", "clear", "ack", "shelve", "window", "tick", "close"]))))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_state_follows_from_the_journal_whatever_happened(tmp_path_factory, steps):
    clock = Clock()
    desk = Desk(tmp_path_factory.mktemp("desk") / "desk.sqlite", Settings(), clock)
    for (machine, sensor, n), what in steps:
        clock.now += 20_000
        event = raised(machine, n * 15_000, sensor=sensor, kind=AlarmKind.LIMIT)
        try:
            if what == "raise":
                desk.receive([event])
            elif what == "clear":
                desk.receive([cleared(machine, n * 15_000, sensor=sensor, kind=AlarmKind.LIMIT)])
            elif what == "ack":
                desk.acknowledge(EVERYTHING, event.id, by="Kim")
            elif what == "shelve":
                desk.shelve(EVERYTHING, event.id, by="Kim", why="x", until=clock.now + 50_000)
            elif what == "window":
                desk.open_window(
                    EVERYTHING, machine, start=clock.now, end=clock.now + 50_000, by="L", why="x"
                )
            elif what == "close":
                desk.close_alarm(EVERYTHING, event.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
            else:
                desk.tick()
        except (RefusedError, NotFoundError):
            pass
    rebuilt(desk)
    assert check_journal(desk.store.path, [])[0] == desk.head()
    desk.close()


def test_entries_are_found_by_the_time_of_the_event_in_whatever_order_they_came(desk, clock):
    times = (1_000_000, 9_000_000, 8_990_000, 20_000_000, 19_000_000)
    for time in times:
        clock.now += 1
        desk.receive([raised(PRESS, onset=time, time=time)])
    for since in (0, 1_000_001, 8_990_000, 9_000_000, 19_000_001, 30_000_000):
        for until in (since + 1, 9_000_000, 30_000_001):
            found = [entry.time for entry in desk.journal(EVERYTHING, since=since, until=until)]
            assert found == [entry.time for entry in desk.journal(EVERYTHING) if since <= entry.time < until]


def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path, clock):
    """Its points get the columns that the list is read by, and its journal stays as it was sealed."""
    path = tmp_path / "desk.sqlite"
    with sqlite3.connect(path, isolation_level=None) as db:
        migrate(db, _STEPS[:1])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        body = encode_entry(msgspec.structs.replace(receive_one(raised(PRESS)), seq=1))
        entry = decode_entry(body)
        db.execute(
            "INSERT INTO journal (seq, at, action, machine, point, alarm, body, hash) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (1, entry.at, entry.action, PRESS, entry.point, entry.alarm, body, seal(GENESIS, body)),
        )
    desk = Desk(path, Settings(), clock)
    [alarm] = desk.open_alarms(EVERYTHING)
    assert (alarm.machine, alarm.since) == (PRESS, 0)
    row = desk.store._db.execute("SELECT card, onset, kind, state FROM points").fetchone()
    assert row == (alarm.point, 0, "condition", "unacknowledged")
    assert [one.time for one in desk.journal(EVERYTHING, since=10_000, until=10_001)] == [10_000]
    assert check_journal(path, [])[0] == 1
    desk.close()


def receive_one(event):
    [entry] = receive(None, event, Known(), at=0, rules=Rules())
    return entry


def opened_up(desk):
    """The desk's file as somebody with the file in hand has it: its guards taken off."""
    db = sqlite3.connect(desk.store.path, isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    return db


def test_an_emptied_journal_is_found(desk):
    desk.receive([raised(PRESS)])
    opened_up(desk).execute("DELETE FROM journal")
    with pytest.raises(JournalError, match="rows too many"):
        check_journal(desk.store.path, [])
    for table in ("points", "occurrences"):
        opened_up(desk).execute(f"DELETE FROM {table}")
    opened_up(desk).execute("INSERT INTO offsets VALUES ('maintenance.alerts', 0, 7)")
    with pytest.raises(JournalError, match="emptied"):
        check_journal(desk.store.path, [])


def test_a_changed_verdict_is_found(desk):
    event = raised(PRESS)
    desk.receive([event])
    verdict = desk.close_alarm(GGM, event.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    assert check_journal(desk.store.path, [])[0] == desk.head()
    changed = msgspec.msgpack.encode(replace(verdict, kind=VerdictKind.FAULT))
    opened_up(desk).execute("UPDATE verdicts SET body = ?", (changed,))
    with pytest.raises(JournalError, match=f"verdicts .*1 rows were changed, {verdict.id}"):
        check_journal(desk.store.path, [])
    desk.store.rebuild()
    check_journal(desk.store.path, [])
