"""What a shift hands on, how well the alarm system serves, and who did what."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from desk.access.roles import Role
from desk.advice.sentence import Course
from desk.rules.journal import Action
from desk.rules.rationalisation import ByPlace
from desk.rules.routing import OWN
from desk.rules.scope import within
from desk.service.desk import Desk
from desk.service.rationalisation import RationalisationList
from desk.web.access.guard import AccessGuard, Visit
from desk.web.page.app import whole
from desk.web.pages.times import local_text, parse_local
from pipeline.priority import Priority
from pipeline.records import VerdictKind

_MINUTE = 60_000
_HOUR = 3_600_000
_DAY = 24 * _HOUR
PERIODS = (1, 7, 30)
_ENTRIES = 100
#: What the journal can be asked for.
_ASKED = ("machine", "who", "action", "from", "until", "q")
#: Alarm points of one review: what comes more rarely than these is not where the trouble is.
_REVIEWED = 200


class ReportPages:
    """Routes of `/report`, `/kpis` and `/journal`."""

    def __init__(self, guard: AccessGuard, desk: Desk, records: RationalisationList) -> None:
        self.guard, self.desk, self.records = guard, desk, records

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/report", self.report),
            self.guard.page("/kpis", self.kpis),
            self.guard.page("/review", self.review),
            self.guard.page("/journal", self.journal, Role.ENGINEER),
        ]

    def report(self, visit: Visit) -> Response:
        """The shift report, made to be printed; the last eight hours unless a time is given."""
        query, zone = visit.request.query_params, self.desk.settings.desk.timezone
        end = parse_local(query["end"], zone) if query.get("end") else self.desk.clock()
        hours = min(whole(query.get("hours"), 8, most=72), 72) or 8
        start = parse_local(query["start"], zone) if query.get("start") else end - hours * _HOUR
        start = min(max(start, end - 31 * _DAY), end)
        return self.guard.show(
            visit,
            "report.html",
            report=self.desk.shift_report(visit.scope, start, end),
            places=visit.account.places,
            now=self.desk.clock(),
            zone=zone,
            start_text=local_text(start, zone),
            end_text=local_text(end, zone),
        )

    def kpis(self, visit: Visit) -> Response:
        """ISA-18.2's measures of the last days."""
        days = whole(visit.request.query_params.get("days"), 7, most=366) or 7
        end = self.desk.clock()
        kpis = self.desk.kpis(visit.scope, end - days * _DAY, end)
        machines = {actor.machine for actor in kpis.bad_actors}
        return self.guard.show(
            visit,
            "kpis.html",
            kpis=kpis,
            points={one.point: one for name in machines for one in self.desk.points(visit.scope, name)},
            days=days,
            periods=PERIODS,
            priorities=sorted(Priority, reverse=True),
            kinds=VerdictKind,
        )

    def review(self, visit: Visit) -> Response:
        """The alarm system reviewed: what came, why, what to do, how fast; made to be printed."""
        days = whole(visit.request.query_params.get("days"), 30, most=366) or 30
        now = self.desk.clock()
        found = self.desk.review(visit.scope, now - days * _DAY)
        language = self.guard.render.language(visit.request)
        advisor, holding = self.desk.advice.advisor, ByPlace(self.records.holding(visit.scope))
        rows = [
            (
                one,
                advisor.advise(one.event, (), Course(0, active=False), language),
                holding.find(one.event),
            )
            for one in found[:_REVIEWED]
            if not within(one.event.machine, OWN)
        ]
        return self.guard.show(
            visit,
            "review.html",
            rows=rows,
            more=max(0, len(found) - _REVIEWED),
            total=sum(one.count for one in found),
            stale=[row for row in rows if row[0].standing and row[0].longest > self.desk.stale_after],
            days=days,
            periods=PERIODS,
            places=visit.account.places,
            now=now,
        )

    def journal(self, visit: Visit) -> Response:
        """Entries within the scope, the newest first: of a place, a person, a kind, a time, a word."""
        query, zone = visit.request.query_params, self.desk.settings.desk.timezone
        place = query.get("machine", "").strip("/")
        kind = query.get("action", "")
        until = parse_local(query["until"], zone) + _MINUTE if query.get("until") else None
        entries = self.desk.journal(
            visit.scope.narrowed([place]) if place else visit.scope,
            since=parse_local(query["from"], zone) if query.get("from") else None,
            until=until,
            before=whole(query.get("before"), 0, most=2**53) or None,
            actions=[kind] if kind in set(Action) else [],
            who=query.get("who", "").strip()[:100] or None,
            text=query.get("q", "").strip()[:100] or None,
            limit=_ENTRIES,
            newest_first=True,
        )
        asked = {name: query[name] for name in _ASKED if query.get(name)}
        older = urlencode({**asked, "before": entries[-1].seq}) if len(entries) == _ENTRIES else ""
        return self.guard.show(
            visit, "journal.html", entries=entries, asked=asked, older=older, actions=list(Action), zone=zone
        )
