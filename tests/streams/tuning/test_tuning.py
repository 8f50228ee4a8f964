"""A history replayed with other settings, judged by verdicts; versions promoted, shadowed, rolled back."""

import os

import pytest
from typer.testing import CliRunner

from connectors.files.tuned import changed, read_tuned, with_tuned, write_tuned
from connectors.sqlite.frames import frames
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.learning.tuning import TuningBook, TuningError
from desk.rules.finding import Finding
from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from desk.store.store import DeskStore
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, Verdict, VerdictKind
from pipeline.settings import SettingsError
from streams.cli import make_app
from streams.settings import load_settings
from streams.tuning.replay import DAY, Span, judge, replay
from tests.pipeline.plant import START, recording
from tests.pipeline.test_feedback import MACHINE, settings

HOUR = 3_600_000
TOML = """
[classes.default]
detectors = [{kind = "mspc"}]
learning = {warmup = 64, block = 8}
alarm = {threshold = 0.99, clear = 0.9, on_delay = 3, off_delay = 10, min_readings = 3}
"""


def verdict(kind, start, end, machine=MACHINE):
    return Verdict(
        id=f"{kind}{start}",
        machine=machine,
        machine_class="default",
        kind=kind,
        start=start,
        end=end,
        at=end,
        by="kim",
        failure_mode="wear",
    )


def span(raised, end=None, machine=MACHINE, kind=AlarmKind.CONDITION):
    return Span(machine, kind, raised - 10, raised, end)


def test_alarms_are_judged_by_what_crews_found():
    spans = [
        span(1 * DAY, 1 * DAY + HOUR),
        span(2 * DAY, 2 * DAY + HOUR),
        span(3 * DAY, 3 * DAY + HOUR),
        span(4 * DAY, 6 * DAY),
        span(8 * DAY, 8 * DAY + 1, kind=AlarmKind.QUALITY),
    ]
    verdicts = [
        verdict(VerdictKind.FALSE_ALARM, 1 * DAY, 1 * DAY + 10),
        verdict(VerdictKind.PLANNED_WORK, 3 * DAY - HOUR, 3 * DAY + HOUR),
        verdict(VerdictKind.FAULT, 5 * DAY, 5 * DAY + HOUR),
        verdict(VerdictKind.FAULT, 8 * DAY, 8 * DAY + HOUR),
        verdict(VerdictKind.FAULT, 9 * DAY, 9 * DAY + HOUR, machine="x/y/z/u/v"),
    ]
    judged = judge(spans, verdicts, start=0, end=10 * DAY, machines=1)
    assert (judged.alarms, judged.a_day, judged.false, judged.unjudged) == (4, 0.4, 1, 1)
    assert [one.lead for one in judged.faults] == [DAY, None, None], "a sensor's fault warns of nothing"
    assert judged.caught == 1
    late = judge(spans, verdicts, start=2 * DAY, end=10 * DAY, machines=1)
    assert (late.alarms, late.false) == (3, 0)


def test_an_alarm_that_ended_before_the_fault_began_is_no_warning_of_it():
    fault = verdict(VerdictKind.FAULT, 5 * DAY, 5 * DAY + HOUR)
    assert judge([span(4 * DAY, 5 * DAY - 1)], [fault], start=0, end=6 * DAY, machines=1).caught == 0
    assert judge([span(4 * DAY, None)], [fault], start=0, end=6 * DAY, machines=1).caught == 1


def test_a_replay_from_the_store_gives_the_alarms_of_the_first_run(tmp_path):
    frame, sink = recording(MACHINE, 500, 1, fault=(300, 360)), SqliteSink(tmp_path / "s.sqlite")
    with sink:
        results = Pipeline(settings()).process([frame])
        sink.write(results)
        history = SqliteHistory(tmp_path / "s.sqlite")
        spans = replay(settings(), MACHINE, frames(history, MACHINE, START, START + DAY))
        history.close()
    raised = [a for a in results.alarms if a.phase == "raised"]
    assert [(one.kind, one.raised) for one in spans] == [(a.kind, a.time) for a in raised]
    assert any(one.kind is AlarmKind.CONDITION for one in spans)
    deaf = changed(settings(), "default", {"alarm.min_readings": 1000})
    assert not any(one.kind is AlarmKind.CONDITION for one in replay(deaf, MACHINE, [frame])), (
        "other settings, other alarms"
    )


@pytest.mark.parametrize(
    ("machine_class", "changes", "says"),
    [
        ("nope", {}, "no machine class 'nope'"),
        ("default", {"alarm.treshold": 1}, "alarm.treshold is no setting"),
        ("default", {"alarm.threshold.x": 1}, "is no setting"),
        ("default", {"alarm.threshold": 2}, "alarm.threshold"),
        ("default", {"alarm.clear": 0.9999}, "must not be above"),
    ],
)
def test_changes_that_cannot_be(machine_class, changes, says):
    with pytest.raises(SettingsError, match=says):
        changed(settings(), machine_class, changes)


def test_promoted_changes_are_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "var" / "tuned.toml"
    changes = {"alarm.threshold": 0.9995, "alarm.on_delay": 30, "match": ["*/프레스-*"]}
    write_tuned(path, {"default": changes, "none": {}})
    assert read_tuned(path) == {"default": changes}
    loaded = load_settings().classes["default"]
    assert (loaded.alarm.threshold, loaded.alarm.on_delay, loaded.match) == (0.9995, 30.0, ["*/프레스-*"])
    write_tuned(path, {"gone": {"alarm.threshold": 0.5}})
    with pytest.raises(SettingsError, match=r"tuned.toml: There is no machine class 'gone'"):
        load_settings()
    path.write_text("= nonsense")
    with pytest.raises(SettingsError, match="cannot be read"):
        with_tuned(settings())
    path.write_text("classes = 3")
    with pytest.raises(SettingsError, match="write changes under"):
        with_tuned(settings())


