"""IMS bearings (Lee et al. 2007): four bearings on one shaft, run until one fails; when is it noticed?

A CSV file: a time column, then one column a bearing. Each bearing is replayed as a machine with one
sensor. There are no labels: what is known is which bearing failed, and that the test was stopped at its
end. So the figure is the row at which each method first alarms each bearing, and how often it does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.settings import AlarmSettings, ClassSettings, DetectorSettings, LearningSettings
from streams.evaluation.draw import trace_plot
from streams.evaluation.nulls import always_on, random, timer
from streams.evaluation.plain_river import river_methods
from streams.evaluation.reader import read_file
from streams.evaluation.recording import Outcome, Recording
from streams.evaluation.replay import replay
from streams.evaluation.report import Cell, Report, Table, Watch

OURS = "Yeji"
_NOTE = (
    "first: row (from 0) of the first alarm, – = never. alarms: how many. Each bearing is a machine with one "
    "sensor. On test 2 bearing 1 failed: it should be the first, and the others later or never."
)


def run(path: Path, watch: Watch) -> Report:
    """Every bearing of the file at ``path`` (or of the only CSV file in that folder)."""
    file = next(iter(sorted(path.glob("*.csv"))), path) if path.is_dir() else path
    whole = read_file(file, file.parent, [])
    bearings = [
        Recording(name, whole.time, (name,), np.ascontiguousarray(whole.values[:, [column]]), whole.events)
        for column, name in enumerate(whole.sensors)
    ]
    settings = preset()
    warmup = settings.warmup_for(1)
    methods: dict[str, Callable[[Recording], Outcome]] = {
        OURS: lambda one: replay(one, settings),
        "always on": lambda one: always_on(one, warmup),
        "periodic timer": lambda one: timer(one, warmup),
        "random": lambda one: random(one, warmup),
        **river_methods(lambda _: warmup, lambda _: settings.alarm),
    }
    report = Report(f"IMS {file.name}, {len(whole)} rows")
    rows: list[tuple[Cell, ...]] = []
    for name, method in methods.items():
        outcomes = []
        for done, one in enumerate(bearings):
            watch(name, done, len(bearings))
            outcomes.append(method(one))
        watch(name, len(bearings), len(bearings))
        rows.append((name, *_cells(outcomes)))
        if name == OURS:
            report.plots = [trace_plot(outcome) for outcome in outcomes]
    columns = [f"{one.name}, {what}" for one in bearings for what in ("first", "alarms")]
    report.tables.append(Table("First alarm of each bearing", ("method", *columns), rows))
    report.notes.append(_NOTE)
    return report


def preset() -> ClassSettings:
    """The detector for machines whose level matters, after a warm-up of two days."""
    return ClassSettings(
        detectors=[DetectorSettings(kind="mspc")],
        learning=LearningSettings(warmup=300),
        alarm=AlarmSettings(min_readings=3),
    )


def _cells(outcomes: list[Outcome]) -> list[Cell]:
    cells: list[Cell] = []
    for outcome in outcomes:
        cells += [int(outcome.raised[0]) if len(outcome.raised) else None, len(outcome.raised)]
    return cells
