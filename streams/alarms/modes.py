"""Likely failure modes of an alarm, learned from the faults that crews confirmed on machines of its class.

What is learned is how alarms look (which sensors raised them, and in which direction), never a reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
from river import base

from streams.records import AlarmEvent, AlarmKind

#: Modes that are less likely are not named.
LEAST = 0.2
MOST_NAMED = 3


class Example(msgspec.Struct, frozen=True):
    """A confirmed fault: how its alarm looked, and what it was. ``verdict`` is the id of who says so."""

    features: dict[str, float]
    mode: str
    verdict: str


def features(event: AlarmEvent) -> dict[str, float]:
    """How an alarm looks: each sensor's share of it, and its direction (-1..1 times the share).

    >>> from streams.records import *
    >>> one = Contribution("vibration", 0.8, 9.1, 3.0, 60.0)
    >>> features(AlarmEvent("i", "m", "", AlarmKind.CONDITION, AlarmPhase.RAISED, 0, 0, 1, 1, 1, (one,)))
    {'share vibration': 0.8, 'way vibration': 0.8}
    """
    found: dict[str, float] = {}
    for one in event.contributions:
        found[f"share {one.sensor}"] = round(one.share, 4)
        if one.deviation is not None:
            found[f"way {one.sensor}"] = round(one.share * math.tanh(one.deviation / 6), 4)
    if event.kind is not AlarmKind.CONDITION:
        found[f"{event.kind} {event.sensor or ''} {event.detail.partition(':')[0]}"] = 1.0
    return found


class FailureModes(base.Classifier):  # type: ignore[misc]
    """Kernel classifier over confirmed faults, with the interface of River's classifiers.

    Each confirmed fault speaks for its mode by how near it is (a Gaussian kernel of width ``width``);
    ``doubt`` speaks for "none of these", so an alarm like nothing seen before has no likely mode, and one
    example is no certainty. Beside River's own classifiers it learns as fast as the nearest neighbours and
    far faster than naive Bayes, trees or softmax regression (benchmarks/modes.py prints the comparison).
    Only the latest ``size`` faults are kept.

    >>> model = FailureModes()
    >>> model.learn_one({"share vibration": 1.0, "way vibration": 1.0}, "bearing-wear")
    >>> round(model.predict_proba_one({"share vibration": 0.9, "way vibration": 0.9})["bearing-wear"], 2)
    0.77
    >>> model.likely({"share current": 1.0, "way current": -1.0})
    ()
    """

    def __init__(self, width: float = 0.25, doubt: float = 0.25, size: int = 1000) -> None:
        self.width, self.doubt, self.size = width, doubt, size
        self._examples: list[tuple[dict[str, float], str]] = []

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[str, float], y: str) -> None:
        """A fault that looked like ``x`` was confirmed as ``y``."""
        self._examples = [*self._examples, (x, y)][-self.size :]

    def predict_proba_one(self, x: dict[str, float]) -> dict[str, float]:
        """Probability of each known mode; what is missing to 1 is "none of these"."""
        weights: dict[str, float] = {}
        for known, mode in self._examples:
            distance = sum((x.get(name, 0.0) - known.get(name, 0.0)) ** 2 for name in x.keys() | known.keys())
            weights[mode] = weights.get(mode, 0.0) + math.exp(-distance / (2 * self.width**2))
        total = sum(weights.values()) + self.doubt
        return {mode: weight / total for mode, weight in weights.items()}

    def likely(self, x: dict[str, float]) -> tuple[tuple[str, float], ...]:
        """The modes worth naming, the likeliest first."""
        found = sorted(self.predict_proba_one(x).items(), key=lambda pair: (-pair[1], pair[0]))
        return tuple((mode, round(p, 3)) for mode, p in found[:MOST_NAMED] if p >= LEAST)


def fit(examples: Sequence[Example]) -> FailureModes:
    """A classifier that has learned ``examples`` in their order."""
    model = FailureModes()
    for one in examples:
        model.learn_one(one.features, one.mode)
    return model


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Example, ...]).decode


def encode_examples(examples: Iterable[Example]) -> bytes:
    """Examples as JSON: what a version of a classifier is kept as."""
    return _encode(tuple(examples))


def decode_examples(body: bytes) -> tuple[Example, ...]:
    """The inverse of `encode_examples`. Raises `msgspec.DecodeError`."""
    return _decode(body)
