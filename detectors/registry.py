"""The kinds of detector that a machine class can be configured with: ours, and installed packages'."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
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


#: Entry points of this group name a kind, and its class as ``module:class``.
GROUP = "yeji.detectors"


@cache
def installed_kinds() -> dict[str, str]:
    """Kinds of other packages, as `KINDS`. Raises ValueError for a name that is taken."""
    found: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        if point.name in KINDS or point.name in found:
            raise ValueError(
                f"an installed package brings a detector kind {point.name!r} ({point.value}), and there is "
                "one of that name; remove the package, or have it renamed"
            )
        found[point.name] = point.value
    return found


def all_kinds() -> dict[str, str]:
    """Every kind, and where its class is: ``module:class``."""
    return {**KINDS, **installed_kinds()}


def detector_class(kind: str) -> type[FleetDetector]:
    """The class of a kind. ValueError when there is no such kind, or what is there is no detector."""
    kinds = all_kinds()
    if kind not in kinds:
        raise ValueError(f"there is no detector kind {kind!r}; write one of {', '.join(sorted(kinds))}")
    module, name = kinds[kind].split(":")
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, FleetDetector)):
        raise ValueError(f"{kinds[kind]} of detector kind {kind!r} is no FleetDetector; mend that package")
    return found


def parameters(kind: str) -> dict[str, Any]:
    """The parameters that a kind takes, with their defaults.

    >>> parameters("half-space-trees")["n_trees"]
    10
    """
    signature = inspect.signature(detector_class(kind))
    return {name: p.default for name, p in signature.parameters.items() if name != "width"}


def shares(kind: str) -> bool:
    """Whether its models can go to another site (`FleetDetector.shared`).

    >>> shares("baseline"), shares("river")
    (True, False)
    """
    return detector_class(kind).exportable


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
