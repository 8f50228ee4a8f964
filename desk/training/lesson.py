"""What a lesson is: its texts, its alarms with their ground truth, and what has to be done."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from connectors.simulator import FaultKind
from desk.advice.catalogue import Text
from pipeline.records import VerdictKind

#: The tenant of the practice plant: no real machine is under it, nor it in any real store.
PRACTICE = "practice/plant"

GoalKind = Literal["acknowledge", "take", "look", "comment", "verdict", "first", "shelve", "window", "answer"]


class AlarmSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An alarm of a lesson, ``at`` minutes after its beginning.

    ``fault`` is what is really wrong (with ``sensor``, where it is that of a sensor); None = nothing is, or
    nothing that this machine is to blame for. ``readings`` are (sensor, share, value, expected, deviation)
    where the simulator is not asked. ``earlier``: when the same came before (minutes, below 0).
    """

    key: str
    machine: str
    model: str
    at: float
    severity: int
    fault: FaultKind | None = None
    sensor: str | None = None
    readings: tuple[tuple[str, float, float, float, float], ...] = ()
    earlier: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The machine's whole name."""
        return f"{PRACTICE}/{self.machine}"


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to do; ``within`` minutes of the lesson, 0 = at any time."""

    kind: GoalKind
    alarm: str = ""
    other: str = ""
    within: float = 0.0
    verdict: VerdictKind | None = None
    mode: str = ""
    sensor: str = ""
    most_hours: float = 0.0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question whose answers are sensors of the lesson's machine."""

    options: tuple[str, ...]
    right: str


class Lesson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One lesson. ``speed``: minutes of the practice plant in one second; ``found``: what one sees there."""

    key: str
    title: Text
    story: Text
    task: Text
    after: Text
    found: Text
    speed: float
    alarms: tuple[AlarmSpec, ...]
    goals: tuple[Goal, ...]
    question: Question | None = None

    def alarm(self, key: str) -> AlarmSpec:
        """One of its alarms; KeyError for none."""
        return {one.key: one for one in self.alarms}[key]

    def shows(self, key: str) -> bool:
        """Whether one who looks at an alarm's machine sees what is really the matter."""
        root = next((goal.alarm for goal in self.goals if goal.alarm), self.alarms[0].key)
        return key == root or self.alarm(key).fault is not None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    lessons: tuple[Lesson, ...]


@cache
def lessons() -> Mapping[str, Lesson]:
    """The lessons by key, in order."""
    text = (files("desk.training") / "lessons.toml").read_text(encoding="utf-8")
    return {lesson.key: lesson for lesson in msgspec.convert(tomllib.loads(text), _File).lessons}
