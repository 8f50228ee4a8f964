"""Confirmed faults as examples: how their alarms looked, and what they were. No reading is in them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from pipeline.records import AlarmEvent, AlarmKind


class Example(msgspec.Struct, frozen=True):
    """A confirmed fault: how its alarm looked, and what it was. ``verdict`` is the id of who says so."""

    features: dict[str, float]
    mode: str
    verdict: str


def features(event: AlarmEvent) -> dict[str, float]:
    """How an alarm looks: each sensor's share of it, and its direction (-1..1 times the share).

    >>> from pipeline.records import *
    >>> one = Contribution("vibration", 0.8, 9.1, 3.0, 60.0)
    >>> what = {"id": "i", "machine": "m", "machine_class": "", "kind": AlarmKind.CONDITION, "severity": 1}
    >>> when = {"phase": AlarmPhase.RAISED, "onset": 0, "time": 0, "score": 1, "threshold": 1}
    >>> features(AlarmEvent(**what, **when, contributions=(one,)))
    {'share vibration': 0.8, 'way vibration': 0.8}
    """
    found: dict[str, float] = {}
    for contribution in event.contributions:
        found[f"share {contribution.sensor}"] = round(contribution.share, 4)
        if contribution.deviation is not None:
            found[f"way {contribution.sensor}"] = round(
                contribution.share * math.tanh(contribution.deviation / 6), 4
            )
    if event.kind is not AlarmKind.CONDITION:
        found[f"{event.kind} {event.sensor or ''} {event.code or event.detail.partition(':')[0]}"] = 1.0
    return found


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Example, ...]).decode


def encode_examples(examples: Iterable[Example]) -> bytes:
    """Examples as JSON: what a version of a classifier is kept as."""
    return _encode(tuple(examples))


def decode_examples(body: bytes) -> tuple[Example, ...]:
    """The inverse of `encode_examples`. Raises `msgspec.DecodeError`."""
    return _decode(body)
