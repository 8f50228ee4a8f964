"""Units to units: how values that arrive in one unit become values in another (pint)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pint import UnitRegistry


class UnitError(ValueError):
    """A unit is not known, or two units do not measure the same; the message says which."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``value * factor + offset`` is the value in the other unit."""

    factor: float
    offset: float


#: As plants and UCUM write units, and as pint does. ``g`` is what accelerometers give, not the gram; a
#: revolution a minute is 1/min (ISO 80000), not radians.
_WRITTEN = {
    "°C": "degC",
    "℃": "degC",
    "Cel": "degC",
    "°F": "degF",
    "℉": "degF",
    "[degF]": "degF",
    "K": "kelvin",
    "g": "standard_gravity",
    "Nm": "newton * meter",
    "N.m": "newton * meter",
    "N·m": "newton * meter",
    "rpm": "1 / minute",
    "%": "percent",
}
_POWERS = str.maketrans({"²": "**2", "³": "**3", "µ": "u", "μ": "u", "·": "*"})


@lru_cache(maxsize=1)
def _registry() -> UnitRegistry[Any]:
    from pint import UnitRegistry  # half a second, which only those pay who convert

    return UnitRegistry(autoconvert_offset_to_baseunit=True)


def _unit(text: str) -> Any:
    written = _WRITTEN.get(text.strip())
    if written is None:
        written = re.sub(r"([A-Za-z])(-?\d)", r"\1**\2", text.strip().translate(_POWERS))
    try:
        return _registry().Unit(written)
    except Exception as error:  # pint raises its own, tokenize's and TypeError alike
        raise UnitError(f"{text!r} is no unit that is known ({type(error).__name__})") from None


@lru_cache(maxsize=4096)
def conversion(source: str, unit: str) -> Conversion:
    """From ``source`` to ``unit``.

    >>> found = conversion("degF", "degC")
    >>> round(212 * found.factor + found.offset, 9)
    100.0
    >>> conversion("mm/s", "m/s").factor, conversion("rpm", "1/min").factor
    (0.001, 1.0)

    Raises `UnitError`.
    """
    if source == unit:
        return Conversion(1.0, 0.0)
    one, other = _unit(source), _unit(unit)
    try:
        zero, thousand = (_registry().Quantity(value, one).to(other).magnitude for value in (0.0, 1000.0))
    except Exception as error:  # DimensionalityError, OffsetUnitCalculusError
        raise UnitError(f"{source!r} cannot be converted to {unit!r} ({type(error).__name__})") from None
    return Conversion(float(thousand - zero) / 1000.0, float(zero))


_AMOUNT = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.DOTALL)


def amount(text: str, unit: str) -> float:
    """A number with a unit of its own, in ``unit``.

    >>> round(amount("176 degF", "degC"), 6), amount("80", "degC"), amount("0.3 MPa", "bar")
    (80.0, 80.0, 3.0)

    Raises `UnitError`.
    """
    found = _AMOUNT.fullmatch(text)
    try:
        value = float(found[1]) if found else float("nan")
    except ValueError:
        value = float("nan")
    if found is None or value != value:
        raise UnitError(f"{text!r} is no amount: write a number, or a number and a unit, as '176 degF'")
    if not found[2]:
        return value
    if not unit:
        raise UnitError(f"{text!r} has a unit, and the sensor has none to convert it to: give it `unit`")
    how = conversion(found[2], unit)
    return round(value * how.factor + how.offset, 12)
