"""A source's payloads to readings, as its settings say; see docs/mapping.md."""

from __future__ import annotations

import math
from collections.abc import Mapping as Fields
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import numpy as np

from connectors.mapping import shapes
from connectors.mapping.line_protocol import LineError, line_items
from connectors.mapping.paths import Context, parse_path, parse_template
from connectors.mapping.presets import with_preset
from connectors.mapping.rows import Rows
from connectors.mapping.settings import MappingSettings
from connectors.mapping.times import time_reader, zone_of
from connectors.mapping.topics import TopicPattern, historian
from pipeline.machine import DEFAULT_LEVELS, LEVELS, level_name, machine_name
from pipeline.records import Frame, Message, Reason, Rejection
from pipeline.wire.cells import judged_by
from pipeline.wire.names import bad_sensor_name, sensor_name
from pipeline.wire.readings import RejectedError, reject

Payload = bytes | str | dict[str, Any] | list[Any]

_decode = msgspec.json.Decoder().decode
_NEVER = 1 << 62


@dataclass(slots=True)
class Mapped:
    """What a payload holds: frames, one a machine, and what could not be used.

    ``units``: by machine and sensor, where the payload names one.
    """

    frames: list[Frame] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    units: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(slots=True)
class _Payload:
    """One payload on its way: where it came from, and what was found so far."""

    document: Any
    topic: list[str]
    named: dict[str, str] | None
    received: int
    rows: Rows
    units: dict[tuple[str, str], str]
    refused: dict[Reason, tuple[int, str, str | None, str | None]] = field(default_factory=dict)

    def refuse(
        self, reason: Reason, detail: str, machine: str | None = None, sensor: str | None = None
    ) -> None:
        """Count a reading or value that cannot be used; the first of a reason tells why."""
        count, *first = self.refused.get(reason, (0, detail, machine, sensor))
        self.refused[reason] = (count + 1, *first)  # type: ignore[assignment]


