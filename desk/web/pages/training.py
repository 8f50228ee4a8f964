"""Training: the lessons, one lesson on its practice desk, the certificate, and how far a team has come."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.roles import ALL, Account, Role
from desk.rules.desk import RefusedError
from desk.rules.scope import EVERYTHING
from desk.service.desk import NotFoundError
from desk.training.lesson import PRACTICE, Lesson, lessons
from desk.training.practice import Standing, Training
from desk.web.access.guard import AccessGuard, Visit
from desk.web.pages.alarm_list import SHELVES
from desk.web.pages.alarms import finding_of
from desk.web.pages.times import local_text, parse_local
from pipeline.records import VerdictKind

_HOUR = 3_600_000


class TrainingPages:
    """Routes of `/training`. Anybody may practise: nothing real is touched."""

    def __init__(self, guard: AccessGuard, training: Training, zone: str) -> None:
        self.guard, self.training, self.zone = guard, training, zone
        self.acts: dict[str, Callable[[Visit, Standing], object]] = {
            "acknowledge": lambda v, s: s.desk.acknowledge(EVERYTHING, _alarm(v), by=v.by),
            "take": lambda v, s: s.desk.assign(EVERYTHING, _alarm(v), by=v.by),
            "look": self._look,
            "comment": lambda v, s: s.desk.comment(
                EVERYTHING, _alarm(v), by=v.by, text=v.form.get("text", "")
            ),
            "shelve": self._shelve,
            "close": self._close,
            "window": self._window,
            "answer": self._answer,
        }

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/training", self.all),
            self.guard.page("/training/certificate", self.certificate),
            self.guard.page("/training/team", self.team, Role.ENGINEER),
            self.guard.page("/training/{lesson}", self.one),
            self.guard.act("/training/{lesson}/start", self.start, Role.VIEWER),
            self.guard.act("/training/{lesson}/do", self.do, Role.VIEWER),
        ]

    def all(self, visit: Visit) -> Response:
        """The lessons in order, and how far the visitor has come."""
        return self.guard.show(
            visit,
            "training.html",
            lessons=list(lessons().values()),
            attempts=self.training.progress.of(visit.account.name),
            done=self.training.done(visit.account.name),
        )

    def one(self, visit: Visit) -> Response:
        """A lesson: what it is about, its alarms, and how its goals stand."""
        lesson = self._lesson(visit)
        keys = list(lessons())
        place = keys.index(lesson.key)
        standing = self.training.standing(visit.account.name, lesson)
        return self.guard.show(
            visit,
            "lesson.html",
            lesson=lesson,
            number=place + 1,
            count=len(keys),
            following=keys[place + 1] if place + 1 < len(keys) else "",
            standing=standing,
            shelves=SHELVES,
            kinds=VerdictKind,
            zone=self.zone,
            practice=PRACTICE,
            places=_places(lesson),
            start=local_text(standing.now, self.zone) if standing else "",
            end=local_text(standing.now + 3 * _HOUR, self.zone) if standing else "",
        )

    def certificate(self, visit: Visit) -> Response:
        """The certificate, when every lesson is passed: one's own, or of somebody of one's own places."""
        who = visit.request.query_params.get("who", visit.account.name)
        shown = visit.account.shown
        if who != visit.account.name:
            found = {member.name: member for member in self._team(visit)}.get(who)
            if found is None or visit.account.role < Role.ENGINEER:
                raise NotFoundError(who)
            shown = found.shown
        if not self.training.done(who):
            raise NotFoundError(who)
        of = self.training.progress.of(who)
        return self.guard.show(
            visit,
            "certificate.html",
            name=shown or who,
            lessons=list(lessons().values()),
            attempts=of,
            last=max(one.passed or 0 for one in of.values()),
        )

    def team(self, visit: Visit) -> Response:
        """How far the people of the visitor's places have come."""
        team = self._team(visit)
        return self.guard.show(
            visit,
            "team.html",
            team=team,
            progress={member.name: self.training.progress.of(member.name) for member in team},
            done={member.name for member in team if self.training.done(member.name)},
            lessons=list(lessons().values()),
        )

    # -- acts

    def start(self, visit: Visit) -> Response:
        """Begin a lesson, or begin it again."""
        self.training.begin(visit.account.name, self._lesson(visit))
        return self.guard.back(visit, "done.lesson")

    def do(self, visit: Visit) -> Response:
        """One act on the practice desk."""
        lesson = self._lesson(visit)
        standing = self.training.standing(visit.account.name, lesson)
        act = self.acts.get(visit.form.get("what", ""))
        if standing is None or act is None:
            raise NotFoundError(lesson.key)
        act(visit, standing)
        self.training.standing(visit.account.name, lesson)  # judge it now: a lesson may be passed by it
        return self.guard.back(visit, "done.practice")

    def _look(self, visit: Visit, standing: Standing) -> None:
        key = standing.keys.get(_alarm(visit))
        if key is None:
            raise NotFoundError(_alarm(visit))
        self.training.progress.look(visit.account.name, standing.lesson.key, key, standing.now)

    def _answer(self, visit: Visit, standing: Standing) -> None:
        question, answer = standing.lesson.question, visit.form.get("answer", "")
        if question is None or answer not in question.options:
            raise NotFoundError(answer)
        self.training.progress.answer(visit.account.name, standing.lesson.key, answer, standing.now)

    def _shelve(self, visit: Visit, standing: Standing) -> None:
        hours = visit.form.get("hours", "")
        if hours not in SHELVES:
            raise RefusedError("shelf-not-offered")
        until = standing.desk.clock() + round(float(hours) * _HOUR) if hours else None
        standing.desk.shelve(
            EVERYTHING, _alarm(visit), by=visit.by, why=visit.form.get("why", ""), until=until
        )

    def _close(self, visit: Visit, standing: Standing) -> None:
        form = visit.form
        standing.desk.close_alarm(
            EVERYTHING,
            _alarm(visit),
            finding_of(form),
            by=visit.by,
        )

    def _window(self, visit: Visit, standing: Standing) -> None:
        form = visit.form
        place = form.get("place", "")
        if not place.startswith(PRACTICE):
            raise NotFoundError(place)
        standing.desk.open_window(
            EVERYTHING,
            place,
            start=parse_local(form.get("start", ""), self.zone),
            end=parse_local(form.get("end", ""), self.zone),
            by=visit.by,
            why=form.get("why", "")[:500],
        )

    # -- who and what

    def _lesson(self, visit: Visit) -> Lesson:
        found = lessons().get(visit.request.path_params["lesson"])
        if found is None:
            raise NotFoundError(visit.request.path_params["lesson"])
        return found

    def _team(self, visit: Visit) -> list[Account]:
        scope = visit.account.scope
        return [
            one
            for one in self.guard.accounts.all()
            if not one.disabled
            and (
                ALL in visit.account.places
                or all(place != ALL and scope.allows(place) for place in one.places)
            )
        ]


def _places(lesson: Lesson) -> list[str]:
    """Lines and machines to choose from: those of the lesson, and a neighbour of each."""
    found: list[str] = []
    for spec in lesson.alarms:
        line, _, unit = spec.name.rpartition("/")
        kind = unit.rpartition("-")[0]
        found += [line, f"{line}/{kind}-01", f"{line}/{kind}-02"]
    return list(dict.fromkeys(found))


def _alarm(visit: Visit) -> str:
    return visit.form.get("alarm", "")
