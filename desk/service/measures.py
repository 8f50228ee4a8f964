"""The desk's measures in InfluxDB: `desk` (a place or a crew), `desk_actor` (bad actors), `desk_journal`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.influx.line_protocol import head, point
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from desk.rules.kpis import Kpis
from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import Desk

DAY = 86_400_000
_Fields = list[tuple[str, float | int | str | None]]


def kpi_lines(place: str, crew: str, kpis: Kpis) -> Iterator[bytes]:
    """The measures of one ``place`` ("" = everything), or of one ``crew``; times are the period's end (ms).

    Shares and times are floats, counts integers; what could not be measured is left out.
    """
    levels = dict(zip(("enterprise", "site", "area"), place.split("/"), strict=False)) if place else {}
    tags = [("place", place), ("crew", crew), *levels.items()]
    fields: _Fields = [
        ("alarms", kpis.alarms),
        ("a_day", kpis.a_day),
        ("budget", kpis.budget),
        ("peak", kpis.peak),
        ("flood_time", kpis.flood_time),
        ("flood_alarms", kpis.flood_alarms),
        ("chattering", kpis.chattering),
        ("stale", kpis.stale),
        ("acknowledged", kpis.acknowledged),
        ("ack_median", kpis.ack_median),
        ("ack_p90", kpis.ack_p90),
        ("false_share", kpis.false_share),
    ]
    fields += [(f"priority_{priority.name.lower()}", count) for priority, count in kpis.priorities.items()]
    fields += [(f"verdict_{kind.name.lower()}", count) for kind, count in kpis.verdicts.items()]
    yield point(head("desk", tags), [field for field in fields if field[1] is not None], kpis.end)
    for rank, actor in enumerate(kpis.bad_actors, start=1):
        about = [("place", place), ("crew", crew), ("machine", actor.machine), ("point", actor.point)]
        values: _Fields = [("rank", rank), ("count", actor.count), ("share", float(actor.share))]
        yield point(head("desk_actor", about), values, kpis.end)


def journal_line(seq: int, head_hash: bytes, at: int) -> bytes:
    """The journal's last number and hash: noted here, they prove later that nothing was cut off."""
    fields: _Fields = [("seq", seq), ("head", head_hash.hex())]
    return point(head("desk_journal", []), fields, at)


@dataclass(frozen=True, slots=True)
class Measurer:
    """Writes a desk's measures of the last 24 hours, for every place and crew, each time it is called."""

    desk: Desk
    sink: InfluxSink

    def __call__(self) -> None:
        """Measure and write. Raises `SinkUnavailableError`; the next call measures again."""
        # The full minute: two desks' or two calls' points of one minute are one.
        end = self.desk.clock() // 60_000 * 60_000
        lines: list[bytes] = []
        for place, crew, scope in self._scopes():
            lines += kpi_lines(place, crew, self.desk.kpis(scope, end - DAY, end))
        with self.desk.store.reading() as r:
            lines.append(journal_line(*r.head(), end))
        self.sink.write_lines(b"".join(lines), "ms")

    def _scopes(self) -> Iterator[tuple[str, str, Scope]]:
        yield "", "", EVERYTHING
        places = {
            "/".join(machine.split("/")[:depth])
            for machine in self.desk.machines(EVERYTHING)
            for depth in (2, 3)
        }
        for place in sorted(places):
            yield place, "", Scope.of(place)
        notify = self.desk.settings.notify
        for crew in notify.crews:
            routes = [route for route in notify.routes if crew in route.crews]
            areas = [area for route in routes for area in route.areas]
            everywhere = any(not route.areas for route in routes)
            yield "", crew, EVERYTHING if everywhere else Scope.of(*areas)


def measurer(desk: Desk, settings: InfluxSettings) -> Measurer | None:
    """Writes to the InfluxDB of the settings; None when they name no token, or an empty one."""
    named = settings.token is not None and settings.token.get_secret_value()
    return Measurer(desk, InfluxSink(settings)) if named else None
