"""Names of sensors and units as plants write them, folded so that one thing has one name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

#: The longest name of a sensor.
MAX_NAME = 128

# Signs that stand twice in Unicode. NFKC would fold them too, but also m/s² to m/s2.
_SAME = str.maketrans(
    {"μ": "µ", "℃": "°C", "℉": "°F", "Ω": "Ω", "㎜": "mm", "㎛": "µm", "㎐": "Hz", "㎾": "kW"}
)


@lru_cache(maxsize=1 << 16)
def sensor_name(text: str) -> str:
    """``text`` in the composed form (NFC), with one sign for micro, degrees and ohm, and no space around it.

    >>> sensor_name(" Temp ℃ "), sensor_name("\\u03bcm") == sensor_name("\\u00b5m")
    ('Temp °C', True)
    """
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", text.translate(_SAME)).strip()


@lru_cache(maxsize=1 << 12)
def sensor_names(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """``names`` folded; None when two of them become one, which nobody can tell apart."""
    folded = tuple(sensor_name(name) for name in names)
    return folded if len(set(folded)) == len(folded) else None


@lru_cache(maxsize=1 << 12)
def bad_sensor_name(names: tuple[str, ...]) -> str | None:
    """The first name that is empty, too long or cannot be printed; None = all can be used."""
    for name in names:
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            return name
    return None
