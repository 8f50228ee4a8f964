"""Units as people write them; settings may have them as machines do (UCUM, plain ASCII)."""

from __future__ import annotations

_SHOWN = {
    "degC": "°C",
    "Cel": "°C",
    "degF": "°F",
    "m3/h": "m³/h",
    "m3/s": "m³/s",
    "m/s2": "m/s²",
    "um": "µm",
}


def shown_unit(unit: str) -> str:
    """``unit`` for people.

    >>> shown_unit("degC"), shown_unit("mm/s")
    ('°C', 'mm/s')
    """
    return _SHOWN.get(unit, unit)
