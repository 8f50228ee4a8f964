"""The data of a machine's charts: a series, the usual range of each sensor, and a table to take away."""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from urllib.parse import quote

import msgspec
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connectors.base.history import History, MachineNow
from desk.settings.whole import SettingsWithDesk
from desk.web.kit.chart_data import Around, chart_json
from desk.web.kit.render import Renderer
from desk.web.page.usual import UsualRange, usual_range
from desk.web.page.views import Range
from pipeline.limits import limits_of
from pipeline.settings import ClassSettings

_POINTS, _MOST_POINTS = 600, 2000
#: Rows of a table to take away: what a spreadsheet still opens; more readings than that come in stretches.
_ROWS = 100_000
_HOUR = 3_600_000
_KEPT = 256
_MOST_SISTERS = 60
_NO_STORE = {"Cache-Control": "no-store"}


class ChartAnswers:
    """Answers `/api/series`, `/api/series.csv`, `/api/usual` and `/api/sisters`.

    ``range_of`` reads which stretch of time is asked for.
    """

    def __init__(
        self,
        history: History,
        settings: SettingsWithDesk,
        render: Renderer,
        range_of: Callable[[Request, MachineNow], Range],
    ) -> None:
        self.history, self.settings, self.render, self.range_of = history, settings, render, range_of
        self._usual: OrderedDict[tuple[str, int], UsualRange] = OrderedDict()
        self._lock = Lock()

    def series(self, request: Request) -> Response:
        """The charts' data as JSON: `?machine=` and the range as on the page; `points` of at most 2000.

        ``sensor``, any number of times: only these have values; ``sensors`` names all.
        """
        now = self._machine(request)
        chosen = self.range_of(request, now)
        points = number_of(request.query_params.get("points")) or _POINTS
        series = self.history.series(
            now.machine, chosen.start, chosen.end, max(10, min(points, _MOST_POINTS))
        )
        known = self._class(now)
        language = self.render.language(request)
        body = chart_json(
            series,
            Around(
                alarms=self.history.alarms(
                    machine=now.machine, start=chosen.start, end=chosen.end, limit=500
                ),
                threshold=known.alarm.threshold,
                limits=limits_of(known, series.sensors),
                prognoses=self.history.prognoses(now.machine, chosen.start, chosen.end),
                chosen=frozenset(request.query_params.getlist("sensor")),
            ),
            lambda sensor: self.render.sensor_label(now.machine_class, sensor, language),
            lambda sensor: self.render.sensor_unit(now.machine_class, sensor),
        )
        return Response(body, media_type="application/json", headers=_NO_STORE)

    def usual(self, request: Request) -> Response:
        """The range that each sensor usually keeps, before what is looked at: sensor → [low, high]."""
        now = self._machine(request)
        chosen = self.range_of(request, now)
        key = now.machine, chosen.start // _HOUR
        with self._lock:
            found = self._usual.get(key)
        if found is None:
            found = usual_range(self.history, now, chosen.start)
            with self._lock:
                self._usual[key] = found
                while len(self._usual) > _KEPT:
                    self._usual.popitem(last=False)
        return Response(msgspec.json.encode(found), media_type="application/json", headers=_NO_STORE)

    def table(self, request: Request) -> Response:
        """The readings of the range as CSV (RFC 4180), times in UTC; means where there are too many."""
        now = self._machine(request)
        chosen = self.range_of(request, now)
        series = self.history.series(now.machine, chosen.start, chosen.end, _ROWS)
        text = io.StringIO(newline="")
        rows = csv.writer(text)
        rows.writerow(["time", *map(as_text, series.sensors), "score", "health", "state"])
        times = np.datetime_as_string(series.time.astype("datetime64[ms]"), unit="ms", timezone="UTC")
        columns = np.column_stack([series.mean, series.score, series.health])
        for time, values, state in zip(times.tolist(), columns.tolist(), series.state.tolist(), strict=True):
            rows.writerow([time, *("" if value != value else repr(value) for value in values), state])
        begin, end = (
            datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
            for at in (chosen.start, chosen.end)
        )
        name = f"{now.machine.rpartition('/')[2]} {begin} {end}.csv"
        return Response(
            text.getvalue(),
            media_type="text/csv; charset=utf-8",
            headers=_NO_STORE | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
        )

    def sisters(self, request: Request, allows: Callable[[str], bool] = lambda _: True) -> Response:
        """Machines of the same class, to compare with, those of its own line first; as names."""
        now = self._machine(request)
        line = now.machine.rpartition("/")[0]
        names = [
            one.machine
            for one in self.history.fleet()
            if one.machine_class == now.machine_class and one.machine != now.machine and allows(one.machine)
        ]
        names.sort(key=lambda name: (name.rpartition("/")[0] != line, name))
        body = msgspec.json.encode(names[:_MOST_SISTERS])
        return Response(body, media_type="application/json", headers=_NO_STORE)

    def _class(self, now: MachineNow) -> ClassSettings:
        """The class as it is for this machine, with limits of its own."""
        if now.machine_class not in self.settings.classes:
            return ClassSettings()
        return self.settings.class_for(now.machine, now.machine_class)

    def _machine(self, request: Request) -> MachineNow:
        now = self.history.machine(request.query_params.get("machine", ""))
        if now is None:
            raise HTTPException(404)
        return now


def as_text(name: str) -> str:
    """``name`` so that a spreadsheet takes it for text: names come from outside, and might be formulas.

    >>> as_text("=1+1"), as_text("vibration")
    ("'=1+1", 'vibration')
    """
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


def number_of(text: str | None) -> int | None:
    """A whole number from a query; None when it is none."""
    return int(text) if text and len(text) < 16 and text.isascii() and text.isdigit() else None
