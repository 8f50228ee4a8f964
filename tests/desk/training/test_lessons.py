"""Each lesson: in both languages, passed by what is right and not by what is wrong, apart from all real."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.desk import Desk
from desk.training.judge import Outcome
from desk.training.lesson import PRACTICE, Lesson, lessons
from desk.training.practice import Standing, Training
from desk.training.scenario import events_of
from pipeline.records import VerdictKind
from streams.settings import Settings

START = 1_760_000_000_000
HOUR = 3_600_000


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def training(tmp_path, clock):
    made = Training(tmp_path / "training", Settings(data=tmp_path), clock)
    yield made
    made.close()


def begin(training: Training, clock: Clock, key: str) -> Standing:
    """Begin a lesson and let its first alarms come."""
    training.begin("kim", lessons()[key])
    clock.now += 5_000
    return again(training, key)


def again(training: Training, key: str) -> Standing:
    found = training.standing("kim", lessons()[key])
    assert found is not None
    return found


def ids(standing: Standing) -> dict[str, str]:
    return {key: id for id, key in standing.keys.items()}


def do_right(training: Training, standing: Standing) -> None:
    """What each goal of the lesson asks for."""
    desk, alarms = standing.desk, ids(standing)
    for goal in standing.lesson.goals:
        alarm = alarms.get(goal.alarm, "")
        match goal.kind:
            case "acknowledge" | "first":
                desk.acknowledge(EVERYTHING, alarm, by="kim")
            case "take":
                desk.assign(EVERYTHING, alarm, by="kim")
            case "look":
                training.progress.look("kim", standing.lesson.key, goal.alarm, standing.now)
            case "comment":
                desk.comment(EVERYTHING, alarm, by="kim", text="dust")
            case "verdict":
                desk.close_alarm(
                    EVERYTHING, alarm, Finding(goal.verdict, goal.mode, sensor=goal.sensor or None), by="kim"
                )
            case "shelve":
                desk.shelve(EVERYTHING, alarm, by="kim", why="gripper", until=desk.clock() + 2 * HOUR)
            case "window":
                spec = standing.lesson.alarm(goal.alarm)
                now = desk.clock()
                desk.open_window(EVERYTHING, spec.name, start=now, end=now + 3 * HOUR, by="kim", why="clean")
            case "answer":
                training.progress.answer(
                    "kim", standing.lesson.key, standing.lesson.question.right, standing.now
                )


def wrongs() -> list[tuple[str, str, Callable[[Training, Standing], object]]]:
    """(lesson, name, what somebody does wrongly there)."""

    def close(key: str, **more) -> Callable[[Training, Standing], object]:
        return lambda _, s: s.desk.close_alarm(EVERYTHING, ids(s)[key], Finding(**more), by="kim")

    def window(place: str, start: int, end: int) -> Callable[[Training, Standing], object]:
        return lambda _, s: s.desk.open_window(
            EVERYTHING, place, start=s.now + start, end=s.now + end, by="kim", why="x"
        )

    compressors = f"{PRACTICE}/utilities/compressed-air"
    return [
        ("verdict", "false alarm", close("press", kind=VerdictKind.FALSE_ALARM)),
        ("verdict", "another mode", close("press", kind=VerdictKind.FAULT, failure_mode="leak")),
        ("false-alarm", "a fault", close("pump", kind=VerdictKind.FAULT, failure_mode="leak")),
        ("sensor-fault", "a fault", close("pump", kind=VerdictKind.FAULT, failure_mode="overheating")),
        ("sensor-fault", "another sensor", close("pump", kind=VerdictKind.SENSOR_FAULT, sensor="flow")),
        ("it-comes-back", "false alarm", close("pump", kind=VerdictKind.FALSE_ALARM)),
        ("flood", "false alarm", close("comp", kind=VerdictKind.FALSE_ALARM)),
        ("worst-first", "the lesser", lambda _, s: s.desk.acknowledge(EVERYTHING, ids(s)["robot"], by="kim")),
        (
            "shelve",
            "for good",
            lambda _, s: s.desk.shelve(EVERYTHING, ids(s)["robot"], by="kim", why="x", until=None),
        ),
        (
            "shelve",
            "eight hours",
            lambda _, s: s.desk.shelve(
                EVERYTHING, ids(s)["robot"], by="kim", why="x", until=s.desk.clock() + 8 * HOUR
            ),
        ),
        ("planned-work", "the whole plant", window(PRACTICE, 0, 3 * HOUR)),
        ("planned-work", "another machine", window(f"{compressors}/compressor-01", 0, 3 * HOUR)),
        ("planned-work", "over before it", window(f"{compressors}/compressor-02", 0, HOUR // 3)),
        ("read-it", "another sensor", lambda t, s: t.progress.answer("kim", "read-it", "stroke_rate", s.now)),
    ]


def test_there_are_twelve_in_both_languages():
    assert len(lessons()) == 12
    for lesson in lessons().values():
        for text in (lesson.title, lesson.story, lesson.task, lesson.after, lesson.found):
            assert text.en
            assert any("가" <= letter <= "힣" for letter in text.ko)
            assert not any("가" <= letter <= "힣" for letter in text.en)


@pytest.mark.parametrize("lesson", lessons().values(), ids=lambda one: one.key)
def test_its_goals_speak_of_its_alarms_and_its_truth(lesson: Lesson):
    known = {one.key: one for one in lesson.alarms}
    for goal in lesson.goals:
        if goal.kind != "answer":
            assert goal.alarm in known
        if goal.kind == "verdict" and goal.verdict is VerdictKind.FAULT and known[goal.alarm].fault:
            assert goal.mode == str(known[goal.alarm].fault)
        if goal.kind == "verdict" and goal.verdict is VerdictKind.FALSE_ALARM:
            assert known[goal.alarm].fault is None
    if lesson.question:
        event = events_of(lesson, START)[-1][1]
        furthest = max(event.contributions, key=lambda one: abs(one.deviation or 0.0))
        by_name = {one.sensor: abs(one.deviation or 0.0) for one in event.contributions}
        assert by_name[lesson.question.right] == pytest.approx(abs(furthest.deviation or 0.0))
        assert all(
            by_name.get(one, 0.0) < by_name[lesson.question.right]
            for one in lesson.question.options
            if one != lesson.question.right
        )


@pytest.mark.parametrize("key", list(lessons()))
def test_what_is_right_passes_and_is_kept(training: Training, clock: Clock, key: str):
    standing = begin(training, clock, key)
    assert not standing.passed
    do_right(training, standing)
    standing = again(training, key)
    assert standing.passed, standing.judged
    kept = training.progress.of("kim")[key]
    assert kept.passed == clock.now
    assert kept.minutes is not None
    assert kept.minutes < 5
    training.begin("kim", lessons()[key])
    assert training.progress.of("kim")[key].passed == clock.now, "once passed stays passed"
    assert training.progress.of("kim")[key].tries == 2


@pytest.mark.parametrize(
    ("key", "name", "act"), wrongs(), ids=lambda one: one if isinstance(one, str) else ""
)
def test_what_is_wrong_does_not_pass(training: Training, clock: Clock, key: str, name: str, act):
    standing = begin(training, clock, key)
    act(training, standing)
    judged = again(training, key).judged
    assert Outcome.WRONG in [one.outcome for one in judged], judged
    do_right_after = begin(training, clock, key)
    do_right(training, do_right_after)
    assert again(training, key).passed, "a new try forgets the old one"


def test_too_late_is_too_late(training: Training, clock: Clock):
    standing = begin(training, clock, "first-alarm")
    clock.now += 10 * 60_000
    do_right(training, standing)
    assert [one.outcome for one in again(training, "first-alarm").judged] == [Outcome.LATE]
    assert training.progress.of("kim")["first-alarm"].passed is None


def test_alarms_come_when_they_are_due(training: Training, clock: Clock):
    training.begin("kim", lessons()["planned-work"])
    assert again(training, "planned-work").alarms == []
    clock.now += 301_000  # half an hour there
    standing = again(training, "planned-work")
    assert [one.machine.rpartition("/")[2] for one in standing.alarms] == ["compressor-02"]
    assert not standing.pending


def test_work_that_was_planned_suppresses_its_alarm(training: Training, clock: Clock):
    standing = begin(training, clock, "planned-work")
    do_right(training, standing)
    clock.now += 301_000
    points = again(training, "planned-work").desk.points(EVERYTHING, standing.lesson.alarms[0].name)
    assert [one.life.suppressed for one in points] == [True]


def test_what_comes_back_has_its_past(training: Training, clock: Clock):
    standing = begin(training, clock, "it-comes-back")
    past = standing.desk.history(EVERYTHING, standing.lesson.alarms[0].name)
    assert len(past) == 4
    values = [one.event.contributions[0].value for one in past]
    assert values == sorted(values, reverse=True), "each higher than the one before"


def test_it_goes_on_after_a_restart(training: Training, clock: Clock, tmp_path):
    standing = begin(training, clock, "verdict")
    training.progress.look("kim", "verdict", "press", standing.now)
    other = Training(tmp_path / "training", Settings(data=tmp_path), clock)
    try:
        found = again(other, "verdict")
        assert [one.outcome for one in found.judged] == [Outcome.MET, Outcome.OPEN]
        do_right(other, found)
        assert again(other, "verdict").passed
    finally:
        other.close()


def test_people_practise_apart(training: Training, clock: Clock):
    standing = begin(training, clock, "first-alarm")
    training.begin("lee", lessons()["first-alarm"])
    do_right(training, standing)
    assert again(training, "first-alarm").passed
    other = training.standing("lee", lessons()["first-alarm"])
    assert other is not None
    assert not other.passed
    assert training.standing("park", lessons()["first-alarm"]) is None


def test_nothing_real_is_touched(training: Training, clock: Clock, tmp_path):
    real = Desk(tmp_path / "desk.sqlite", Settings(data=tmp_path), clock)
    try:
        for key in lessons():
            do_right(training, begin(training, clock, key))
            again(training, key)
        assert training.done("kim")
        assert real.head() == 0
        assert real.machines(EVERYTHING) == []
        assert real.kpis(EVERYTHING, 0, clock.now + 1).alarms == 0
        assert not training.done("lee")
    finally:
        real.close()
