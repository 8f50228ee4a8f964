"""Metrics of a payload: their numbers, qualities and times, whatever their type."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.sparkplug.schema import DataType
from pipeline.wire.quality import Quality, quality_of

_SIGNED = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
#: Names of the property that tells a metric's quality.
_QUALITY = ("Quality", "quality")


class Sample(NamedTuple):
    """One metric's value: NaN = there is none, or a bad one. ``time`` as the payload has it, 0 = none."""

    value: float
    time: int
    uncertain: bool
    historical: bool


def sample(metric: Any, datatype: int) -> Sample | None:
    """The value of a metric of ``datatype`` (its birth's); None = it is no number."""
    field = metric.WhichOneof("value")
    if metric.is_null or field is None:
        if datatype in (DataType.STRING, DataType.TEXT, DataType.TEMPLATE):
            return None
        value = math.nan
    elif field in ("int_value", "long_value"):
        value = _whole(getattr(metric, field), datatype)
    elif field in ("float_value", "double_value", "boolean_value"):
        value = float(getattr(metric, field))
        if math.isinf(value):
            value = math.nan
    else:
        return None
    uncertain = False
    if metric.HasField("properties"):
        quality = _quality(metric.properties)
        if quality is Quality.BAD:
            value = math.nan
        uncertain = quality is Quality.UNCERTAIN
    return Sample(value, metric.timestamp, uncertain, metric.is_historical)


def _whole(number: int, datatype: int) -> float:
    bits = _SIGNED.get(datatype)  # type: ignore[call-overload]
    if bits is not None:
        number &= (1 << bits) - 1
        if number >> (bits - 1):
            number -= 1 << bits
    return float(number)


def _quality(properties: Any) -> Quality | None:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key in _QUALITY:
            field = value.WhichOneof("value")
            return None if field is None else quality_of(getattr(value, field))
    return None


def flat(metrics: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Metrics and those inside templates: ``(name, metric)``; the name is "" where there is only an alias."""
    for metric in metrics:
        if metric.WhichOneof("value") == "template_value":
            if not metric.template_value.is_definition:
                yield from flat(metric.template_value.metrics, f"{prefix}{metric.name}/")
        else:
            yield (prefix + metric.name if metric.name else ""), metric
