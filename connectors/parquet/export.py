"""Readings and verdicts of some machines as Parquet files, with a data sheet for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.base.history import Alarm, History, Series
from connectors.base.times import instant
from connectors.parquet.codes import Codes
from connectors.parquet.sheet import readme
from pipeline.records import Verdict
from pipeline.settings import ClassSettings, PipelineSettings

_DAY = 86_400_000
#: A day holds no more readings than this: one each 0.1 ms.
_ALL = 864_000_000
#: Without a reading for so many times the usual while, there is a gap.
_GAP = 5
_TIME = pa.timestamp("ms", tz="UTC")


@dataclass(slots=True)
class ColumnFacts:
    """What is known of one sensor's column."""

    name: str
    unit: str
    values: int = 0
    missing: int = 0
    low: float | None = None
    high: float | None = None

    def add(self, values: np.ndarray[Any, Any]) -> None:
        """Count (n,) values; NaN = missing."""
        there = values[np.isfinite(values)]
        self.values += len(there)
        self.missing += len(values) - len(there)
        if len(there):
            low, high = float(there.min()), float(there.max())
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)


@dataclass(slots=True)
class MachineFacts:
    """What is known of one machine's files. Times in ms UTC; ``usual`` is the median step (ms)."""

    machine: str
    machine_class: str
    readings: int = 0
    labelled: int = 0
    first: int | None = None
    last: int | None = None
    usual: float | None = None
    gaps: int = 0
    longest_gap: int = 0
    columns: list[ColumnFacts] = field(default_factory=list)


@dataclass(slots=True)
class DataSheet:
    """What was exported."""

    start: int
    end: int
    anonymous: bool
    machines: list[MachineFacts] = field(default_factory=list)
    verdicts: int = 0
    alarms: int = 0

    @property
    def readings(self) -> int:
        """Readings of all machines."""
        return sum(machine.readings for machine in self.machines)


