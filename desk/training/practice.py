"""Practice: each person's lesson runs on a desk of its own, of which nothing real knows."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from connectors.simulator import plant_classes
from desk.learning.modes import ModeBook
from desk.rules.scope import EVERYTHING
from desk.rules.views import AlarmView
from desk.service.desk import Desk
from desk.settings.alarms import NotifySettings
from desk.settings.whole import SettingsWithDesk
from desk.training.judge import Judged, Trace, judge, passed
from desk.training.lesson import Lesson, lessons
from desk.training.progress import Attempt, Progress
from desk.training.scenario import alarm_of, events_of

#: This many practice desks are kept open.
_OPEN = 16
_MINUTE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A lesson as it stands: its alarms, how its goals are met, and the practice plant's time (ms UTC)."""

    lesson: Lesson
    attempt: Attempt
    now: int
    alarms: Sequence[AlarmView]
    keys: dict[str, str]  # alarm id -> the lesson's key of it
    judged: Sequence[Judged]
    passed: bool
    pending: bool  # more alarms are to come
    desk: Desk

    @property
    def minutes(self) -> float:
        """How far the lesson's time has come."""
        return (self.now - self.attempt.started) / _MINUTE


class _Clock:
    """The practice plant's clock; while the past is made it stands where it is put."""

    def __init__(self, wall: Callable[[], int], started: int, speed: float) -> None:
        self._wall, self._started, self._speed = wall, started, speed
        self.at: int | None = None

    def __call__(self) -> int:
        if self.at is not None:
            return self.at
        gone = max(0, self._wall() - self._started)
        return self._started + round(gone * self._speed * 60)


class Training:
    """Lessons, practice desks and progress, in the folder ``folder``. ``clock`` is the wall clock, ms UTC."""

    def __init__(self, folder: Path, settings: SettingsWithDesk, clock: Callable[[], int]) -> None:
        self.folder, self.clock = folder, clock
        # No channel of the plant: practice tells nobody.
        self.settings = settings.model_copy(
            update={"classes": plant_classes(), "notify": NotifySettings(), "data": folder}
        )
        self.progress = Progress(folder / "training.sqlite")
        self._lock = RLock()
        self._desks: OrderedDict[tuple[str, str], tuple[Desk, _Clock]] = OrderedDict()

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            for desk, _ in self._desks.values():
                desk.close()
            self._desks.clear()
            self.progress.close()

    def begin(self, who: str, lesson: Lesson) -> Standing:
        """A new try of ``lesson``: a new practice desk."""
        with self._lock:
            opened = self._desks.pop((who, lesson.key), None)
            if opened is not None:
                opened[0].close()
            path = self._path(who, lesson)
            for one in path.parent.glob(f"{path.name}*"):
                one.unlink()
            attempt = self.progress.begin(who, lesson.key, self.clock())
            return self._standing(attempt, lesson)

    def standing(self, who: str, lesson: Lesson) -> Standing | None:
        """How the latest try stands; None = not begun."""
        with self._lock:
            attempt = self.progress.of(who).get(lesson.key)
            return None if attempt is None else self._standing(attempt, lesson)

    def done(self, who: str) -> bool:
        """Whether every lesson is passed."""
        of = self.progress.of(who)
        return all(key in of and of[key].passed is not None for key in lessons())

    def _standing(self, attempt: Attempt, lesson: Lesson) -> Standing:
        desk, clock = self._desk(attempt, lesson)
        events = events_of(lesson, attempt.started)
        now = clock()
        # The past of the plant is taken in at its own times; what is due again changes nothing.
        for due, event in events:
            if due > now:
                continue
            clock.at = due if due < attempt.started else None
            try:
                desk.receive([event])
            finally:
                clock.at = None
        desk.tick()
        alarms = {spec.key: alarm_of(spec, attempt.started) for spec in lesson.alarms}
        judged = judge(
            lesson,
            alarms,
            attempt.started,
            desk.journal(EVERYTHING, limit=10_000),
            Trace(attempt.looked, attempt.answer, attempt.answered),
        )
        right = passed(judged)
        if right and attempt.passed is None:
            minutes = max((one.minutes or 0.0 for one in judged), default=0.0)
            self.progress.passed(attempt.who, lesson.key, self.clock(), minutes)
        shown = [one for lead in desk.open_alarms(EVERYTHING) for one in (lead, *lead.members)]
        return Standing(
            lesson=lesson,
            attempt=attempt,
            now=now,
            alarms=sorted(shown, key=lambda one: (-one.priority, one.onset)),
            keys={id: key for key, id in alarms.items()},
            judged=judged,
            passed=right,
            pending=any(due > now for due, _ in events),
            desk=desk,
        )

    def _desk(self, attempt: Attempt, lesson: Lesson) -> tuple[Desk, _Clock]:
        key = (attempt.who, lesson.key)
        found = self._desks.get(key)
        if found is None:
            clock = _Clock(self.clock, attempt.started, lesson.speed)
            desk = Desk(self._path(attempt.who, lesson), self.settings, clock)
            ModeBook(desk, desk.advice.advisor)
            found = self._desks[key] = desk, clock
            while len(self._desks) > _OPEN:
                self._desks.popitem(last=False)[1][0].close()
        self._desks.move_to_end(key)
        return found

    def _path(self, who: str, lesson: Lesson) -> Path:
        name = hashlib.sha256(who.encode()).hexdigest()[:16]
        return self.folder / "practice" / f"{name}-{lesson.key}.sqlite"
