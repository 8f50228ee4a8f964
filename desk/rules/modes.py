"""Likely failure modes of an alarm, learned from the faults that crews confirmed on machines of its class.

What is learned is how alarms look (which sensors raised them, and in which direction), never a reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from river import base

from pipeline.spreading.examples import Example

#: Modes that are less likely are not named.
LEAST = 0.2
MOST_NAMED = 3


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
        weights = self.weights(x)
        total = sum(weights.values()) + self.doubt
        return {mode: weight / total for mode, weight in weights.items()}

    def weights(self, x: dict[str, float]) -> dict[str, float]:
        """How many confirmed faults of each mode looked like ``x``, each counted by how near it is (0..1)."""
        weights: dict[str, float] = {}
        for known, mode in self._examples:
            distance = sum((x.get(name, 0.0) - known.get(name, 0.0)) ** 2 for name in x.keys() | known.keys())
            weights[mode] = weights.get(mode, 0.0) + math.exp(-distance / (2 * self.width**2))
        return weights

    def likely(self, x: dict[str, float]) -> tuple[tuple[str, float], ...]:
        """The modes worth naming, the likeliest first."""
        return worth_naming(self.predict_proba_one(x))


def worth_naming(found: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """(mode, probability) of those that are likely enough to be named, the likeliest first."""
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((mode, round(p, 3)) for mode, p in ordered[:MOST_NAMED] if p >= LEAST)


def fit(examples: Sequence[Example]) -> FailureModes:
    """A classifier that has learned ``examples`` in their order."""
    model = FailureModes()
    for example in examples:
        model.learn_one(example.features, example.mode)
    return model
