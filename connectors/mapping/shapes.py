"""Payloads whose meaning is plain: which fields are the machine, the time, the quality, the sensors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from pipeline.wire.quality import Quality, quality_of


def plain(name: str) -> str:
    """A field's name as it is compared: without case and signs.

    >>> plain("Device_ID"), plain("timestamp-ms")
    ('deviceid', 'timestampms')
    """
    return re.sub(r"[\W_]+", "", name.lower())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Fields by the likeliest name first.
MACHINES = _words(
    "machine machineid machinename asset assetid assetname equipment equipmentid equipmentname device "
    "deviceid devicename thing thingid node nodename unit unitid 설비 설비명 설비id 장비 장비명 장비id "
    "호기 host"
)
TIMES = _words(
    "timestamp timestampms ts time datetime eventtime sourcetimestamp t epoch utc measuredat recordedat "
    "createdat date 시간 일시 측정시간 측정일시 시각"
)
QUALITIES = _words("quality q qualitycode statuscode status 품질")
SENSORS = _words(
    "sensor sensorname tag tagname variable metric signal parameter channel attribute name 센서 태그"
)
VALUES = _words("value val v reading 값")
UNITS = _words("unit units uom engineeringunit 단위")
#: Objects that hold a value for each sensor, and lists of readings.
HOLDERS = _words("sensors values fields telemetry measurements data payload metrics tags readings")
#: What stands beside the sensors and is none: numbers of messages and versions.
_BESIDE = frozenset(
    _words(
        "seq sequence msgid messageid msgno id version schema schemaversion datatype alias bdseq qos "
        "retain error errors"
    )
)


def field(item: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The field of ``item`` that is called by the first of ``names`` that is there."""
    there: dict[str, str] = {}
    for name in item:
        there.setdefault(plain(name), name)
    return next((there[name] for name in names if name in there), None)


def number_of(value: Any) -> float | None:
    """A payload's value as a number: true and false are 1 and 0; None = it is none.

    >>> number_of(True), number_of("60.1"), number_of("open")
    (1.0, 60.1, None)
    """
    if isinstance(value, (bool, int, float)):
        try:
            number = float(value)
        except OverflowError:
            return None
    elif isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            return {"true": 1.0, "false": 0.0}.get(text.lower())
    else:
        return None
    return number


def cells(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any, Any]]:
    """Each value of an object with the sensor's name, its quality and unit (None = not said).

    Objects inside are either one value with its quality, or sensors whose names get the object's in front.
    """
    for name, value in values.items():
        if isinstance(value, dict):
            inner = field(value, VALUES)
            if inner is not None:
                quality, unit = field(value, QUALITIES), field(value, UNITS)
                yield (
                    prefix + name,
                    value[inner],
                    None if quality is None else value[quality],
                    None if unit is None else value[unit],
                )
            else:
                yield from cells(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, None, None


def beside(item: dict[str, Any]) -> set[str]:
    """The fields of a flat object that are no sensors."""
    named = {field(item, names) for names in (TIMES, MACHINES)}
    found = {name for name in named if name is not None}
    found |= {
        name for name in item if plain(name) in _BESIDE or plain(name) in QUALITIES or plain(name) in UNITS
    }
    return found


def usable(value: Any, quality: Any) -> tuple[float, bool]:
    """The number to store (NaN = missing), and whether it is uncertain; an unknown quality is good."""
    judged = None if quality is None else quality_of(quality)
    number = number_of(value)
    if number is None or not math.isfinite(number) or judged is Quality.BAD:
        return math.nan, False
    return number, judged is Quality.UNCERTAIN