def test_versions_are_kept_promoted_and_rolled_back(tmp_path):
    store = DeskStore(tmp_path / "desk.sqlite")
    book = TuningBook(store)
    one = book.propose("press", {"alarm.threshold": 0.9}, at=1, by="Kim")
    assert book.propose("press", {"alarm.threshold": 0.9}, at=2, by="Lee") == one
    for k in (2, 3):
        book.propose("press", {"alarm.threshold": k / 10}, at=k, by="Kim")
    assert book.shadow("press", 2, at=4, by="Kim").role == "shadow"
    for k in (1, 2, 3, 1):
        book.promote("press", k, at=5, by="Kim")
    assert [(v.version, v.role) for v in book.versions("press")] == [
        (3, "retired"),
        (2, "retired"),
        (1, "active"),
    ]
    assert [(book.roll_back("press", at=6, by="Lee") or one).version for _ in range(2)] == [3, 2]
    assert book.roll_back("press", at=6, by="Lee") is None
    with pytest.raises(TuningError, match="Nothing is promoted"):
        book.roll_back("press", at=7, by="Lee")
    with pytest.raises(TuningError, match="no version 9; it has 1, 2, 3"):
        book.promote("press", 9, at=8, by="Lee")
    with store.reading() as r:
        steps = [
            (e.by, e.version, e.role, e.cause and e.cause.code)
            for e in r.entries(EVERYTHING)
            if e.action is Action.TUNE
        ]
    assert steps[0] == ("Kim", 1, "proposed", None)
    assert ("Lee", 3, "active", "tuning.rolled-back-to") in steps
    store.close()


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A folder with settings, a store of one machine, and a desk that knows its verdicts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yeji.toml").write_text(TOML)
    loaded = load_settings()
    frame = recording(MACHINE, 900, 1, fault=(300, 360))
    frame.values[600:640, 3] += 3.0
    frame.values[600:640, 2] += 15.0
    results = Pipeline(loaded).process([frame])
    with SqliteSink(tmp_path / "var" / "csv.sqlite") as sink:
        sink.write(results)
    desk = Desk(tmp_path / "var" / "desk.sqlite", loaded)
    desk.receive(results.alarms)
    raised = [a for a in results.alarms if a.kind is AlarmKind.CONDITION and a.phase == "raised"]
    fault, false = raised[0], raised[-1]
    desk.close_alarm(EVERYTHING, fault.id, Finding(VerdictKind.FAULT, "wear"), by="Kim")
    desk.close_alarm(EVERYTHING, false.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    desk.close()
    (tmp_path / "var" / "desk-accounts.sqlite").touch()  # the desk's too: readings are in neither
    return tmp_path


def yeji(*arguments):
    result = CliRunner().invoke(make_app(), ["tune", *arguments], catch_exceptions=True)
    return result.exit_code, result.output, result.exception


def test_the_command_from_trial_to_roll_back(plant):
    code, output, error = yeji("try", "default", "--set", "alarm.min_readings=1000", "--by", "Kim")
    assert code == 0, error
    lines = {line[:30].strip(): line.split()[-2:] for line in output.splitlines() if line}
    assert lines["where crews said false alarm"] == ["1", "0"]
    assert lines["of 1 confirmed faults, warned"] == ["1", "0"]
    assert "no warning proposed" in output
    assert "Kept as version 1" in output
    assert yeji("shadow", "default", "1")[0] == 0
    code, _, error = yeji("report", "default", "1")
    assert code == 0, error
    assert yeji("promote", "default", "1")[0] == 0
    assert load_settings().classes["default"].alarm.min_readings == 1000
    assert "active" in yeji("list")[1]
    assert yeji("rollback", "default")[0] == 0
    assert load_settings().classes["default"].alarm.min_readings == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("try", "default"), "Say what to change"),
        (("try", "default", "--set", "x"), "write name=value"),
        (("try", "none", "--set", "alarm.threshold=0.9"), "no machine class"),
        (("try", "default", "--set", "alarm.threshold=0.95", "--machine", "x"), "no machine of class"),
        (("report", "default", "1"), "not in the shadow"),
        (("promote", "default", "7"), "no version 7"),
        (("promote", "press", "1"), "Write [classes.press] there first"),
        (("rollback", "default"), "Nothing is promoted"),
    ],
)
def test_the_command_says_what_is_wrong(plant, arguments, says):
    code, _, error = yeji(*arguments)
    assert code != 0
    assert says in str(error)


def test_a_folder_without_a_store_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("var")
    assert "--store" in str(yeji("try", "default", "--set", "alarm.threshold=0.9995")[2])


@pytest.mark.services
def test_a_replay_from_influxdb_gives_the_alarms_of_the_first_run(influx_bucket):
    from connectors.influx.history import InfluxHistory
    from connectors.influx.settings import InfluxSettings
    from connectors.influx.sink import InfluxSink

    to = InfluxSettings(
        url=influx_bucket.url, org=influx_bucket.org, bucket=influx_bucket.bucket, token=influx_bucket.token
    )
    results = Pipeline(settings()).process([recording(MACHINE, 500, 1, fault=(300, 360))])
    sink = InfluxSink(to)
    sink.write(results)
    sink.close()
    history = InfluxHistory(to)
    spans = replay(settings(), MACHINE, frames(history, MACHINE, START, START + DAY))
    history.close()
    raised = [a for a in results.alarms if a.phase == "raised"]
    assert [(one.kind, one.raised) for one in spans] == [(a.kind, a.time) for a in raised]
    assert any(one.kind is AlarmKind.CONDITION for one in spans)
