"""Causes as codes with values, not as sentences: why an alarm was raised, or an act refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import SupportsFloat

#: What a cause can carry: JSON numbers and names.
Value = int | float | str


@dataclass(frozen=True, slots=True, init=False)
class Cause:
    """Why something is so: a code, and the values that belong to it.

    The code is what programs compare and what catalogues of texts (`desk/locale`) are asked for. A part after
    a dot tells variants apart: `saturated` and `saturated.run` are one kind of fault.

    >>> str(Cause("zone-c", value=4.8, limit=4.5)), str(Cause("stuck"))
    ('zone C: 4.8, limit 4.5', 'stuck')
    """

    code: str
    values: dict[str, Value] = field(hash=False)

    def __init__(self, code: str, /, **values: str | SupportsFloat) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "values", {name: _plain(value) for name, value in values.items()})

    @property
    def kind(self) -> str:
        """The code without its variant.

        >>> Cause("saturated.run", value=5.0, readings=9, most=3).kind
        'saturated'
        """
        return self.code.partition(".")[0]

    def __str__(self) -> str:
        """The cause in English; its kind where it has no values, or where `CAUSES` does not know it."""
        text = CAUSES.get(self.code)
        return fill(text, shown(self.values)) if text and self.values else self.kind


class CodedError(Exception):
    """An error whose cause is a code with values, so that it can be said in any language."""

    def __init__(self, code: str, /, **values: str | SupportsFloat) -> None:
        self.cause = Cause(code, **values)
        super().__init__(": ".join([code, *(f"{name}={value}" for name, value in self.cause.values.items())]))


#: English of the causes that the pipeline knows; other languages are in `desk/locale`, as `cause.CODE`.
CAUSES: Mapping[str, str] = {
    "stuck": "stuck: {value} for {readings} readings; at most {most} in its history",
    "saturated": "saturated: {value} is at the end of what it can measure",
    "saturated.run": (
        "saturated: {value} for {readings} readings, at the end of its range; at most {most} in its history"
    ),
    "dropout": "dropout: no value for {readings} readings; at most {most} in its history",
    "dropout.code": "dropout: {value}, which stands for no value, for {readings} readings",
    "frozen": (
        "frozen: all sensors repeat their values, {readings} readings so far. Check gateway, cache and PLC."
    ),
    "frozen.part": (
        "frozen: several sensors repeat their values, all from the same reading on, {readings} readings "
        "so far. Check gateway, cache and PLC."
    ),
    "spikes": "spikes: repeated spikes, the latest {value}; usual are {low} to {high}",
    "drift": "drift: {value} is not what the other sensors predict, while they agree",
    "gap": "gap: nothing for {seconds} s; usual is {usual} s",
    "silence": "silence: no reading for {seconds} s. Check power, gateway and network.",
    "moved.early": (
        "badly commissioned: it was away from its first {hours} h for as long as these lasted; it begins anew"
    ),
    "seen.hours": "seen {hours} of at least {wanted} hours",
    "seen.days": "seen {days} of {wanted} days: no weekly rhythm yet",
    "seen.part": "{start} to {end} o’clock only",
    "seen.night": "night only, {start} to {end} o’clock",
    "zone-c": "zone C: {value}, limit {limit}",
    "zone-d": "zone D: {value}, limit {limit}",
    "warn": "warn: {value}, limit {limit}",
    "trip": "trip: {value}, limit {limit}",
    "low-warn": "low_warn: {value}, limit {limit}",
    "low-trip": "low_trip: {value}, limit {limit}",
}


def because(code: str, inner: Cause, /, **values: str | SupportsFloat) -> Cause:
    """A cause that has another one as its reason, with the values of both.

    >>> because("delivery.unsure", Cause("mail.silent", error="timed out")).values
    {'error': 'timed out', 'because': 'mail.silent'}
    """
    known = {name: one for name, one in inner.values.items() if name != "because"}
    return Cause(code, **(known | values | {"because": inner.code}))


def shown(values: Mapping[str, Value]) -> dict[str, str]:
    """Values as they are shown: numbers with six significant digits at most.

    >>> shown({"value": 3.14159265, "readings": 12})
    {'value': '3.14159', 'readings': '12'}
    """
    return {name: f"{one:g}" if isinstance(one, float) else str(one) for name, one in values.items()}


def fill(text: str, values: Mapping[str, object]) -> str:
    """``text`` with ``values`` in its braces; as it is where they do not fit (it is of another version).

    >>> fill("{a} of {b}", {"a": 1}), fill("{a} of {b}", {"a": 1, "b": 2})
    ('{a} of {b}', '1 of 2')
    """
    try:
        return text.format(**values)
    except (KeyError, IndexError, ValueError):
        return text


def _plain(value: str | SupportsFloat) -> Value:
    """A value as JSON has it: no NumPy scalar, and no number that JSON does not know."""
    if isinstance(value, str):
        return value
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else f"{number:g}"
