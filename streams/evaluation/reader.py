"""Read labelled CSV files of one machine each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from detectors.batch import Floats, Ints
from streams.evaluation.recording import Recording, runs
from streams.evaluation.report import BenchError

LABELS = ("anomaly", "label", "fault")
IGNORED = (*LABELS, "changepoint")


def read_folder(path: Path) -> list[Recording]:
    """Every CSV file at or under ``path``, in the order of their names.

    Raises BenchError when there is none, or one cannot be read.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.csv"), key=_natural)
    marks = {file.parent: read_marks(file) for file in files if file.name == "events.csv"}
    found = [
        read_file(file, path, marks.get(file.parent, {}).get(file.name))
        for file in files
        if file.name != "events.csv"
    ]
    if not found:
        raise BenchError(f"{path} holds no .csv file. Name a folder of recordings.")
    return found


def read_sets(path: Path) -> dict[str, list[Recording]]:
    """The recordings of each folder directly under ``path`` that holds any; none = there are no such folders.

    Raises BenchError when a file cannot be read.
    """
    folders = sorted(one for one in path.iterdir() if one.is_dir()) if path.is_dir() else []
    return {
        folder.name: [replace(one, name=f"{folder.name}/{one.name}") for one in read_folder(folder)]
        for folder in folders
        if any(folder.rglob("*.csv"))
    }


def sets_of(path: Path) -> dict[str, list[Recording]]:
    """`read_sets`; raises BenchError for a folder with fewer than two sets."""
    sets = read_sets(path)
    if len(sets) < 2:
        raise BenchError(f"{path} holds {len(sets)} folders of recordings; leaving one out needs two.")
    return sets


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    """2.csv before 10.csv."""
    return tuple(
        (int(part), "") if part.isdigit() else (-1, part) for part in (*path.parent.parts, path.stem)
    )


def read_marks(path: Path) -> dict[str, list[tuple[int, int]]]:
    """``file,start,end`` rows: the first and last time (ms) of each event, by file."""
    marks: dict[str, list[tuple[int, int]]] = {}
    for number, row in _rows(path):
        try:
            name, start, end = row
            marks.setdefault(name, []).append((read_time(start), read_time(end)))
        except ValueError as error:
            if number > 1:
                raise BenchError(f"{path}:{number}: {error}; expected file,start,end") from None
    return marks


def read_file(path: Path, root: Path, marks: list[tuple[int, int]] | None) -> Recording:
    """One file; ``marks`` are its events, None = they stand in a label column."""
    rows = _rows(path)
    try:
        _, header = next(rows)
    except StopIteration:
        raise BenchError(f"{path} is empty.") from None
    sensors = [i for i, name in enumerate(header) if i and name.strip().lower() not in IGNORED]
    label = next((i for i, name in enumerate(header) if name.strip().lower() in LABELS), None)
    times: list[int] = []
    values: list[list[float]] = []
    odd: list[bool] = []
    for number, row in rows:
        try:
            times.append(read_time(row[0]))
            values.append([_number(row[i]) for i in sensors])
            odd.append(label is not None and float(row[label] or 0) != 0)
        except (ValueError, IndexError) as error:
            raise BenchError(f"{path}:{number}: {error}; expected {';'.join(header)}") from None
    if not times or not sensors:
        raise BenchError(f"{path} holds no readings. Expected a time column, then sensors.")
    time = np.array(times, dtype=np.int64)
    events = runs(np.array(odd)) if marks is None else _between(time, marks)
    x: Floats = np.array(values)
    name = str(path.relative_to(root)) if path != root else path.name
    return Recording(name, time, tuple(header[i].strip() for i in sensors), x, events)


def _number(cell: str) -> float:
    """A cell's value; one that is no number is missing, as for `yeji run`.

    >>> _number("1.5"), _number("#VALUE!"), _number("")
    (1.5, nan, nan)
    """
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _between(time: Ints, marks: list[tuple[int, int]]) -> Ints:
    """Marks as places of readings; a mark that holds no reading is none."""
    found = [
        (int(np.searchsorted(time, start)), int(np.searchsorted(time, end, side="right")))
        for start, end in sorted(marks)
    ]
    return np.array([pair for pair in found if pair[0] < pair[1]], dtype=np.int64).reshape(-1, 2)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the lines that hold something."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        for number, row in enumerate(csv.reader(file, delimiter=";" if ";" in first else ","), start=1):
            if row:
                yield number, row


def read_time(text: str) -> int:
    """ms since 1970 UTC of an ISO 8601 time (UTC where it names no zone), or of a number of seconds.

    >>> read_time("1970-01-01 00:00:02"), read_time("2.5")
    (2000, 2500)
    """
    try:
        return round(float(text) * 1000)
    except ValueError:
        at = datetime.fromisoformat(text.strip())
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