@dataclass(frozen=True, slots=True)
class Export:
    """Writes into ``folder``, which must not exist. ``codes`` are what stands for names."""

    history: History
    settings: PipelineSettings
    codes: Codes
    folder: Path
    anonymous: bool

    def write(self, machines: Sequence[str], start: int, end: int, verdicts: Sequence[Verdict]) -> DataSheet:
        """Everything of ``machines`` with start <= time < end (ms UTC).

        Raises OSError and `HistoryUnavailableError`.
        ``verdicts`` are labels: of those that speak of the same reading, the one that was given last counts.
        """
        self.folder.mkdir(parents=True)
        sheet = DataSheet(start, end, self.anonymous)
        alarms: list[Alarm] = []
        said: list[Verdict] = []
        for machine in machines:
            now = self.history.machine(machine)
            if now is None:
                continue
            own = sorted(
                (verdict for verdict in verdicts if verdict.machine == machine), key=lambda one: one.at
            )
            facts = MachineFacts(self.codes.of("machine", machine), self.codes.of("class", now.machine_class))
            first, last = max(start, now.first), min(end, now.last + 1)
            self._readings(machine, self._class(machine, now.machine_class), first, last, own, facts)
            sheet.machines.append(facts)
            alarms += self.history.alarms(machine=machine, start=start, end=end - 1, limit=1_000_000)
            said += [one for one in own if one.end >= start and one.start < end]
        self._verdicts(said)
        self._alarms(alarms)
        sheet.verdicts, sheet.alarms = len(said), len(alarms)
        text = json.dumps(as_json(sheet), ensure_ascii=False, indent=1)
        (self.folder / "datasheet.json").write_text(text + "\n", encoding="utf-8")
        (self.folder / "README.md").write_text(readme(as_json(sheet)), encoding="utf-8")
        return sheet

    def _class(self, machine: str, machine_class: str) -> ClassSettings:
        known = machine_class if machine_class in self.settings.classes else self.settings.class_of(machine)
        return self.settings.class_for(machine, known) if known else ClassSettings()

    def _readings(
        self,
        machine: str,
        known: ClassSettings,
        start: int,
        end: int,
        verdicts: Sequence[Verdict],
        facts: MachineFacts,
    ) -> None:
        """A file a day, all with the same columns: the days are read once to know them, and once to write."""
        columns: dict[str, ColumnFacts] = {}
        steps: list[np.ndarray[Any, Any]] = []
        for part in self._days(machine, start, end):
            for n, sensor in enumerate(part.sensors):
                if sensor not in columns:
                    unit = known.sensors[sensor].unit if sensor in known.sensors else ""
                    columns[sensor] = ColumnFacts(self.codes.of("sensor", sensor), unit)
                    columns[sensor].missing = facts.readings
                columns[sensor].add(part.mean[:, n])
            for sensor in set(columns) - set(part.sensors):
                columns[sensor].missing += len(part)
            times = part.time if facts.last is None else np.append(facts.last, part.time)
            steps.append(np.diff(times))
            facts.first = int(part.time[0]) if facts.first is None else facts.first
            facts.last = int(part.time[-1])
            facts.readings += len(part)
        facts.columns = list(columns.values())
        if not facts.readings:
            return
        gaps = np.concatenate(steps)
        if len(gaps):
            facts.usual = float(np.median(gaps))
            facts.gaps = int((gaps > _GAP * facts.usual).sum())
            facts.longest_gap = int(gaps.max())
        folder = self.folder / "readings" / f"machine={_file_name(facts.machine)}"
        folder.mkdir(parents=True)
        for part in self._days(machine, start, end):
            table, labelled = self._table(part, columns, verdicts)
            facts.labelled += labelled
            day = instant(int(part.time[0])).date().isoformat()
            pq.write_table(table, folder / f"{day}.parquet", compression="zstd")

    def _days(self, machine: str, start: int, end: int) -> Iterator[Series]:
        at = start
        while at < end:
            midnight = at - at % _DAY + _DAY
            part = self.history.series(machine, at, min(midnight, end) - 1, _ALL)
            if len(part):
                yield part
            at = midnight

    def _table(
        self, part: Series, columns: Mapping[str, ColumnFacts], verdicts: Sequence[Verdict]
    ) -> tuple[pa.Table, int]:
        label = np.full(len(part), "", dtype=object)
        mode = np.full(len(part), "", dtype=object)
        for verdict in verdicts:  # the latest last
            here = (part.time >= verdict.start) & (part.time <= verdict.end)
            label[here], mode[here] = str(verdict.kind), self.codes.of("mode", verdict.failure_mode)
        arrays: dict[str, pa.Array] = {"time": pa.array(part.time, _TIME)}
        for sensor, known in columns.items():
            values = (
                part.mean[:, part.sensors.index(sensor)]
                if sensor in part.sensors
                else np.full(len(part), np.nan)
            )
            arrays[f"sensor.{known.name}"] = _floats(values)
        arrays |= {
            "score": _floats(part.score),
            "health": _floats(part.health),
            "state": pa.array(part.state, pa.uint8()),
            "label": pa.array(label, pa.string()),
            "failure_mode": pa.array(mode, pa.string()),
        }
        return pa.table(arrays), int((label != "").sum())

    def _verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """What was found; who found it and what they wrote stays here."""
        rows = [
            {
                "machine": self.codes.of("machine", verdict.machine),
                "kind": str(verdict.kind),
                "start": verdict.start,
                "end": verdict.end,
                "failure_mode": self.codes.of("mode", verdict.failure_mode),
                "part": self.codes.of("part", verdict.part),
                "sensor": self.codes.of("sensor", verdict.sensor or ""),
            }
            for verdict in verdicts
        ]
        texts = [(name, pa.string()) for name in ("machine", "kind")]
        more = [(name, pa.string()) for name in ("failure_mode", "part", "sensor")]
        schema = pa.schema([*texts, ("start", _TIME), ("end", _TIME), *more])
        pq.write_table(pa.Table.from_pylist(rows, schema), self.folder / "verdicts.parquet")

    def _alarms(self, alarms: Iterable[Alarm]) -> None:
        rows = [
            {
                "machine": self.codes.of("machine", alarm.event.machine),
                "kind": str(alarm.event.kind),
                "sensor": self.codes.of("sensor", alarm.event.sensor or ""),
                "cause": alarm.event.code,
                "severity": alarm.event.severity,
                "onset": alarm.event.onset,
                "raised": alarm.event.time,
                "cleared": None if alarm.cleared is None else alarm.cleared.time,
            }
            for alarm in alarms
        ]
        texts = [(name, pa.string()) for name in ("machine", "kind", "sensor", "cause")]
        times = [(name, _TIME) for name in ("onset", "raised", "cleared")]
        schema = pa.schema([*texts, ("severity", pa.int8()), *times])
        pq.write_table(pa.Table.from_pylist(rows, schema), self.folder / "alarms.parquet")


def as_json(sheet: DataSheet) -> dict[str, Any]:
    """The data sheet as it stands in `datasheet.json`; times as RFC 3339."""

    def at(time: int | None) -> str | None:
        return (
            None
            if time is None
            else (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)).isoformat()
        )

    return {
        "format": 1,
        "from": at(sheet.start),
        "to": at(sheet.end),
        "anonymous": sheet.anonymous,
        "readings": sheet.readings,
        "verdicts": sheet.verdicts,
        "alarms": sheet.alarms,
        "machines": [
            {
                "machine": one.machine,
                "class": one.machine_class,
                "readings": one.readings,
                "labelled": one.labelled,
                "first": at(one.first),
                "last": at(one.last),
                "usual_step_ms": one.usual,
                "gaps": one.gaps,
                "longest_gap_ms": one.longest_gap,
                "columns": [
                    {
                        "name": f"sensor.{c.name}",
                        "unit": c.unit,
                        "values": c.values,
                        "missing": c.missing,
                        "min": c.low,
                        "max": c.high,
                    }
                    for c in one.columns
                ],
            }
            for one in sheet.machines
        ],
    }


def _floats(values: np.ndarray[Any, Any]) -> pa.Array:
    """A missing value is null, not NaN: every reader knows what that means."""
    return pa.array(values, pa.float64(), from_pandas=True)


def _file_name(machine: str) -> str:
    """A machine's name as one folder's; a slash is %2F, as Hive's partitions have it."""
    return machine.replace("%", "%25").replace("/", "%2F")
