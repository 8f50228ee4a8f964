"""What a machine does as it starts again is marked, and nothing else."""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch
from detectors.decision.restart import FleetRestart
from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from tests.pipeline.plant import START, recording, settings

MACHINE = "a/b/c/d/press-1"


def learned_after(gap_ms: int, pause: float) -> int:
    """How many readings a machine's detector has learned in all, with a gap before its last 100."""
    chosen = settings()
    chosen.classes["default"].learning.restart = pause
    frame = recording(MACHINE, 400, 1)
    time = frame.time + np.where(np.arange(400) >= 300, gap_ms, 0)
    pipeline = Pipeline(chosen)
    monitor_learned: list[int] = []
    pipeline.process([Frame(MACHINE, time[:100], frame.sensors, frame.values[:100])])
    monitor = pipeline.machine(MACHINE).monitor
    learn = monitor._learn

    def counted(batch: Batch) -> None:
        monitor_learned.append(int((batch.time >= START + 300_000).sum()))
        learn(batch)

    monitor._learn = counted
    pipeline.process([Frame(MACHINE, time[100:], frame.sensors, frame.values[100:])])
    return sum(monitor_learned)


def test_nothing_is_learned_for_the_pause_after_a_gap():
    without_gap = learned_after(0, 60.0)
    without_pause = learned_after(3_600_000, 0.0)
    paused = learned_after(3_600_000, 60.0)
    assert paused <= without_pause - 48
    assert paused > 0
    assert without_gap >= without_pause


def test_no_gap_marks_nothing():
    stage = FleetRestart(1000)
    stage.resize(1)
    stage.reset(0, 0)
    batch = Batch(np.array([0]), np.array([3]), np.arange(3), np.zeros((3, 1)))
    assert stage.after(batch, []) is None
