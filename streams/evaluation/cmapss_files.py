"""Read C-MAPSS: NASA's own text files (blank-separated, no header), or CSV with a header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detectors.batch import Floats
from detectors.remaining_life.run_features import Run
from streams.evaluation.report import BenchError

_EXPECTED = "unit, cycle, three settings, then sensors"


@dataclass(frozen=True)
class Engine:
    """One engine's readings, and the cycles it had ``left`` after the last one (0 = run to failure)."""

    run: Run
    left: float


Engines = list[Engine]


def read_engines(path: Path) -> tuple[Engines, Engines]:
    """Train and test engines of a file of train engines, or of a folder with one set.

    In a folder, the file whose name begins with ``train`` is read, and ``test…`` and ``RUL…`` with the
    same rest of the name. Raises BenchError.
    """
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.name.lower().startswith("train"))
        if not found:
            raise BenchError(f"{path} holds no file train_….csv or train_….txt.")
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise BenchError(f"{path} holds several sets ({names}): name one of these files.")
        path = found[0]
    train = [Engine(run, 0.0) for run in _runs(path)]
    test_file, left_file = _beside(path, "test"), _beside(path, "rul")
    if test_file is None or left_file is None:
        return train, []
    left = _numbers(left_file)[:, -1]
    test = _runs(test_file)
    if len(left) != len(test):
        raise BenchError(f"{test_file} has {len(test)} engines, {left_file} {len(left)} labels.")
    return train, [Engine(one, float(label)) for one, label in zip(test, left, strict=True)]


def _beside(train: Path, kind: str) -> Path | None:
    """The file that belongs to ``train`` and begins with ``kind``, of any case and suffix."""
    rest = train.stem[len("train") :].lower()
    for file in sorted(train.parent.iterdir()):
        if file.stem.lower() == kind + rest:
            return file
    return None


def _runs(path: Path) -> list[Run]:
    table = _numbers(path)
    if table.shape[1] < 6:
        raise BenchError(f"{path} has {table.shape[1]} columns; expected {_EXPECTED}.")
    runs = []
    for unit in np.unique(table[:, 0]):
        mine = table[table[:, 0] == unit]
        if (np.diff(mine[:, 1]) <= 0).any():
            raise BenchError(f"{path}: the cycles of unit {unit:g} do not rise.")
        runs.append(Run(mine[:, 1], np.ascontiguousarray(mine[:, 2:])))
    return runs


def _numbers(path: Path) -> Floats:
    text = path.read_text(encoding="utf-8-sig")
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    separator = "," if "," in first else None
    header = any(character.isalpha() for character in first.replace("e", "").replace("E", ""))
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or (header and number == 1):
            continue
        try:
            rows.append([float(cell) for cell in line.split(separator)])
        except ValueError as error:
            raise BenchError(f"{path}:{number}: {error}; expected {_EXPECTED}") from None
        if len(rows[-1]) != len(rows[0]):
            raise BenchError(f"{path}:{number}: {len(rows[-1])} cells, the rows before have {len(rows[0])}.")
    if not rows:
        raise BenchError(f"{path} holds no rows. Expected {_EXPECTED}.")
    return np.array(rows)
