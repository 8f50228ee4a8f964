"""The fleet, one machine, and its charts: what the store of readings holds, within a visitor's scope."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response
from starlette.routing import BaseRoute

from connectors.base.history import History, MachineNow
from desk.access.roles import Role
from desk.service.desk import Desk, NotFoundError
from desk.web.access.guard import AccessGuard, Visit, problem
from desk.web.page.app import FLEET_SHOWN
from desk.web.page.machine import MachinePage
from desk.web.page.views import choose, fleet_view, judge, useful_spans
from desk.web.pages.alarms import finding_of
from desk.web.pages.times import local_text, parse_local
from pipeline.assessment import assess
from pipeline.machine import parse_machine
from pipeline.records import State, Verdict, VerdictKind


class MachinePages:
    """Routes of `/fleet`, `/machines/…` and of their charts. ``history`` None = no store is connected."""

    def __init__(self, guard: AccessGuard, desk: Desk, history: History | None) -> None:
        self.guard, self.desk, self.history = guard, desk, history
        self.charts = MachinePage(history, desk.settings, guard.render) if history else None

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/fleet", self.fleet),
            self.guard.act("/machines/{machine:path}/down", self.down, Role.ENGINEER),
            self.guard.act("/machines/{machine:path}/up", self.up, Role.ENGINEER),
            self.guard.act("/machines/{machine:path}/verdict", self.verdict, Role.CREW),
            self.guard.page("/machines/{machine:path}", self.machine),
            self.guard.page("/api/series", lambda visit: self._data(visit, "series")),
            self.guard.page("/api/series.csv", lambda visit: self._data(visit, "table")),
            self.guard.page("/api/usual", lambda visit: self._data(visit, "usual")),
            self.guard.page("/api/sisters", lambda visit: self._data(visit, "sisters")),
        ]

    def fleet(self, visit: Visit) -> Response:
        """Every machine that the visitor may see, the worst first."""
        machines = judge(
            self._fleet(visit),
            self.desk.standing(visit.scope),
            self.desk.rules.repeats,
        )
        query = visit.request.query_params.get("q", "")
        most = len(machines) if "all" in visit.request.query_params else FLEET_SHOWN
        language = self.guard.render.language(visit.request)
        shown, found = choose(
            machines, query, most, lambda machine: self.desk.settings.name_of(machine, language)
        )
        trends = self.history.trends([one.now.machine for one in shown]) if self.history else {}
        fleet = fleet_view(machines, shown, found, trends)
        return self.guard.show(visit, "fleet.html", fleet=fleet, query=query, fleet_path="/fleet")

    def _fleet(self, visit: Visit) -> list[MachineNow]:
        known = self.history.fleet() if self.history else []
        return [one for one in known if visit.scope.allows(one.machine)]

    def machine(self, visit: Visit) -> Response:
        """One machine as it stands, its alarms and what was found."""
        name = visit.request.path_params["machine"]
        self._within(visit, name)
        now = self.history.machine(name) if self.history else None
        points = self.desk.points(visit.scope, name)
        if now is None and not points and name not in self.desk.down(visit.scope):
            raise NotFoundError(name)
        chosen = self.charts.range(visit.request, now) if self.charts and now else None
        desk_now = self.desk.clock()
        found = assess(
            now.state if now else State.NORMAL,
            now.health if now else None,
            self.desk.standing(visit.scope, name).get(name, ()),
            open_alarms=now.open_alarms if now else 0,
            often=self.desk.rules.repeats,
        )
        return self.guard.show(
            visit,
            "desk_machine.html",
            machine=name,
            levels=name.split("/"),
            now=now,
            found=found,
            grafana=self.desk.settings.desk.grafana,
            repairs=self._repairs(visit, name),
            range=chosen,
            spans=useful_spans(now) if now else [],
            prognosis=self.history.prognosis(name) if self.history else None,
            commissioning=self.charts.commissioning(now) if self.charts and now else [],
            points=points,
            desk_now=desk_now,
            past=self.desk.history(visit.scope, name, limit=50),
            down=self.desk.down(visit.scope).get(name),
            kinds=VerdictKind,
            modes=sorted(
                {v.failure_mode for v in self.desk.verdicts(visit.scope) if v.failure_mode}
                | set(self.desk.settings.failure_modes_of(name))
            ),
            zone=self.desk.settings.desk.timezone,
            before=local_text(desk_now - 3_600_000, self.desk.settings.desk.timezone),
            until=local_text(desk_now, self.desk.settings.desk.timezone),
        )

    def _data(self, visit: Visit, what: Literal["series", "table", "usual", "sisters"]) -> Response:
        """The charts' data."""
        name = visit.request.query_params.get("machine", "")
        if self.charts is None or not visit.scope.allows(name):
            return problem(404, "There is no such machine.")
        answers = self.charts.charts
        if what == "sisters":
            return answers.sisters(visit.request, visit.scope.allows)
        call = {"series": answers.series, "table": answers.table, "usual": answers.usual}[what]
        return call(visit.request)

    def _repairs(self, visit: Visit, machine: str) -> list[Verdict]:
        """What was done on a machine: its charts are compared before and after."""
        done = (VerdictKind.FAULT, VerdictKind.PLANNED_WORK)
        return [
            verdict for verdict in self.desk.verdicts(visit.scope, machine=machine) if verdict.kind in done
        ][:20]

    def down(self, visit: Visit) -> Response:
        """The machine is down."""
        name = visit.request.path_params["machine"]
        self._within(visit, name)
        self.desk.machine_down(visit.scope, name, by=visit.by, why=visit.form.get("why", ""))
        return self.guard.back(visit, "done.down")

    def up(self, visit: Visit) -> Response:
        """The machine runs again."""
        name = visit.request.path_params["machine"]
        self._within(visit, name)
        self.desk.machine_up(visit.scope, name, by=visit.by, why=visit.form.get("why", ""))
        return self.guard.back(visit, "done.up")

    def verdict(self, visit: Visit) -> Response:
        """What was found on a machine that nobody was alarmed about."""
        name, form = visit.request.path_params["machine"], visit.form
        self._within(visit, name)
        zone = self.desk.settings.desk.timezone
        self.desk.report_verdict(
            visit.scope,
            name,
            finding_of(form),
            by=visit.by,
            start=parse_local(form.get("start", ""), zone),
            end=parse_local(form.get("end", ""), zone),
        )
        return self.guard.back(visit, "done.close")

    def _within(self, visit: Visit, machine: str) -> None:
        try:
            parse_machine(machine)
        except ValueError as error:
            raise NotFoundError(str(error)) from error
        if not visit.scope.allows(machine):
            raise NotFoundError(machine)
