"""What a machine class has learned at one site, packed for another: no reading and no time goes along.

A prior holds, for one class and its sensors:

* references: the models of a few machines (trees' masses, means, correlations, remembered states),
* calibration: how these models' raw scores of healthy readings are spread,
* labels: how the alarms of confirmed faults looked, and what they were (`pipeline.spreading.examples`).

A machine elsewhere collects a fifth of its warm-up and takes the reference that finds these readings most
usual, with the calibration, if it finds them usual at all; else it warms up as any other. From then on it
learns from its own readings.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetDetector
from detectors.base import State as Saved
from detectors.batch import Batch, Floats
from detectors.decision.calibrated import FleetCalibrated
from detectors.decision.calibration import FleetCalibrator
from detectors.decision.ensemble import combine
from pipeline.settings import SettingsError
from pipeline.spreading.examples import Example

VERSION = 1
_MAGIC = b"YJPR"
_HEAD = len(_MAGIC) + 2 + 32
#: Mean of −ln(1 − score) over healthy readings is 1 for a model that fits; up to here one is taken.
FITS = 2.0


class PriorError(SettingsError):
    """A package cannot be used, or made; the message says why. Adopted, it is a part of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """One class's prior.

    ``detectors`` are their kinds. ``references`` has an item a machine: each detector's state, empty for a
    kind that is not sent and begins afresh.
    ``calibration`` has healthy raw scores (c,) for each detector. ``machines`` is of how many machines all
    this is made, ``made`` when (ms UTC).
    """

    machine_class: str
    sensors: tuple[str, ...]
    detectors: tuple[str, ...]
    machines: int
    made: int
    references: tuple[tuple[Saved, ...], ...]
    calibration: tuple[Floats, ...]
    examples: tuple[Example, ...] = ()


def short(warmup: int) -> int:
    """How many readings a machine collects before it tries the references.

    >>> short(300)
    60
    """
    return max(20, warmup // 5)


def warm(
    prior: Prior,
    detectors: Sequence[FleetDetector],
    calibrators: Sequence[FleetCalibrator | FleetCalibrated],
    weights: Floats,
    row: int,
    batch: Batch,
) -> bool:
    """Give ``row`` the reference that fits its first readings ``batch`` best; False = none fits.

    Then the row is as it was when it was reset by the caller, or has to be reset again.
    """
    best: tuple[float, tuple[Saved, ...]] | None = None
    for reference in prior.references:
        try:
            _load(prior, reference, detectors, calibrators, row)
        except (KeyError, ValueError):
            continue  # made with other parameters of a detector
        raws = [detector.score(batch).raw for detector in detectors]
        scores = np.stack([c.score(batch, r) for c, r in zip(calibrators, raws, strict=True)], axis=1)
        score, _ = combine(scores, weights)
        known = score[np.isfinite(score)]
        if len(known) < len(batch) / 2:
            continue
        surprise = float(np.mean(-np.log1p(-known)))
        if best is None or surprise < best[0]:
            best = surprise, reference
    if best is None or best[0] > FITS:
        return False
    _load(prior, best[1], detectors, calibrators, row)  # scoring advanced its filters
    return True


def _load(
    prior: Prior,
    reference: tuple[Saved, ...],
    detectors: Sequence[FleetDetector],
    calibrators: Sequence[FleetCalibrator | FleetCalibrated],
    row: int,
) -> None:
    sent = zip(detectors, calibrators, reference, prior.calibration, strict=True)
    for detector, calibrator, state, kept in sent:
        if state:
            detector.load(row, {name: array.copy() for name, array in state.items()})
            kept = kept[: calibrator.size]
            calibrator.load(row, {"seen": np.array([len(kept)]), "kept": kept.copy()})


class _Manifest(msgspec.Struct):
    machine_class: str
    sensors: tuple[str, ...]
    detectors: tuple[str, ...]
    machines: int
    made: int
    references: int
    examples: tuple[Example, ...]


def pack(prior: Prior) -> bytes:
    """The package: ``YJPR``, version (u16), SHA-256 of what follows, and that: NumPy's .npz."""
    manifest = _Manifest(
        prior.machine_class,
        prior.sensors,
        prior.detectors,
        prior.machines,
        prior.made,
        len(prior.references),
        prior.examples,
    )
    arrays: dict[str, NDArray[Any]] = {
        "manifest": np.frombuffer(msgspec.json.encode(manifest), dtype=np.uint8)
    }
    for d, kept in enumerate(prior.calibration):
        arrays[f"calibration/{d}"] = kept
    for r, reference in enumerate(prior.references):
        for d, state in enumerate(reference):
            arrays |= {f"reference/{r}/{d}/{name}": array for name, array in state.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    body = buffer.getvalue()
    return _MAGIC + VERSION.to_bytes(2, "little") + hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> Prior:
    """The inverse of `pack`. Raises `PriorError` when it is damaged, newer or something else."""
    if data[:4] != _MAGIC or len(data) < _HEAD:
        raise PriorError("This is no package of `yeji spread export`.")
    version = int.from_bytes(data[4:6], "little")
    if version > VERSION:
        raise PriorError(f"The package has version {version}; this Yeji reads up to {VERSION}. Upgrade it.")
    body = data[_HEAD:]
    if hashlib.sha256(body).digest() != data[6:_HEAD]:
        raise PriorError("The package was damaged or changed on its way: its checksum does not fit.")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            arrays = dict(file.items())
        manifest = msgspec.json.decode(arrays.pop("manifest").tobytes(), type=_Manifest)
        references: list[list[Saved]] = [[{} for _ in manifest.detectors] for _ in range(manifest.references)]
        calibration = tuple(arrays.pop(f"calibration/{d}") for d in range(len(manifest.detectors)))
        for key, array in arrays.items():
            _, r, d, name = key.split("/", 3)
            references[int(r)][int(d)][name] = array
    except (KeyError, IndexError, ValueError, OSError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise PriorError(f"The package's checksum fits, but it cannot be read: {error}.") from error
    return Prior(
        machine_class=manifest.machine_class,
        sensors=manifest.sensors,
        detectors=manifest.detectors,
        machines=manifest.machines,
        made=manifest.made,
        references=tuple(tuple(reference) for reference in references),
        calibration=calibration,
        examples=manifest.examples,
    )
