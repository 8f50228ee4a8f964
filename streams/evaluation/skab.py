"""SKAB, the Skoltech Anomaly Benchmark: a water pump with faults that begin and end (one file, one event).

Official protocol of its leaderboard (Katser & Kozitsin 2020): train on the first 400 rows of each file,
judge all its rows, pool them over files; F1, false alarm rate and missed alarm rate of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.settings import AlarmSettings, ClassSettings, DetectorSettings, LearningSettings
from streams.evaluation.compare import compare
from streams.evaluation.reader import read_folder
from streams.evaluation.recording import Outcome, Recording
from streams.evaluation.report import Cell, Report, Watch

COLUMNS = ("F1", "false alarm rate, %", "missed alarm rate, %")


def run(path: Path, watch: Watch) -> Report:
    """Every file under ``path``, each with its own model of its first 400 rows."""
    recordings = read_folder(path)
    return compare(f"SKAB {path}", recordings, preset, watch, official, COLUMNS)


def preset(recording: Recording) -> ClassSettings:
    """A test bench read once a second, with slow water temperatures; the same for every file."""
    return ClassSettings(
        detectors=[DetectorSettings(kind="mspc")],
        learning=LearningSettings(warmup=400),
        alarm=AlarmSettings(threshold=0.999, clear=0.984, on_delay=2, off_delay=30, min_readings=2),
    )


def official(outcomes: Sequence[Outcome]) -> tuple[Cell, ...]:
    """F1, false alarm rate and missed alarm rate of the rows in alarm, pooled over all rows.

    As on the board, recordings without an event stay out of it.
    """
    hits = false = missed = quiet = 0
    for outcome in outcomes:
        if not len(outcome.recording.events):
            continue
        inside = outcome.recording.labels
        hits += int((outcome.alarm & inside).sum())
        false += int((outcome.alarm & ~inside).sum())
        missed += int((~outcome.alarm & inside).sum())
        quiet += int((~outcome.alarm & ~inside).sum())
    f1 = 2 * hits / (2 * hits + false + missed) if hits else 0.0
    return (
        f1,
        100 * false / (false + quiet) if false + quiet else None,
        100 * missed / (missed + hits) if missed + hits else None,
    )
