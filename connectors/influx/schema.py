"""Which measurement, tags and fields each result is stored under (docs/influx.md).

A point is known by measurement, tags and time, so that writing a result again changes nothing. All times
are ms, but those of `rejected`: see `rejected_lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from connectors.base.contributors import contributors
from connectors.base.stats import WorkerStats
from connectors.influx.line_protocol import head, point, table
from pipeline.machine import LEVELS, parse_machine
from pipeline.records import AlarmEvent, Floats, Ints, Prognosis, Rejection, Scored, State
from pipeline.wire.alerts import encode_cause

#: This many readings are made lines of at once: their pieces stay in the processor's cache, twice as fast.
_AT_ONCE = 1000

#: Fields of a reading that are not a sensor's, and the one name that InfluxDB drops.
FOUND = ("score", "health", "state")
_TAKEN = frozenset({*FOUND, "time"})


def sensor_field(sensor: str) -> str:
    """The field that a sensor is stored in: its name, with a ``_`` more where that name is taken.

    >>> [sensor_field(name) for name in ("temp", "time", "score_")]
    ['temp', 'time_', 'score__']
    """
    return sensor + "_" if sensor.rstrip("_") in _TAKEN else sensor


def field_sensor(field: str) -> str | None:
    """The sensor that a field of a reading is of; None = it is no sensor's.

    >>> [field_sensor(name) for name in ("temp", "time_", "score__", "score")]
    ['temp', 'time', 'score_', None]
    """
    if field in _TAKEN:
        return None
    return field[:-1] if field.rstrip("_") in _TAKEN else field


def machine_tags(machine: str, machine_class: str) -> list[tuple[str, str]]:
    """The tags of everything that is about one machine.

    ``machine`` is the whole name; enterprise, site, area and line are its levels and ``unit`` its last.
    """
    place = parse_machine(machine)
    levels = [("unit" if level == "machine" else level, getattr(place, level)) for level in LEVELS]
    return [("machine", machine), ("class", machine_class), *levels]


@lru_cache(maxsize=200_000)
def _machine_head(measurement: str, machine: str, machine_class: str) -> bytes:
    return head(measurement, machine_tags(machine, machine_class))


def scored_lines(scored: Sequence[Scored], readings: bool = True) -> Iterator[bytes]:
    """Lines of `reading` and `contribution`; machines with the same sensors are built together.

    ``readings`` False: what was found of each reading, without the sensors' values.
    """
    groups: dict[tuple[str, ...], list[Scored]] = {}
    for one in scored:
        if len(one):
            groups.setdefault(one.sensors, []).append(one)
    for sensors, whole in groups.items():
        fields = [sensor_field(sensor) for sensor in sensors]
        for group in _portions(whole):
            yield from _group_lines(fields, group, readings)


def _group_lines(fields: Sequence[str], group: Sequence[Scored], readings: bool) -> Iterator[bytes]:
    counts = [len(one) for one in group]
    time: Ints = np.concatenate([one.time for one in group])
    state: NDArray[np.uint8] = np.concatenate([one.state for one in group])
    columns = [_stack(group, name)[:, None] for name in FOUND[:2]]
    names = [*FOUND[:2]]
    if readings:
        columns.append(_stack(group, "values"))
        names += fields
    yield table(_heads("reading", group), counts, names, np.hstack(columns), time, (FOUND[2], state))
    raised = state >= State.SUSPECT
    if raised.any():
        parts = np.add.reduceat(raised, np.cumsum([0, *counts[:-1]]), dtype=np.int64).tolist()
        shares = _stack(group, "contributions")[raised]
        yield table(_heads("contribution", group), parts, fields, shares, time[raised])


def complement_lines(complements: Sequence[Scored]) -> Iterator[bytes]:
    """Lines of `reading` with the sensors' values alone: they come to what was written of these readings."""
    for complement in complements:
        fields = [sensor_field(sensor) for sensor in complement.sensors]
        yield table(
            _heads("reading", [complement]), [len(complement)], fields, complement.values, complement.time
        )


def _heads(measurement: str, group: Sequence[Scored]) -> list[bytes]:
    return [_machine_head(measurement, one.machine, one.machine_class) for one in group]


def _portions(group: Sequence[Scored]) -> Iterator[Sequence[Scored]]:
    """Parts of about `_AT_ONCE` readings each."""
    start = held = 0
    for end, one in enumerate(group, 1):
        held += len(one)
        if held >= _AT_ONCE:
            yield group[start:end]
            start, held = end, 0
    if start < len(group):
        yield group[start:]


def _stack(group: Sequence[Scored], name: str) -> Floats:
    return np.concatenate([getattr(one, name) for one in group])


def alarm_line(alarm: AlarmEvent) -> bytes:
    """One alarm's begin or end. ``sensor`` is a tag: two sensors may fail in the same millisecond."""
    tags = machine_tags(alarm.machine, alarm.machine_class)
    tags += [("kind", alarm.kind.value), ("phase", alarm.phase.value), ("sensor", alarm.sensor or "")]
    fields: list[tuple[str, float | int | str | None]] = [
        ("id", alarm.id),
        ("score", float(alarm.score)),
        ("threshold", float(alarm.threshold)),
        ("severity", alarm.severity),
        ("criticality", alarm.criticality),
        ("priority", int(alarm.priority)),
        ("onset", alarm.onset),
        ("detail", alarm.detail),
        ("cause", encode_cause(alarm.cause)),
        ("sensors", contributors(alarm)),
    ]
    return point(head("alarm", tags), fields, alarm.time)


def prognosis_line(prognosis: Prognosis) -> bytes:
    """One prognosis; hours that are not known are left out."""
    tags = machine_tags(prognosis.machine, prognosis.machine_class)
    names = ("health", "threshold", "remaining", "low", "high")
    fields = [(name, _float(getattr(prognosis, name))) for name in names]
    return point(head("prognosis", tags), fields, prognosis.time)


def rejected_lines(rejections: Iterable[Rejection]) -> Iterator[bytes]:
    """Rejections with times in **nanoseconds**: the arrival's ms, and the offset below it.

    Many messages are rejected in one millisecond for one reason. The offset in the last six digits, and
    the partition as a tag, keep them apart, and the same message returns the same point again.
    """
    counts: dict[tuple[str, str, int, int], list[Rejection]] = {}
    for rejection in rejections:
        time = rejection.received * 1_000_000 + rejection.offset % 1_000_000
        counts.setdefault((rejection.reason.value, rejection.topic, rejection.partition, time), []).append(
            rejection
        )
    for (reason, topic, partition, time), group in counts.items():
        tags = [("reason", reason), ("topic", topic), ("partition", str(partition))]
        fields: list[tuple[str, float | int | str | None]] = [
            ("count", len(group)),
            ("readings", sum(one.readings for one in group)),
            ("machine", group[0].machine),
            ("detail", group[0].detail[:1000]),
        ]
        yield point(head("rejected", tags), fields, time)


def worker_line(stats: WorkerStats) -> bytes:
    """What a worker says of itself."""
    counts = ("readings", "messages", "rejected", "history", "machines", "lag")
    measured = ("batch_ms", "process_ms", "write_ms", "snapshot_age_s", "memory_mb")
    fields: list[tuple[str, float | int | str | None]] = [(name, getattr(stats, name)) for name in counts]
    fields += [(name, _float(getattr(stats, name))) for name in measured]
    return point(head("worker", [("worker", stats.worker)]), fields, stats.time)


def _float(value: float | None) -> float | None:
    """A field that is once written as a whole number could never be a fraction afterwards."""
    return None if value is None else float(value)
