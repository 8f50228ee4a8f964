"""The desk itself: open alarms, one alarm, and what a crew does with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.routing import BaseRoute

from connectors.base.history import History, HistoryUnavailableError
from desk.access.roles import Role
from desk.advice.advisor import Advice
from desk.advice.sentence import Course
from desk.advice.trend import trend
from desk.rules.desk import RefusedError
from desk.rules.finding import Finding
from desk.rules.journal import Sent
from desk.rules.routing import OWN
from desk.rules.scope import Scope, within
from desk.rules.views import AlarmView
from desk.service.desk import Desk, NotFoundError
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import WorkOrders
from desk.store.listing import choice
from desk.web.access.guard import AccessGuard, Visit
from desk.web.pages.alarm_list import SHELVES, AlarmListCache
from pipeline.records import AlarmEvent, VerdictKind

_HOUR = 3_600_000


class AlarmPages:
    """Routes of `/` and `/alarms/…`."""

    def __init__(
        self,
        guard: AccessGuard,
        desk: Desk,
        orders: WorkOrders,
        records: RationalisationList,
        history: History | None = None,
    ) -> None:
        self.guard, self.desk, self.orders, self.history = guard, desk, orders, history
        self.records = records
        self.alarm_lists = AlarmListCache(desk, guard.render)
        self.acts: dict[str, tuple[Role, Callable[[Scope, str, Visit], object]]] = {
            "acknowledge": (Role.CREW, self._acknowledge),
            "take": (Role.CREW, lambda scope, id, v: desk.assign(scope, id, by=v.by)),
            "comment": (
                Role.CREW,
                lambda scope, id, v: desk.comment(
                    scope, id, by=v.by, text=v.form.get("text", ""), sent=_sent(v)
                ),
            ),
            "shelve": (Role.CREW, self._shelve),
            "attach": (Role.CREW, self._attach),
            "unshelve": (Role.CREW, lambda scope, id, v: desk.unshelve(scope, id, by=v.by)),
            "close": (Role.CREW, self._close),
            "out-of-service": (
                Role.ENGINEER,
                lambda scope, id, v: desk.out_of_service(scope, id, by=v.by, why=v.form.get("why", "")),
            ),
            "in-service": (Role.ENGINEER, lambda scope, id, v: desk.in_service(scope, id, by=v.by)),
        }

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        acts = [
            self.guard.act(f"/alarms/{{id}}/{name}", self._act(name, act), role)
            for name, (role, act) in self.acts.items()
        ]
        return [
            self.guard.page("/", self.standing),
            self.guard.page("/alarms/{id}", self.one),
            self.guard.page("/alarms/{id}/files/{file}", self.file),
            *acts,
        ]

    def standing(self, visit: Visit) -> Response:
        """Everything that stands."""
        language = self.guard.render.language(visit.request)
        wanted = choice(dict(visit.request.query_params))
        made = self.alarm_lists.get(visit.account, language, lambda: self._known(visit.scope), wanted)
        return self.guard.show(visit, "desk.html", alarm_list=made.for_form(visit.csrf), asked=made.asked)

    def one(self, visit: Visit) -> Response:
        """One alarm: what it is, what was done, who was told, what helped last time."""
        id = visit.request.path_params["id"]
        alarm = self.desk.alarm(visit.scope, id)
        try:
            occurrence = self.desk.occurrence(visit.scope, id)
        except NotFoundError:  # only its end ever came
            occurrence = None
        event = occurrence.event if occurrence else alarm.event
        ended = occurrence.ended if occurrence else None
        end = ended or max(event.time, event.onset)
        margin = max(600_000, (end - event.onset) // 2)
        now = self.desk.clock()
        return self.guard.show(
            visit,
            "alarm.html",
            alarm=alarm,
            event=event,
            ended=ended,
            verdict=occurrence.verdict if occurrence else None,
            current=event.id == alarm.id,
            journal=self.desk.journal(visit.scope, alarm=id, limit=200, newest_first=True),
            messages=self.desk.messages(visit.scope, id),
            last=self.desk.last_time(visit.scope, alarm.machine, but=id),
            linked=self.desk.work_order(visit.scope, id),
            orders=self.orders.of_alarm(visit.scope, id),
            agreed=self.records.of(event),
            now=now,
            advice=self._advice(visit, alarm, event, ended, now),
            shelves=SHELVES,
            kinds=VerdictKind,
            known=self._known(visit.scope, alarm.machine),
            chart={"machine": alarm.machine, "from": event.onset - margin, "to": end + margin},
        )

    def file(self, visit: Visit) -> Response:
        """A photo or voice note of an alarm."""
        parameters = visit.request.path_params
        attachment, content = self.desk.attachment(visit.scope, parameters["id"], parameters["file"])
        # What stands under a hash never changes; it is for this reader alone.
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Response(content, media_type=attachment.media, headers=headers)

    def _advice(
        self, visit: Visit, alarm: AlarmView, event: AlarmEvent, ended: int | None, now: int
    ) -> Advice | None:
        """What to do about it: about the occurrence that is looked at, which may not be the latest."""
        if within(alarm.machine, OWN):
            return None
        active = ended is None and alarm.active
        lasted = (now if ended is None else ended) - event.onset if active or ended else 0
        course = Course(max(0, lasted), active, self._trend(event, now) if active else "")
        modes = alarm.modes if event.id == alarm.id else ()
        return self.desk.advice.advisor.advise(
            event, modes, course, self.guard.render.language(visit.request)
        )

    def _trend(self, event: AlarmEvent, now: int) -> str:
        """Where the value of the sensor that raised it goes; "" without readings."""
        named = event.sensor or next(
            (one.sensor for one in sorted(event.contributions, key=lambda one: -one.share)), ""
        )
        if self.history is None or not named:
            return ""
        try:
            series = self.history.series(event.machine, event.onset, max(now, event.time), 60)
        except HistoryUnavailableError:
            return ""
        if named not in series.sensors or not len(series):
            return ""
        return trend(series.mean[:, series.sensors.index(named)])

    def _known(self, scope: Scope, machine: str = "") -> dict[str, list[str]]:
        """Failure modes and parts that crews have named, or the machine's class has: offered while typing."""
        said = self.desk.verdicts(scope, limit=500)
        modes = {one.failure_mode for one in said if one.failure_mode}
        return {
            "modes": sorted(modes | set(self.desk.settings.failure_modes_of(machine) if machine else ())),
            "parts": sorted({one.part for one in said if one.part}),
        }

    # -- acts

    def _act(self, name: str, act: Callable[[Scope, str, Visit], object]) -> Callable[[Visit], Response]:
        def handler(visit: Visit) -> Response:
            act(visit.scope, visit.request.path_params["id"], visit)
            return self.guard.back(visit, f"done.{name}")

        return handler

    def _acknowledge(self, scope: Scope, id: str, visit: Visit) -> None:
        """One alarm; with ``also``, those that were grouped under it when the page was made, too."""
        sent = _sent(visit)
        self.desk.acknowledge(scope, id, by=visit.by, sent=sent)
        for other in filter(None, visit.form.get("also", "").split(",")):
            try:
                self.desk.acknowledge(scope, other, by=visit.by, sent=sent)
            except RefusedError:  # somebody was quicker, or it has ended
                continue

    def _attach(self, scope: Scope, id: str, visit: Visit) -> None:
        content = next((file for file in visit.files.values() if file), b"")
        if not content:
            raise RefusedError("attachment-missing")
        self.desk.attach(
            scope, id, by=visit.by, content=content, why=visit.form.get("text", "")[:2000], sent=_sent(visit)
        )

    def _shelve(self, scope: Scope, id: str, visit: Visit) -> None:
        hours = visit.form.get("hours", "")
        if hours not in SHELVES:
            raise RefusedError("shelf-not-offered")
        until = self.desk.clock() + round(float(hours) * _HOUR) if hours else None
        self.desk.shelve(scope, id, by=visit.by, why=visit.form.get("why", ""), until=until)

    def _close(self, scope: Scope, id: str, visit: Visit) -> None:
        form = visit.form
        self.desk.close_alarm(
            scope,
            id,
            finding_of(form),
            by=visit.by,
        )


def _sent(visit: Visit) -> Sent | None:
    """The id that a device gave an act, so that one that waited for a network is done once."""
    client, at = visit.form.get("client", "")[:64], visit.form.get("at", "")
    if not client:
        return None
    return Sent(visit.by, client, int(at) if at.isdecimal() and len(at) < 15 else None)


def finding_of(form: Mapping[str, str]) -> Finding:
    """What a form says was found. Raises `RefusedError`."""
    try:
        kind = VerdictKind(form.get("kind", ""))
    except ValueError:
        raise RefusedError("verdict-kind") from None
    return Finding(
        kind,
        form.get("failure_mode", "")[:100],
        part=form.get("part", "")[:100],
        sensor=form.get("sensor") or None,
        comment=form.get("comment", "")[:2000],
    )