class Mapping:
    """Reads payloads of one source. Has no state but what it was set to: may be used from any thread.

    ``source`` is its name, which stands as the topic of what is rejected where a payload has none.
    """

    def __init__(self, settings: MappingSettings | None = None, source: str = "") -> None:
        settings = with_preset(settings or MappingSettings())
        self.settings, self.source = settings, source
        self._each = parse_path(settings.each) if settings.each else None
        self._machine = parse_template(settings.machine) if settings.machine else None
        self._time = parse_path(settings.time) if settings.time else None
        self._sensors = parse_path(settings.sensors) if settings.sensors else None
        self._sensor = parse_template(settings.sensor) if settings.sensor else None
        self._value = parse_path(settings.value) if settings.value else None
        self._quality = parse_path(settings.quality) if settings.quality else None
        self._unit = parse_path(settings.unit) if settings.unit else None
        self._read_time = time_reader(settings.time_unit, zone_of(settings.timezone))
        self._topic = TopicPattern(settings.topic) if settings.topic else None
        given = tuple(part for part in settings.levels.split("/") if part)
        self._levels = (*given, *DEFAULT_LEVELS[len(given) :])
        self._names: dict[str, str | None] = {}

    # -- payloads

    def apply(self, payload: Payload, topic: str | None, received: int) -> Mapped:
        """The readings of ``payload``, which came on ``topic`` (None = it has none) at ``received`` (ms UTC).

        Never raises for bad input: what cannot be used is a rejection with the payload's bytes.
        """
        original = payload.encode() if isinstance(payload, str) else payload
        raw = original if isinstance(original, bytes) else msgspec.json.encode(original)
        origin = Message(raw, received, topic=topic or self.source)
        work = _Payload(None, [], None, received, Rows(), {})
        try:
            self._read(work, original, topic)
        except RejectedError as bad:
            return Mapped(
                rejections=[reject(origin, bad.reason, bad.detail, machine=bad.machine, sensor=bad.sensor)]
            )
        return Mapped(
            work.rows.frames(),
            [
                reject(origin, reason, detail, machine=machine, sensor=sensor, readings=count)
                for reason, (count, detail, machine, sensor) in work.refused.items()
            ],
            work.units,
        )

    def _read(self, work: _Payload, payload: bytes | dict[str, Any] | list[Any], topic: str | None) -> None:
        work.document = self._parsed(payload) if isinstance(payload, bytes) else payload
        if topic is not None:
            work.topic = topic.split("/")
            if self._topic is not None:
                work.named = self._topic.match(work.topic)
                if work.named is None:
                    raise RejectedError(
                        Reason.MACHINE_MISSING,
                        f"Topic {topic!r} does not fit the pattern {self.settings.topic!r}.",
                    )
        items = self._items(work.document)
        if not items:
            raise RejectedError(Reason.SENSORS_MISSING, "The payload holds no reading.")
        for item, keys in items:
            self._item(work, Context(item, work.document, work.topic, keys, work.named))

    def _parsed(self, payload: bytes) -> Any:
        form = self.settings.format
        text = payload.strip()
        if form == "line" or (form == "auto" and text[:1] not in (b"{", b"[") and b"=" in text):
            try:
                return line_items(text)
            except LineError as error:
                raise RejectedError(Reason.NOT_JSON, f"Not line protocol: {error}.") from None
        try:
            document = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if form != "json":
                bare = shapes.number_of(text.decode(errors="replace"))
                if bare is not None:
                    return {"value": bare}
            raise RejectedError(
                Reason.NOT_JSON, f"Not JSON: {error}. See docs/mapping.md for the forms that are read."
            ) from None
        return document if isinstance(document, (dict, list)) else {"value": document}

    def _items(self, document: Any) -> list[tuple[Any, tuple[str, ...]]]:
        if self._each is not None:
            found = list(self._each.each(document))
            if found:
                return found
            # a preset's list that is not there: the document may be a reading itself
        if isinstance(document, list):
            return [(item, ()) for item in document]
        if isinstance(document, dict) and self._each is None and self._sensors is None:
            name = shapes.field(document, shapes.HOLDERS)
            inside = document.get(name) if name is not None else None
            if isinstance(inside, list) and inside and all(isinstance(one, dict) for one in inside):
                return [(item, ()) for item in inside]
        if (
            isinstance(document, dict)
            and isinstance(document.get("metrics"), list)
            and self.settings.preset == "telegraf"
        ):
            return [(item, ()) for item in document["metrics"]]
        return [(document, ())]

    def _item(self, work: _Payload, context: Context) -> None:
        item = context.item
        if not isinstance(item, dict):
            if self._value is None and self._sensor is not None:  # a bare value in a list
                item = {"value": item}
                context = Context(item, context.document, context.topic, context.keys, context.named)
            else:
                raise RejectedError(Reason.WRONG_TYPE, f"A reading is {item!r:.80}, not an object.")
        machine = self._machine_of(context)
        time = self._time_of(context, machine)
        if time is None:
            work.refuse(Reason.TIME_INVALID, f"No time can be read from {item!r:.200}. {_TIME_HELP}", machine)
            return
        time = time if time != _NEVER else work.received
        found = 0
        for name, value, quality, unit in self._cells(context):
            sensor = self._sensor_of(name)
            if sensor is None:
                continue
            number, uncertain = shapes.usable(value, quality)
            if math.isnan(number) and value is not None and shapes.number_of(value) is None:
                if not isinstance(value, str):  # texts beside numbers are states and comments
                    work.refuse(Reason.VALUE_TYPE, f"{name!r}: {value!r:.80} is no number.", machine, sensor)
                continue
            if bad_sensor_name((sensor,)) is not None:
                work.refuse(
                    Reason.SENSOR_NAME, f"Sensor name {sensor[:80]!r} cannot be used.", machine, sensor
                )
                continue
            found += 1
            if math.isinf(shapes.number_of(value) or 0.0):
                work.refuse(Reason.INFINITE, f"{name!r}: an infinite value.", machine, sensor)
            work.rows.add(machine, time, sensor, number, uncertain)
            if unit is not None:
                work.units[machine, sensor] = sensor_name(str(unit))
        if not found:
            work.refuse(
                Reason.SENSORS_MISSING,
                f"No value can be found in {item!r:.200}. Set `sensors`, or `sensor` and `value`.",
                machine,
            )

    # -- machine and time

    def _machine_of(self, context: Context) -> str:
        levels: list[str] | None = None
        if self._machine is not None:
            levels = self._machine.levels(context)
            if levels is None:
                raise RejectedError(
                    Reason.MACHINE_MISSING,
                    f"Nothing stands at {self.settings.machine!r} in {context.item!r:.200}.",
                )
        elif context.named and "machine" in context.named:
            front = zip(LEVELS, self._levels, strict=False)
            levels = [context.named.get(level, default) for level, default in front]
            levels.append(context.named["machine"])
        elif self.settings.preset == "umh" and (cell := historian(context.topic)) is not None:
            own = cell.levels
            levels = [*own[:-1], *self._levels[len(own) - 1 :], own[-1]]
        else:
            name = _machine_in(context.item) or _machine_in(context.document)
            levels = None if name is None else [name]
        if levels is None:
            raise RejectedError(
                Reason.MACHINE_MISSING,
                "No field names the machine. Set `machine` in this source's mapping, for example to "
                '"{topic[-1]}", or a fixed name: see docs/mapping.md.',
            )
        return self.machine(levels)

    def machine(self, name: str | Sequence[str]) -> str:
        """The five-level id of a machine, from its name or levels in the source.

        Raises `RejectedError` for a name that is empty or has control characters.
        """
        parts = [name] if isinstance(name, str) else list(name)
        aliases = self.settings.machines
        alias = aliases.get("/".join(parts)) or aliases.get(parts[-1])
        if alias is not None:
            parts = [alias]
        try:
            return (
                machine_name(parts[0], self._levels) if len(parts) == 1 else level_name(parts, self._levels)
            )
        except ValueError as error:
            raise RejectedError(Reason.MACHINE_INVALID, str(error)) from None

    def _time_of(self, context: Context, machine: str) -> int | None:
        """ms UTC; `_NEVER` = the payload names none."""
        if self._time is not None:
            value = context.find(self._time)
        else:
            value = _first(context.item, shapes.TIMES)
            if value is None and context.document is not context.item:
                value = _first(context.document, shapes.TIMES)
        return _NEVER if value is None else self._read_time(value)

    # -- sensors

    def _cells(self, context: Context) -> list[tuple[str, Any, Any, Any]]:
        item = context.item
        shared = None if self._quality is None else context.find(self._quality)
        if self._sensor is not None:
            name = self._sensor.fill(context)
            value = context.find(self._value) if self._value is not None else _first(item, shapes.VALUES)
            unit = context.find(self._unit) if self._unit is not None else _first(item, shapes.UNITS)
            quality = shared if self._quality is not None else _first(item, shapes.QUALITIES)
            return [] if name is None else [(name, value, quality, unit)]
        values = context.find(self._sensors) if self._sensors is not None else None
        if self._sensors is not None and not isinstance(values, dict):
            if shapes.number_of(values) is not None:  # one value, named by its path's end or the topic
                return [(self._named_by_topic(context) or str(self._sensors.steps[-1]), values, shared, None)]
            values = None
        if isinstance(values, dict):
            return self._with_quality(list(shapes.cells(values)), shared, item)
        return self._plain_cells(context, shared)

    def _plain_cells(self, context: Context, shared: Any) -> list[tuple[str, Any, Any, Any]]:
        item: dict[str, Any] = context.item
        value, name = shapes.field(item, shapes.VALUES), shapes.field(item, shapes.SENSORS)
        if value is not None and not isinstance(item[value], (dict, list)):
            sensor = item[name] if name is not None and isinstance(item[name], str) else None
            sensor = sensor or self._named_by_topic(context) or value
            quality = shared if shared is not None else _first(item, shapes.QUALITIES)
            return [(sensor, item[value], quality, _first(item, shapes.UNITS))]
        holder = shapes.field(item, shapes.HOLDERS)
        if holder is not None and isinstance(item[holder], dict) and holder != "tags":
            return self._with_quality(list(shapes.cells(item[holder])), shared, item)
        beside = shapes.beside(item)
        flat = {
            key: one
            for key, one in item.items()
            if key not in beside and (not isinstance(one, str) or judged_by(key) in item)
        }
        return self._with_quality(list(shapes.cells(flat)), shared, item)

    def _with_quality(
        self, cells: list[tuple[str, Any, Any, Any]], shared: Any, item: dict[str, Any]
    ) -> list[tuple[str, Any, Any, Any]]:
        """Where a value has no quality: that of its `x_quality`, or the message's, for all or by sensor."""
        if shared is None:
            shared = _first(item, shapes.QUALITIES)
        names = {name for name, *_ in cells}
        own: dict[str, Any] = {}
        out: list[tuple[str, Any, Any, Any]] = []
        for name, value, quality, unit in cells:
            stem = judged_by(name)
            if stem is not None and stem in names:
                own[stem] = value
            else:
                out.append((name, value, quality, unit))
        if shared is None and not own:
            return out
        return [
            (
                name,
                value,
                quality
                if quality is not None
                else own.get(name, shared.get(name) if isinstance(shared, dict) else shared),
                unit,
            )
            for name, value, quality, unit in out
        ]

    def _named_by_topic(self, context: Context) -> str | None:
        if context.named and "sensor" in context.named:
            return context.named["sensor"]
        if self.settings.preset == "umh" and (cell := historian(context.topic)) is not None:
            return cell.tag
        return None

    def sensor(self, name: str) -> str | None:
        """What the sensor that the source calls ``name`` is called here; None = leave it out."""
        sensor = self._sensor_of(name)
        return None if sensor is None or bad_sensor_name((sensor,)) is not None else sensor

    def _sensor_of(self, name: str) -> str | None:
        """What a sensor is called here; None = it is left out."""
        try:
            return self._names[name]
        except KeyError:
            renamed = self.settings.names.get(name)
            sensor = sensor_name(name if renamed is None else renamed)
            left_out = any(fnmatchcase(name, pattern) for pattern in self.settings.ignore)
            if len(self._names) < _MOST_NAMES:
                self._names[name] = None if left_out else sensor
            return None if left_out else sensor

    # -- sources that have values and no payload

    def frame(
        self, machine: str, time: int, values: Fields[str, Any], quality: Fields[str, Any] | None = None
    ) -> Frame | None:
        """One reading of values that the source read itself; None = no sensor is left."""
        return self.rows(
            machine,
            [time],
            {name: [value] for name, value in values.items()},
            None if quality is None else {name: [one] for name, one in quality.items()},
        )

    def rows(
        self,
        machine: str,
        time: Sequence[int],
        values: Fields[str, Sequence[Any]],
        quality: Fields[str, Sequence[Any]] | None = None,
    ) -> Frame | None:
        """The same of n readings: ``time`` (n,) in ms UTC, n values a sensor, and n qualities if known.

        Raises `RejectedError` for a machine's name that cannot be used.
        """
        names: list[str] = []
        columns: list[list[float]] = []
        doubts: list[list[bool]] = []
        for name, cells in values.items():
            sensor = self._sensor_of(name)
            if sensor is None or sensor in names:
                continue
            judged = (quality or {}).get(name) or [None] * len(cells)
            pairs = [shapes.usable(value, one) for value, one in zip(cells, judged, strict=True)]
            names.append(sensor)
            columns.append([number for number, _ in pairs])
            doubts.append([doubt for _, doubt in pairs])
        if not names or not len(time):
            return None
        uncertain = np.array(doubts, dtype=np.bool_).T
        return Frame(
            self.machine(machine),
            np.array(time, dtype=np.int64),
            tuple(names),
            np.ascontiguousarray(np.array(columns, dtype=np.float64).T),
            np.ascontiguousarray(uncertain) if uncertain.any() else None,
        )


_MOST_NAMES = 100_000
_TIME_HELP = "Set `time` and `time_unit` in this source's mapping."


def _first(item: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(item, dict):
        return None
    name = shapes.field(item, names)
    return None if name is None else item[name]


def _machine_in(document: Any) -> str | None:
    """The machine that a document names: in a field, or among a Telegraf metric's tags."""
    if not isinstance(document, dict):
        return None
    tags = document.get("tags")
    for where in (document, tags if isinstance(tags, dict) else {}):
        name = shapes.field(where, shapes.MACHINES)
        if name is not None and isinstance(where[name], (str, int)) and not isinstance(where[name], bool):
            return str(where[name])
    return None
