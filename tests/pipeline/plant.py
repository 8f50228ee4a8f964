"""A few machines with load, correlation, noise, a fault, and sensors that appear and vanish: for tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from pipeline.pipeline import Item, Pipeline
from pipeline.records import Frame, Message, Results
from pipeline.settings import AlarmSettings, ClassSettings, IntakeSettings, LearningSettings
from pipeline.wire.readings import encode_frame
from streams.settings import Settings

START = 1_700_000_000_000
SENSORS = ("current", "pressure", "temperature", "vibration")


def settings(**fields: object) -> Settings:
    """Short warm-up and delays, so that few readings show everything; and no wait for stragglers."""
    fast = ClassSettings(
        learning=LearningSettings(warmup=64, block=8),
        alarm=AlarmSettings(threshold=0.99, clear=0.9, on_delay=3, off_delay=10, min_readings=3),
        **fields,
    )
    return Settings(classes={"default": fast}, intake=IntakeSettings(wait=0))


def recording(
    machine: str, n: int, seed: int, *, fault: tuple[int, int] | None = None, late_sensor: int | None = None
) -> Frame:
    """``n`` readings a second apart; a fault in [start, stop); a fifth sensor from ``late_sensor`` on."""
    rng = np.random.default_rng(seed)
    load = 1 + 0.3 * np.sin(np.arange(n) / 6) + rng.normal(0, 0.02, n)
    x = np.column_stack(
        [
            10 * load + rng.normal(0, 0.1, n),
            5 * load + rng.normal(0, 0.05, n),
            60 + 8 * load + rng.normal(0, 0.2, n),
            1.2 * load + rng.normal(0, 0.03, n),
        ]
    )
    if fault is not None:
        x[fault[0] : fault[1], 3] += 3.0
        x[fault[0] : fault[1], 2] += 15.0
    x[rng.random(x.shape) < 0.01] = np.nan
    names = SENSORS
    if late_sensor is not None:
        more = rng.normal(100, 1, n)
        more[:late_sensor] = np.nan
        x, names = np.column_stack([x, more]), (*SENSORS, "oil")
    return Frame(machine, START + 1000 * np.arange(n), names, np.ascontiguousarray(x))


def pieces(frame: Frame, cuts: Iterable[int]) -> list[Frame]:
    """The frame cut before each reading in ``cuts``."""
    edges = [0, *sorted({c for c in cuts if 0 < c < len(frame)}), len(frame)]
    return [
        Frame(frame.machine, frame.time[a:b], frame.sensors, frame.values[a:b]) for a, b in pairwise(edges)
    ]


def messages(frames: Iterable[Frame], first_offset: int = 0) -> list[Message]:
    """Frames as Kafka would deliver them from one partition."""
    return [
        Message(
            encode_frame(f), int(f.time[-1]) + 50, f.machine.encode(), "telemetry.frames", 0, first_offset + i
        )
        for i, f in enumerate(frames)
    ]


def facts(results: Iterable[Results]) -> dict[str, object]:
    """Everything that was found, in a form that compares bit for bit and forgets how it was batched."""
    readings: dict[tuple[str, int], tuple[object, ...]] = {}
    for one in (s for r in results for s in r.scored):
        for i, time in enumerate(one.time.tolist()):
            values = {
                name: (one.values[i, j].tobytes(), one.contributions[i, j].tobytes())
                for j, name in enumerate(one.sensors)
                if np.isfinite(one.values[i, j])
            }
            assert (one.machine, time) not in readings, "a reading was scored twice"
            readings[one.machine, time] = (
                one.score[i].tobytes(),
                one.health[i].tobytes(),
                int(one.state[i]),
                values,
            )
    alarms = sorted((a for r in results for a in r.alarms), key=lambda a: (a.time, a.machine, a.id, a.phase))
    prognoses = sorted((p for r in results for p in r.prognoses), key=lambda p: (p.machine, p.time))
    return {
        "readings": readings,
        "alarms": [repr(a) for a in alarms],
        "prognoses": [repr(p) for p in prognoses],
    }


def through(pipeline: Pipeline, items: Iterable[Item]) -> Results:
    """Everything that comes of ``items``, also of those that still wait at their end."""
    results = pipeline.process(list(items))
    results.extend(pipeline.finish())
    return results


def run(pipeline: Pipeline, batches: Iterable[list[Item]]) -> list[Results]:
    """Process each batch; then let go on what waits, as the end of a file does."""
    return [*[pipeline.process(batch) for batch in batches], pipeline.finish()]
