"""NAB, the Numenta Anomaly Benchmark: streams of one value each, with windows around what went wrong.

Expects the benchmark's own layout: ``data/<group>/<file>.csv`` and ``labels/combined_windows.json`` (or the
same as ``.csv``: file, window_start, window_end). ``path`` may be that folder, or a group or a file in it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.settings import AlarmSettings, ClassSettings, DetectorSettings, LearningSettings
from streams.evaluation.compare import compare
from streams.evaluation.nab_score import PROFILES, nab_score, probation
from streams.evaluation.reader import read_file, read_time
from streams.evaluation.recording import Outcome, Recording
from streams.evaluation.report import BenchError, Cell, Report, Watch

COLUMNS = tuple(f"{name}" for name in PROFILES)


def run(path: Path, watch: Watch) -> Report:
    """Every labelled file under ``path``; the detections are the alerts that are raised."""
    recordings = read_nab(path)
    report = compare(f"NAB {path}", recordings, preset, watch, official, COLUMNS)
    report.notes.append("NAB's own score: 0 = never speaks, 100 = perfect; one threshold for all files.")
    return report


def preset(recording: Recording) -> ClassSettings:
    """One value every few minutes: alerts on the first odd reading, again after 20 usual ones.

    Learns the first 15 % of a file (at most 750 rows), which are free in NAB for every detector.
    """
    usual = float(np.median(np.diff(recording.time))) / 1000 if len(recording) > 1 else 1.0
    return ClassSettings(
        detectors=[DetectorSettings(kind="records")],
        learning=LearningSettings(warmup=max(20, probation(len(recording)))),
        alarm=AlarmSettings(
            threshold=0.999, clear=0.99, on_delay=0, off_delay=20 * usual, min_readings=1, budget=3
        ),
    )


def official(outcomes: Sequence[Outcome]) -> tuple[Cell, ...]:
    """The normalised score under each profile."""
    return tuple(nab_score(outcomes, profile) for profile in PROFILES.values())


def read_nab(path: Path) -> list[Recording]:
    """The labelled files at or under ``path``. Raises BenchError without labels, or without a file."""
    root = next((up for up in (path, *path.resolve().parents) if (up / "labels").is_dir()), None)
    if root is None:
        raise BenchError(f"{path}: no folder `labels` here or above. Name NAB's own folder, or one in it.")
    marks, complete = _windows(root / "labels")
    everything = [path] if path.is_file() else sorted(path.rglob("*.csv"))
    files = [file for file in everything if file.parent.name != "labels"]
    found = []
    for file in files:
        key = "/".join(file.resolve().parts[-2:])
        if key in marks or not complete:
            found.append(read_file(file, path if path.is_dir() else file.parent, marks.get(key, [])))
    if not found:
        raise BenchError(f"{path}: none of its {len(files)} CSV files is named in {root / 'labels'}.")
    return found


def _windows(folder: Path) -> tuple[dict[str, list[tuple[int, int]]], bool]:
    """First and last time of each window by `group/file.csv`, and whether files without any are named too."""
    for file in sorted(folder.glob("combined_windows*.json")):
        pairs = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: [(read_time(start), read_time(end)) for start, end in windows]
            for name, windows in pairs.items()
        }, True
    for file in sorted(folder.glob("combined_windows*.csv")):
        marks: dict[str, list[tuple[int, int]]] = {}
        with file.open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                windows = (read_time(row["window_start"]), read_time(row["window_end"]))
                marks.setdefault(row["file"], []).append(windows)
        return marks, False
    raise BenchError(f"{folder} holds no combined_windows.json or .csv.")
