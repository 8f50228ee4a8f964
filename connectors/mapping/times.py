"""Times of other systems' payloads to ms since 1970 UTC."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.wire.times import epoch_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
#: Units of numbers, in ms.
UNITS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
#: Day 0 of spreadsheets in ms since 1970: 1899-12-30.
_DAY_0, _DAY = -2_209_161_600_000, 86_400_000

ReadTime = Callable[[Any], int | None]


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises ValueError when there is none."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone: give a name like Asia/Seoul or UTC") from error


def time_reader(unit: str, zone: tzinfo) -> ReadTime:
    """A function from a payload's time to ms UTC; None = it is no time.

    ``unit``: ``auto`` (numbers by their size, texts as ISO 8601), ``s``, ``ms``, ``us``, ``ns``, ``excel``
    (days since 1899-12-30), or a format of `strptime`. ``zone`` is that of texts that name none.
    """
    if unit == "auto":
        return lambda value: _auto(value, zone)
    if unit == "excel":
        return lambda value: _excel(value, zone)
    if unit in UNITS:
        factor = UNITS[unit]
        return lambda value: _scaled(value, factor)
    return lambda value: _formatted(value, unit, zone)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            return None
    return None


def _scaled(value: Any, factor: float) -> int | None:
    number = _number(value)
    if number is None or not math.isfinite(number) or abs(number) > 2**63:
        return None
    if isinstance(number, int):  # no detour over floats, which ns do not fit into
        return number * int(factor) if factor >= 1 else number // round(1 / factor)
    return math.floor(number * factor + 0.5)


def _auto(value: Any, zone: tzinfo) -> int | None:
    number = _number(value)
    if number is not None:
        return epoch_ms(number)
    if not isinstance(value, str):
        return None
    try:
        return _in_zone(datetime.fromisoformat(value.strip().upper().replace(" UTC", "Z")), zone)
    except ValueError:
        return None


def _excel(value: Any, zone: tzinfo) -> int | None:
    number = _number(value)
    if number is None or not math.isfinite(number) or not 0 < number < 200_000:
        return None
    local = _DAY_0 + round(number * _DAY)
    return _in_zone(datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(milliseconds=local), zone)


def _formatted(value: Any, format: str, zone: tzinfo) -> int | None:
    try:
        return _in_zone(datetime.strptime(str(value).strip(), format), zone)
    except ValueError:
        return None


def _in_zone(time: datetime, zone: tzinfo) -> int:
    return ((time if time.tzinfo else time.replace(tzinfo=zone)) - _EPOCH) // _MS
