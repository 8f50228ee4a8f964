"""One machine's page, and what its charts are to show."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from connectors.base.history import Alarm, History, MachineNow
from desk.rules.recurrence import WITHIN
from desk.rules.standing import of_alarms
from desk.settings.whole import SettingsWithDesk
from desk.web.kit.render import Renderer
from desk.web.page.chart_answers import ChartAnswers, number_of
from desk.web.page.views import Range, span_range, useful_spans
from pipeline.assessment import assess
from pipeline.cause import Cause
from pipeline.records import AlarmEvent
from pipeline.seen import DAY, HOUR, WEEKLY, Seen

#: A first look shows the shortest span that holds so many readings.
_ENOUGH = 120
#: Alarms that are looked at to judge machines: what is more is a flood, which stands on its own page.
_MOST_ALARMS = 5000


class MachinePage:
    """Answers `/machines/NAME`."""

    def __init__(self, history: History, settings: SettingsWithDesk, render: Renderer) -> None:
        self.history = history
        self.settings = settings
        self.render = render
        self.charts = ChartAnswers(history, settings, render, self.range)

    def page(self, request: Request) -> Response:
        """The machine as it stands; `?span=`, `?from=&to=` or `?alarm=` choose what the charts show."""
        name = request.path_params["machine"]
        now = self.history.machine(name)
        if now is None:
            return self.render.html(request, "machine_unknown.html", status=404, machine=name)
        chosen = self.range(request, now)
        event = self._alarm(chosen.alarm, name)
        alarms = self.history.alarms(open=True, machine=name)
        often = self.settings.desk.repeat
        standing = of_alarms(recent_alarms(self.history, now.last, name), often).get(name, ())
        return self.render.html(
            request,
            "machine.html",
            now=now,
            grafana="",
            repairs=[],
            found=assess(now.state, now.health, standing, open_alarms=now.open_alarms, often=often),
            levels=name.split("/"),
            range=chosen,
            spans=useful_spans(now),
            open=[alarm.event for alarm in alarms],
            alarm=event,
            prognosis=self.history.prognosis(name),
            past=self.history.alarms(open=False, machine=name, limit=20),
            commissioning=self.commissioning(now),
        )

    def _alarm(self, id: str | None, machine: str) -> AlarmEvent | None:
        alarm = self.history.alarm(id) if id else None
        return alarm.event if alarm and alarm.event.machine == machine else None

    def range(self, request: Request, now: MachineNow) -> Range:
        """What the charts are to show: as the address says, else what is useful at first."""
        query = request.query_params
        alarm = self.history.alarm(query["alarm"]) if "alarm" in query else None
        if alarm is not None and alarm.event.machine == now.machine:
            end = alarm.cleared.time if alarm.cleared else now.last
            margin = max(600_000, (end - alarm.event.onset) // 2)
            start = max(now.first, alarm.event.onset - margin)
            return Range(start, min(now.last, end + margin), None, alarm.event.id)
        start_, end_ = number_of(query.get("from")), number_of(query.get("to"))
        if start_ is not None and end_ is not None and start_ < end_:
            return Range(start_, end_, None)
        span = number_of(query.get("span"))
        return span_range(now, self._first_span(now) if span is None else span * 1000)

    def commissioning(self, now: MachineNow) -> list[Cause]:
        """What was not seen of the machine yet, in the plant's own hours."""
        if now.last - now.first >= WEEKLY * DAY:
            return []
        series = self.history.series(now.machine, now.first, now.last, WEEKLY * 24 * 2)
        seen = Seen(now.first, now.last, set((series.time // HOUR).tolist()))
        return seen.wanting(ZoneInfo(self.settings.desk.timezone))

    def _first_span(self, now: MachineNow) -> int:
        """The shortest span that holds enough readings; machines send every ms or every week."""
        for span in useful_spans(now):
            if span:
                series = self.history.series(now.machine, now.last - span, now.last, _ENOUGH)
                if int(series.count.sum()) >= _ENOUGH:
                    return span
        return 0


def recent_alarms(history: History, latest: int, machine: str | None = None) -> list[Alarm]:
    """What is open, and what was there in the week before ``latest``: enough to see what comes back."""
    open_ = history.alarms(open=True, machine=machine, limit=_MOST_ALARMS)
    past = history.alarms(open=False, machine=machine, start=latest - WITHIN, limit=_MOST_ALARMS)
    return [*open_, *past]
