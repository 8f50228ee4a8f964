"""The worker's engine tells of machines that fell silent while others go on."""

from __future__ import annotations

import time

from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from streams.agents.engine import Engine
from tests.pipeline.plant import recording, settings

A, B = "a/b/c/d/press-1", "a/b/c/d/press-2"


def moved(frame: Frame, last: int) -> Frame:
    """The frame, ending at ``last``."""
    return Frame(frame.machine, frame.time + (last - int(frame.time[-1])), frame.sensors, frame.values)


def test_the_silent_one_of_two_is_told():
    now = round(time.time() * 1000)
    pipeline = Pipeline(settings())
    pipeline.process([moved(recording(A, 300, 1), now), moved(recording(B, 300, 2), now - 120_000)])
    engine = Engine(pipeline, "maintenance.feedback")
    assert [one.machine for one in engine.silent().alarms] == [B]
    assert not engine.silent().alarms
    engine.close()
