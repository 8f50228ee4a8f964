"""What is normal has moved: told once, with what moved, until it is back or a crew decides."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Frame, Results, Verdict, VerdictKind
from pipeline.settings import ClassSettings, IntakeSettings
from streams.settings import Settings
from tests.pipeline.plant import START, pieces

NAME = "a/b/c/d/pump-1"
MINUTE = 60_000
STEP = 900


def pump(n: int, *, back: int | None = None) -> Frame:
    """A reading a minute of four sensors; one of them takes a step and stays, until it is ``back``."""
    rng = np.random.default_rng(11)
    load = rng.normal(size=(n, 1))
    x = 50 + 0.6 * load + 0.8 * rng.normal(size=(n, 4))
    x[STEP:back, 1] += 9.0
    return Frame(NAME, START + MINUTE * np.arange(n), ("flow", "head", "power", "seal"), x)


def plain() -> Pipeline:
    return Pipeline(Settings(classes={"default": ClassSettings()}, intake=IntakeSettings(wait=0)))


def told(results: Iterable[Results]) -> list[AlarmEvent]:
    return [one for result in results for one in result.alarms]


@pytest.mark.parametrize("cuts", [(), range(0, 1400, 7)])
def test_a_step_that_stands_is_one_alarm_and_then_a_move(cuts: Iterable[int]) -> None:
    pipeline = plain()
    found = told([pipeline.process([part]) for part in pieces(pump(1400), cuts)])
    assert [(one.kind, one.phase) for one in found] == [
        (AlarmKind.CONDITION, AlarmPhase.RAISED),
        (AlarmKind.MOVED, AlarmPhase.RAISED),
        (AlarmKind.CONDITION, AlarmPhase.CLEARED),
    ]
    alarm, move, _ = found
    assert abs(move.onset - alarm.onset) <= 5 * MINUTE, "since when"
    assert [one.sensor for one in move.contributions] == ["head"], "what, and nothing else"
    (head,) = move.contributions
    assert head.value is not None
    assert head.expected is not None
    assert head.value - head.expected == pytest.approx(9.0, abs=0.6)
    assert move.severity == 1


def test_no_sensor_is_named_that_is_hardly_off() -> None:
    alarm = told([plain().process([pump(1000)])])[0]
    assert all(one.deviation is None or abs(one.deviation) >= 3 for one in alarm.contributions)


def test_it_ends_when_the_machine_is_back() -> None:
    found = told([plain().process([pump(1600, back=1300)])])
    move = [one for one in found if one.kind is AlarmKind.MOVED]
    assert [one.phase for one in move] == [AlarmPhase.RAISED, AlarmPhase.CLEARED]
    assert move[0].id == move[1].id
    assert START + 1300 * MINUTE < move[1].time < START + 1400 * MINUTE


@pytest.mark.parametrize("kind", [VerdictKind.FALSE_ALARM, VerdictKind.PLANNED_WORK])
def test_a_word_that_all_is_well_makes_the_new_level_the_normal_one(kind: VerdictKind) -> None:
    pipeline, frame = plain(), pump(1700)
    first, rest = pieces(frame, [1400])
    alarm = told([pipeline.process([first])])[0]
    before = pipeline.process([pieces(rest, [50])[0]]).scored[0].score
    assert np.median(before) > 0.99, "still far from what was normal first"
    end = int(first.time[-1])
    assert pipeline.feedback(
        Verdict(
            id="v",
            machine=NAME,
            machine_class="default",
            kind=kind,
            start=alarm.onset,
            end=end,
            at=end,
            by="crew",
            alarm=alarm.id,
        )
    )
    after = pipeline.process([pieces(rest, [50])[1]])
    assert [(one.kind, one.phase) for one in after.alarms] == [(AlarmKind.MOVED, AlarmPhase.CLEARED)]
    assert np.median(after.scored[0].score) < 0.9


def test_a_fault_that_was_taken_for_usual_alarms_again() -> None:
    pipeline, frame = plain(), pump(1700)
    first, rest = pieces(frame, [1400])
    alarm = told([pipeline.process([first])])[0]
    end = int(first.time[-1])
    fault = Verdict(
        id="v",
        machine=NAME,
        machine_class="default",
        kind=VerdictKind.FAULT,
        start=alarm.onset,
        end=end,
        at=end,
        by="crew",
        alarm=alarm.id,
    )
    assert pipeline.feedback(fault)
    found = pipeline.process([pieces(rest, [100])[0]]).alarms
    assert (AlarmKind.MOVED, AlarmPhase.CLEARED) in [(one.kind, one.phase) for one in found]
    assert (AlarmKind.CONDITION, AlarmPhase.RAISED) in [(one.kind, one.phase) for one in found]


@pytest.mark.parametrize("cuts", [(), range(0, 700, 7)])
def test_what_was_left_almost_at_once_was_no_normal_and_is_learned_anew(cuts: Iterable[int]) -> None:
    rng = np.random.default_rng(12)
    x = 50 + rng.normal(size=(700, 4))
    x[150:, 1] += 9.0
    frame = Frame(NAME, START + MINUTE * np.arange(700), ("flow", "head", "power", "seal"), x)
    pipeline = plain()
    results = [pipeline.process([part]) for part in pieces(frame, cuts)]
    moves = [one for one in told(results) if one.kind is AlarmKind.MOVED]
    assert [one.phase for one in moves] == [AlarmPhase.RAISED, AlarmPhase.CLEARED]
    assert moves[0].cause is not None
    assert moves[0].cause.code == "moved.early"
    assert moves[0].cause.values["hours"] == pytest.approx(50 / 60, abs=0.1)
    assert moves[1].time - moves[0].time < 64 * MINUTE, "the block in which it was seen has ended"
    late = np.concatenate([one.score for result in results for one in result.scored])[-200:]
    assert np.median(late) < 0.9, "judged by what it does now"
    health = np.concatenate([one.health for result in results for one in result.scored])[-1]
    assert health > 90


def test_what_was_left_later_is_not_called_badly_commissioned() -> None:
    move = next(one for one in told([plain().process([pump(1400)])]) if one.kind is AlarmKind.MOVED)
    assert move.cause is None
