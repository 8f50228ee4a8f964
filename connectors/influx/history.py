"""Reads back what `InfluxSink` wrote: the pages of a stream deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import numpy as np

from connectors.base.buckets import thin
from connectors.base.clock import now_ms
from connectors.base.history import Alarm, History, MachineNow, RejectedCount, RejectedInput, Series
from connectors.influx.flux import FluxReader, literal, milliseconds, moment
from connectors.influx.schema import FOUND, field_sensor, sensor_field
from connectors.influx.settings import InfluxSettings
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Floats, Prognosis, Reason, State
from pipeline.wire.alerts import decode_cause

_DAY = 86_400_000
_HOUR = 3_600_000
#: The fields of a reading that say what was found of it; the others are its sensors'.
_FOUND = " or ".join(f"r._field == {literal(name)}" for name in FOUND)
#: Shorter windows than a second are no use on a page.
_LEAST_STEP = 1000


class InfluxHistory(History):
    """The last ``days`` of one bucket; ``clock`` returns ms UTC. Raises `HistoryUnavailableError`.

    What an alarm's sensors contributed is kept there as text alone: it stands in ``detail``.
    """

    def __init__(
        self,
        settings: InfluxSettings,
        *,
        days: float = 30.0,
        refresh: float = 5.0,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """``refresh``: seconds after which open pages ask again."""
        self._flux = FluxReader(settings)
        self._days, self._refresh, self._clock = days, refresh, clock
        self._lock = Lock()
        self._alarms_at = -1
        self._alarms: list[Alarm] = []

    def close(self) -> None:
        """Close the connections."""
        self._flux.close()

    def version(self) -> object:
        """Changes every ``refresh`` seconds: to ask InfluxDB costs as much as to show the page."""
        return self._clock() // round(self._refresh * 1000)

    def _from(
        self, measurement: str, *conditions: str, start: int | None = None, stop: int | None = None
    ) -> str:
        now = self._clock()
        begin = moment(now - round(self._days * _DAY) if start is None else start)
        # A reading may be ahead of our clock by as much as intake allows; a day is more than that.
        end = moment(now + _DAY if stop is None else stop)
        steps = [f"from(bucket: {self._flux.bucket})", f"range(start: {begin}, stop: {end})"]
        steps += [f"filter(fn: (r) => r._measurement == {literal(measurement)})"]
        steps += [f"filter(fn: (r) => {condition})" for condition in conditions]
        return " |> ".join(steps)

    # -- machines

    def fleet(self) -> list[MachineNow]:
        """Every machine with a reading in these days, by name."""
        return self._now()

    def machine(self, machine: str) -> MachineNow | None:
        """One machine; None = no reading in these days."""
        return next(iter(self._now(machine)), None)

    def _now(self, machine: str | None = None) -> list[MachineNow]:
        which = [] if machine is None else [f"r.machine == {literal(machine)}"]
        keep = 'keep(columns: ["machine", "class", "_field", "_value", "_time"])'
        condition = self._from("reading", *which, _FOUND)
        last = self._flux.rows(f"{condition} |> toFloat() |> last() |> {keep}")
        only = 'filter(fn: (r) => r._field == "state")'
        first = self._flux.rows(f"{condition} |> {only} |> first() |> {keep}")
        begun: dict[str, int] = {}
        for row in first:
            at = milliseconds(row["_time"])
            begun[row["machine"]] = min(at, begun.get(row["machine"], at))
        found: dict[str, dict[str, tuple[int, float, str]]] = {}
        for row in last:
            fields = found.setdefault(row["machine"], {})
            at = milliseconds(row["_time"])
            if row["_field"] not in fields or at > fields[row["_field"]][0]:
                fields[row["_field"]] = (at, float(row["_value"]), row["class"])
        opened: dict[str, int] = {}
        for alarm in self.alarms(open=True, machine=machine, limit=1_000_000):
            opened[alarm.event.machine] = opened.get(alarm.event.machine, 0) + 1
        return [
            _machine_now(name, fields, begun.get(name), opened.get(name, 0))
            for name, fields in sorted(found.items())
            if "state" in fields
        ]

    def trends(self, machines: Sequence[str], points: int = 48) -> Mapping[str, Floats]:
        """The health of each machine's last six hours."""
        now = self._clock()
        every = max(_LEAST_STEP, 6 * _HOUR // points)
        query = self._from("reading", 'r._field == "health"', start=now - 6 * _HOUR)
        rows = self._flux.rows(
            f"{query} |> aggregateWindow(every: {every}ms, fn: mean, createEmpty: false) "
            '|> keep(columns: ["machine", "_time", "_value"])'
        )
        values: dict[str, list[tuple[str, float]]] = {}
        for row in rows:
            values.setdefault(row["machine"], []).append((row["_time"], float(row["_value"])))
        return {
            name: thin(np.array([value for _, value in sorted(values[name])]), points)
            for name in machines
            if name in values
        }

    # -- one machine's readings

    def series(self, machine: str, start: int, end: int, points: int = 600) -> Series:
        """The readings with start <= time <= end: themselves where they are few, else in windows."""
        which = f"r.machine == {literal(machine)}"
        state = self._from("reading", which, 'r._field == "state"', start=start, stop=end + 1)
        counted = self._flux.rows(f'{state} |> count() |> keep(columns: ["_value"])')
        n = sum(int(row["_value"]) for row in counted)
        step = 0 if n <= points else max(_LEAST_STEP, -(-(end - start + 1) // points))
        # Windows lie on multiples of their length: the first one is asked for whole.
        begin = start - start % step if step else start
        reading = self._from("reading", which, start=begin, stop=end + 1)
        sensors = f"{reading} |> filter(fn: (r) => not ({_FOUND}))"
        parts = {
            name: self._table(query, step, function)
            for name, query, function in (
                ("score", f'{reading} |> filter(fn: (r) => r._field == "score")', "max"),
                ("health", f'{reading} |> filter(fn: (r) => r._field == "health")', "mean"),
                ("state", f'{reading} |> filter(fn: (r) => r._field == "state")', "max"),
                ("count", f'{reading} |> filter(fn: (r) => r._field == "state")', "count"),
                ("mean", sensors, "mean"),
                ("low", sensors, "min"),
                ("high", sensors, "max"),
            )
            if step or name not in ("count", "low", "high")
        }
        return _series(machine, start, end, step, parts)

    def _table(self, query: str, step: int, function: str) -> dict[int, dict[str, float]]:
        """time → field → value."""
        window = f'aggregateWindow(every: {step}ms, fn: {function}, createEmpty: false, timeSrc: "_start")'
        number = "toFloat()" if function != "count" else f"{window} |> toFloat()"
        steps = [query, number, *([window] if step and function != "count" else [])]
        steps += ['keep(columns: ["_time", "_field", "_value"])', "group()"]
        steps += ['pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")']
        found: dict[int, dict[str, float]] = {}
        for row in self._flux.rows(" |> ".join(steps)):
            at = milliseconds(row.pop("_time"))
            found.setdefault(at, {}).update({name: float(value) for name, value in row.items() if value})
        return found

    # -- alarms and prognosis

    def alarms(
        self,
        *,
        open: bool | None = None,
        machine: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 100,
    ) -> list[Alarm]:
        """Alarms of these days, newest onset first."""
        found = [
            alarm
            for alarm in self._all_alarms()
            if (open is None or alarm.open is open)
            and (machine is None or alarm.event.machine == machine)
            and (start is None or alarm.cleared is None or alarm.cleared.time >= start)
            and (end is None or alarm.event.onset <= end)
        ]
        return found[:limit]

    def _all_alarms(self) -> list[Alarm]:
        """Asked for once every two seconds, however many pages are open."""
        with self._lock:
            turn = self._clock() // 2000
            if turn != self._alarms_at:
                query = self._from("alarm")
                pivot = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
                self._alarms = _pair([_event(row) for row in self._flux.rows(f"{query} |> {pivot}")])
                self._alarms_at = turn
            return self._alarms

    def alarm(self, id: str) -> Alarm | None:
        """One alarm of these days; None = unknown."""
        return next((one for one in self._all_alarms() if one.event.id == id), None)

    def prognosis(self, machine: str) -> Prognosis | None:
        """The latest prognosis of a machine."""
        query = self._from("prognosis", f"r.machine == {literal(machine)}")
        rows = self._flux.rows(f'{query} |> last() |> keep(columns: ["class", "_time", "_field", "_value"])')
        if not rows:
            return None
        at = max(milliseconds(row["_time"]) for row in rows)
        values = {row["_field"]: float(row["_value"]) for row in rows if milliseconds(row["_time"]) == at}
        return Prognosis(
            machine,
            rows[0]["class"],
            at,
            values["health"],
            values["threshold"],
            values.get("remaining"),
            values.get("low"),
            values.get("high"),
        )

    def prognoses(self, machine: str, start: int, end: int, limit: int = 500) -> list[Prognosis]:
        """The prognoses made from ``start`` to ``end``, oldest first; the latest ``limit``."""
        query = self._from("prognosis", f"r.machine == {literal(machine)}", start=start, stop=end + 1)
        pivot = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        rows = self._flux.rows(f'{query} |> {pivot} |> group() |> sort(columns: ["_time"])')
        return [
            Prognosis(
                machine,
                row["class"],
                milliseconds(row["_time"]),
                float(row["health"]),
                float(row["threshold"]),
                *(float(row[name]) if row.get(name) else None for name in ("remaining", "low", "high")),
            )
            for row in rows[-limit:]
        ]

    # -- rejected input

    def rejections(self, limit: int = 100) -> list[RejectedInput]:
        """The latest rejections, newest first; what was rejected is in the topic, not here."""
        pivot = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        newest = f'group() |> sort(columns: ["_time"], desc: true) |> limit(n: {limit})'
        rows = self._flux.rows(f"{self._from('rejected')} |> {pivot} |> {newest}")
        return [
            RejectedInput(
                milliseconds(row["_time"]),
                Reason(row["reason"]),
                row.get("detail", ""),
                row.get("machine") or None,
                None,
                int(row["readings"] or 0),
                row.get("topic", ""),
                int(row["partition"] or 0),
                -1,
                0,
                b"",
            )
            for row in rows
        ]

    def rejection_counts(self) -> list[RejectedCount]:
        """How often there was each reason, most frequent first."""
        query = self._from("rejected", 'r._field == "count" or r._field == "readings"')
        sums = self._flux.rows(
            f'{query} |> group(columns: ["reason", "_field"]) |> sum() '
            '|> keep(columns: ["reason", "_field", "_value"])'
        )
        latest = self._flux.rows(
            f"{self._from('rejected', 'r._field == ' + literal('count'))} |> last() "
            '|> keep(columns: ["reason", "_time"])'
        )
        count: dict[str, dict[str, int]] = {}
        for row in sums:
            count.setdefault(row["reason"], {})[row["_field"]] = int(row["_value"])
        when: dict[str, int] = {}
        for row in latest:
            when[row["reason"]] = max(milliseconds(row["_time"]), when.get(row["reason"], 0))
        found = [
            RejectedCount(Reason(name), one.get("count", 0), one.get("readings", 0), when.get(name, 0))
            for name, one in count.items()
        ]
        return sorted(found, key=lambda one: (-one.count, one.reason))


def _machine_now(
    name: str, fields: dict[str, tuple[int, float, str]], first: int | None, open_alarms: int
) -> MachineNow:
    last, state, machine_class = fields["state"]
    # A field that is missing at the latest reading was not known there: InfluxDB has no NaN.
    score, health = (
        fields[field][1] if field in fields and fields[field][0] == last else None
        for field in ("score", "health")
    )
    begun = last if first is None else first
    return MachineNow(
        machine=name,
        machine_class=machine_class,
        first=begun,
        last=last,
        state=State(int(state)),
        score=score,
        health=health,
        open_alarms=open_alarms,
    )


def _series(
    machine: str, start: int, end: int, step: int, parts: dict[str, dict[int, dict[str, float]]]
) -> Series:
    times = sorted(set(parts["state"]) | set(parts["mean"]))
    fields = {field for row in parts["mean"].values() for field in row}
    sensors = tuple(sorted(sensor for field in fields if (sensor := field_sensor(field))))

    def column(part: str, field: str) -> Floats:
        return np.array([parts[part].get(at, {}).get(field, np.nan) for at in times], dtype=np.float64)

    def table(part: str) -> Floats:
        columns = [column(part, sensor_field(sensor)) for sensor in sensors]
        return np.column_stack(columns) if columns else np.empty((len(times), 0))

    mean = table("mean")
    count = column("count", "state") if step else np.ones(len(times))
    return Series(
        machine=machine,
        start=start,
        end=end,
        step=step,
        sensors=sensors,
        time=np.array(times, dtype=np.int64),
        low=table("low") if step else mean,
        mean=mean,
        high=table("high") if step else mean,
        score=column("score", "score"),
        health=column("health", "health"),
        state=np.nan_to_num(column("state", "state")).astype(np.uint8),
        count=np.nan_to_num(count).astype(np.int64),
    )


def _event(row: dict[str, str]) -> AlarmEvent:
    return AlarmEvent(
        id=row["id"],
        machine=row["machine"],
        machine_class=row["class"],
        kind=AlarmKind(row["kind"]),
        phase=AlarmPhase(row["phase"]),
        onset=int(row["onset"]),
        time=milliseconds(row["_time"]),
        score=float(row["score"]),
        threshold=float(row["threshold"]),
        severity=int(row["severity"]),
        contributions=(),
        sensor=row.get("sensor") or None,
        detail="; ".join(text for text in (row.get("detail", ""), row.get("sensors", "")) if text),
        cause=decode_cause(row.get("cause") or None),
        criticality=int(row.get("criticality") or 2),  # older lines have none
    )


def _pair(events: Sequence[AlarmEvent]) -> list[Alarm]:
    """Beginnings and ends of alarms, put together by id; newest onset first."""
    raised = {one.id: one for one in events if one.phase is AlarmPhase.RAISED}
    cleared = {one.id: one for one in events if one.phase is AlarmPhase.CLEARED}
    alarms = [
        Alarm(raised.get(id) or cleared[id], cleared.get(id)) for id in dict.fromkeys([*raised, *cleared])
    ]
    return sorted(alarms, key=lambda one: (-one.event.onset, one.event.id))
