"""Priors of machine classes as files, in the folder that workers and `yeji run` take them from."""

from __future__ import annotations

from pathlib import Path

from connectors.files.whole import write_whole
from pipeline.spreading.prior import Prior, PriorError, pack, unpack


def priors_folder(data: Path) -> Path:
    """Where adopted priors are."""
    return data / "priors"


def read_prior(path: Path) -> Prior:
    """The prior in a file. Raises `PriorError`, naming the file."""
    try:
        return unpack(path.read_bytes())
    except OSError as error:
        raise PriorError(f"{path} cannot be read: {error}. Correct the path.") from error
    except PriorError as error:
        raise PriorError(f"{path}: {error}") from error


def write_prior(path: Path, prior: Prior) -> int:
    """Write a package, whole or not at all; returns its size in bytes."""
    data = pack(prior)
    write_whole(path, data)
    return len(data)


def adopted_priors(data: Path) -> list[Prior]:
    """Every prior that was imported. Raises `PriorError` when one cannot be read: none is left out."""
    return [read_prior(path) for path in sorted(priors_folder(data).glob("*.yjpr"))]
