"""Planned work: windows in which a place's alarms are suppressed."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from connectors.base.history import History
from desk.access.roles import Role
from desk.rules.scope import within
from desk.service.desk import Desk
from desk.web.access.guard import AccessGuard, Visit
from desk.web.pages.times import local_text, parse_local

_DAY = 86_400_000


class WorkPages:
    """Routes of `/windows`."""

    def __init__(self, guard: AccessGuard, desk: Desk, history: History | None) -> None:
        self.guard, self.desk, self.history = guard, desk, history

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/windows", self.planned),
            self.guard.act("/windows", self.plan, Role.ENGINEER),
            self.guard.act("/windows/{id}/end", self.end, Role.ENGINEER),
        ]

    def planned(self, visit: Visit) -> Response:
        """Work under way, to come, and of the last week."""
        now, zone = self.desk.clock(), self.desk.settings.desk.timezone
        windows = self.desk.windows(visit.scope, ended_since=now - 7 * _DAY)
        return self.guard.show(
            visit,
            "work/windows.html",
            windows=sorted(windows, key=lambda one: (one.end <= now, one.start)),
            now=now,
            zone=zone,
            start=local_text(now, zone),
            end=local_text(now + 2 * 3_600_000, zone),
            place=visit.request.query_params.get("place", ""),
            places=self._places(visit),
        )

    def _places(self, visit: Visit) -> list[str]:
        """Machines, lines and areas within the scope: offered while typing."""
        machines = set(self.desk.machines(visit.scope))
        machines |= {one.machine for one in self.history.fleet()} if self.history else set()
        found: set[str] = set()
        for machine in machines:
            levels = machine.split("/")
            found |= {"/".join(levels[:n]) for n in range(2, len(levels) + 1)}
        return sorted(place for place in found if visit.scope.allows(place))

    def plan(self, visit: Visit) -> Response:
        """A new window."""
        zone, form = self.desk.settings.desk.timezone, visit.form
        window = self.desk.open_window(
            visit.scope,
            form.get("place", ""),
            start=parse_local(form.get("start", ""), zone),
            end=parse_local(form.get("end", ""), zone),
            by=visit.by,
            why=form.get("why", "")[:500],
        )
        known = any(within(one, window.place) for one in self._places(visit))
        return self.guard.back(visit, "done.window" if known else "done.window.unknown")

    def end(self, visit: Visit) -> Response:
        """End a window now."""
        self.desk.end_window(visit.scope, visit.request.path_params["id"], by=visit.by)
        return self.guard.back(visit, "done.window.end")
