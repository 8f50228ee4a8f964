"""Read runs of machines from a table: which machine, its age, then its sensors, a reading a row."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detectors.remaining_life.run_features import Run


class RunsFileError(Exception):
    """The table cannot be used; the message says which line, why, and what was expected."""


@dataclass(frozen=True, slots=True)
class NamedRun:
    """One machine's readings so far, or to its failure."""

    machine: str
    run: Run


def read_runs(path: Path) -> tuple[tuple[str, ...], list[NamedRun]]:
    """The sensors' names and every machine's readings, in the order of the file.

    A CSV with a header: the first column names the machine (or the run), the second is its age in any
    unit, rising; an empty cell is a missing value. Raises RunsFileError.
    """
    expected = "a header, then rows of machine, age, and one value a sensor"
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        rows = csv.reader(file, delimiter=";" if ";" in first else ",")
        header = next(rows, [])
        if len(header) < 3:
            raise RunsFileError(f"{path}:1: {len(header)} columns; expected {expected}")
        ages: dict[str, list[float]] = {}
        values: dict[str, list[list[float]]] = {}
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            if len(row) != len(header):
                raise RunsFileError(f"{path}:{number}: {len(row)} cells, the header has {len(header)}")
            try:
                age = float(row[1])
                cells = [float(cell) if cell.strip() else np.nan for cell in row[2:]]
            except ValueError as error:
                raise RunsFileError(f"{path}:{number}: {error}; expected {expected}") from None
            mine = ages.setdefault(row[0], [])
            if not np.isfinite(age) or age < 0 or (mine and age <= mine[-1]):
                raise RunsFileError(
                    f"{path}:{number}: the age of {row[0]} is {row[1]}; it must be 0 or more, and rise"
                )
            mine.append(age)
            values.setdefault(row[0], []).append(cells)
    if not ages:
        raise RunsFileError(f"{path} holds no rows. Expected {expected}")
    found = [NamedRun(name, Run(np.array(age), np.array(values[name]))) for name, age in ages.items()]
    return tuple(name.strip() for name in header[2:]), found
