"""The kinds of detector that a machine class can be configured with, by name."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from detectors.base import FleetDetector

# Named, not imported: a worker loads only what its classes use.
KINDS: dict[str, str] = {
    "baseline": "detectors.baseline.detector:FleetBaseline",
    "half-space-trees": "detectors.half_space_trees.detector:FleetHalfSpaceTrees",
    "loda": "detectors.loda.detector:FleetLoda",
    "mspc": "detectors.mspc.detector:FleetMspc",
    "one-class-svm": "detectors.one_class_svm:FleetOneClassSVM",
    "records": "detectors.records:FleetRecords",
    "regimes": "detectors.regimes:FleetRegimes",
    "river": "detectors.river.model:FleetRiver",
    "robust-univariate": "detectors.univariate:FleetRobustUnivariate",
    "similarity": "detectors.similarity.detector:FleetSimilarity",
}


def detector_class(kind: str) -> type[FleetDetector]:
    """The class of a kind. ValueError when there is no such kind."""
    if kind not in KINDS:
        raise ValueError(f"there is no detector kind {kind!r}; write one of {', '.join(sorted(KINDS))}")
    module, name = KINDS[kind].split(":")
    found: type[FleetDetector] = getattr(import_module(module), name)
    return found


def parameters(kind: str) -> dict[str, Any]:
    """The parameters that a kind takes, with their defaults.

    >>> parameters("half-space-trees")["n_trees"]
    10
    """
    signature = inspect.signature(detector_class(kind))
    return {name: p.default for name, p in signature.parameters.items() if name != "width"}


def build(kind: str, width: int, **params: Any) -> FleetDetector:
    """A fleet of detectors for machines with ``width`` sensors.

    Raises ValueError for a kind or parameter that does not exist (it names those that do), or a
    parameter's value that cannot be.
    """
    made, known = detector_class(kind), parameters(kind)
    for name in params:
        if name not in known:
            raise ValueError(
                f"detector {kind} has no parameter {name!r}; it takes {', '.join(sorted(known))}"
            )
    return made(width, **params)
