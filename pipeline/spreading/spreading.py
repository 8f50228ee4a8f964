"""Making a prior of the machines that a pipeline watches (see `pipeline.spreading.prior`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from detectors.base import State
from detectors.batch import Floats
from pipeline.admission.registry import Machine
from pipeline.pipeline import Pipeline
from pipeline.spreading.examples import Example
from pipeline.spreading.prior import Prior, PriorError

#: Raw scores of healthy readings that are sent along for each detector, evenly over their quantiles.
_CALIBRATION = 256
#: Models of so many machines are sent along at most.
_REFERENCES = 6


def export(
    pipeline: Pipeline, machine_class: str, *, made: int, examples: Sequence[Example] = (), least: int = 1000
) -> Prior:
    """The prior of a class from the machines that ``pipeline`` watches; ``made`` is now (ms UTC).

    Only machines that have seen ``least`` readings since their warm-up speak, and of these the sensors that
    most have. Raises `PriorError` when there is none.
    """
    able = [
        m for m in pipeline.watched(machine_class) if m.monitor and m.monitor.learning.count[m.row] >= least
    ]
    if not able:
        raise PriorError(
            f"No machine of class {machine_class!r} has given {least} readings since its warm-up: "
            "let it run longer."
        )
    sensors = Counter(m.layout for m in able).most_common(1)[0][0]
    able = sorted((m for m in able if m.layout == sensors), key=lambda m: m.name)
    monitor = able[0].monitor
    assert monitor is not None  # noqa: S101 - chosen so
    kinds = tuple(detector.kind for detector in monitor.detectors)
    if all(detector.shared(able[0].row) is None for detector in monitor.detectors):
        raise PriorError(
            f"Models of kind {', '.join(kinds)} may hold readings, which stay where they are: "
            "`yeji detectors list` says which kinds can be shared."
        )
    # spread over the fleet, so that unlike machines are among them
    picked = np.unique(np.linspace(0, len(able) - 1, _REFERENCES).round().astype(int)).tolist()
    return Prior(
        machine_class=machine_class,
        sensors=sensors,
        detectors=kinds,
        machines=len(able),
        made=made,
        references=tuple(_models(able[k]) for k in picked),
        calibration=tuple(_spread(able, number) for number in range(len(kinds))),
        examples=tuple(examples),
    )


def _models(machine: Machine) -> tuple[State, ...]:
    """What is sent of each of a machine's detectors; empty = it begins afresh elsewhere."""
    assert machine.monitor is not None  # noqa: S101 - chosen so
    return tuple(detector.shared(machine.row) or {} for detector in machine.monitor.detectors)


def _spread(machines: list[Machine], detector: int) -> Floats:
    """How one detector's raw scores of healthy readings are spread, over ``machines``."""
    kept = []
    for machine in machines:
        if machine.monitor is not None:
            kept.append(machine.monitor.calibrators[detector].dump(machine.row)["kept"])
    scores = np.concatenate(kept)
    if not len(scores):
        return scores  # calibrated by itself
    share = (np.arange(_CALIBRATION) + 0.5) / _CALIBRATION
    rising: Floats = np.quantile(scores, share)
    # The calibrator forgets the oldest first: mixed, what is left of it stays representative.
    return np.random.default_rng(0).permutation(rising)
