"""Judges a lesson by what stands in the practice desk's journal, against the ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from desk.rules.journal import Action, Entry
from desk.rules.scope import within
from desk.training.lesson import Goal, Lesson

MINUTE = 60_000
HOUR = 60 * MINUTE


class Outcome(StrEnum):
    """How a goal stands."""

    OPEN = "open"
    MET = "met"
    LATE = "late"  # done, and too late
    WRONG = "wrong"  # done wrongly: begin again


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal, how it stands, and when it was done (minutes of the lesson)."""

    goal: Goal
    outcome: Outcome
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """What was done that no journal has: when each alarm was looked at, and the answer to the question."""

    looked: Mapping[str, int]
    answer: str = ""
    answered: int = 0


def judge(
    lesson: Lesson, alarms: Mapping[str, str], start: int, entries: Sequence[Entry], trace: Trace
) -> list[Judged]:
    """How each goal stands. ``alarms`` is each alarm's id by its key; ``entries`` in the journal's order."""
    return [_judge(goal, lesson, alarms, start, entries, trace) for goal in lesson.goals]


def passed(judged: Sequence[Judged]) -> bool:
    """Whether all is done, and rightly."""
    return all(one.outcome is Outcome.MET for one in judged)


def failed(judged: Sequence[Judged]) -> bool:
    """Whether something was done wrongly or too late."""
    return any(one.outcome in (Outcome.WRONG, Outcome.LATE) for one in judged)


def _judge(
    goal: Goal,
    lesson: Lesson,
    alarms: Mapping[str, str],
    start: int,
    entries: Sequence[Entry],
    trace: Trace,
) -> Judged:
    alarm = alarms.get(goal.alarm, "")
    if goal.kind == "look":
        return _done(goal, start, trace.looked.get(goal.alarm))
    if goal.kind == "answer":
        right = lesson.question is not None and trace.answer == lesson.question.right
        return _done(goal, start, trace.answered or None, right)
    if goal.kind == "window":
        return _window(goal, lesson, start, entries)
    if goal.kind == "first":
        return _first(goal, alarm, alarms.get(goal.other, ""), start, entries)
    for entry in entries:
        if entry.alarm != alarm:
            continue
        if goal.kind == "acknowledge" and entry.action in (Action.ACKNOWLEDGE, Action.CLOSE):
            return _done(goal, start, entry.at)
        if goal.kind == "take" and entry.action is Action.TAKE:
            return _done(goal, start, entry.at)
        if goal.kind == "comment" and entry.action is Action.COMMENT:
            return _done(goal, start, entry.at)
        if goal.kind == "shelve" and entry.action in (Action.SHELVE_TIMED, Action.SHELVE_ONCE):
            short = entry.until is not None and entry.until - entry.at <= goal.most_hours * HOUR + MINUTE
            return _done(goal, start, entry.at, short)
        if goal.kind == "verdict" and entry.verdict is not None:
            said = entry.verdict
            right = (
                said.kind is goal.verdict
                and (not goal.mode or said.failure_mode == goal.mode)
                and (not goal.sensor or said.sensor == goal.sensor)
            )
            return _done(goal, start, entry.at, right)
    return Judged(goal, Outcome.OPEN)


def _first(goal: Goal, alarm: str, other: str, start: int, entries: Sequence[Entry]) -> Judged:
    """The first answer to either alarm is one to ``alarm``."""
    answers = (Action.ACKNOWLEDGE, Action.TAKE, Action.CLOSE)
    for entry in entries:
        if entry.action in answers and entry.alarm in (alarm, other):
            return _done(goal, start, entry.at, entry.alarm == alarm)
    return Judged(goal, Outcome.OPEN)


def _window(goal: Goal, lesson: Lesson, start: int, entries: Sequence[Entry]) -> Judged:
    """Work is planned on the machine for the time at which the lesson's work begins, and before it."""
    spec = lesson.alarm(goal.alarm)
    begins = start + round(spec.at * MINUTE)
    for entry in entries:
        planned = entry.window
        if planned is None or entry.action is not Action.WINDOW:
            continue
        right = within(spec.name, planned.place) and planned.start <= begins < planned.end
        # A whole site is no place for one machine's work: the rest would go unwatched.
        right = right and planned.place.count("/") >= spec.name.count("/") - 1
        return _done(goal, start, entry.at, right)
    return Judged(goal, Outcome.OPEN)


def _done(goal: Goal, start: int, at: int | None, right: bool = True) -> Judged:
    if at is None:
        return Judged(goal, Outcome.OPEN)
    minutes = (at - start) / MINUTE
    if not right:
        return Judged(goal, Outcome.WRONG, minutes)
    late = bool(goal.within) and minutes > goal.within
    return Judged(goal, Outcome.LATE if late else Outcome.MET, minutes)
