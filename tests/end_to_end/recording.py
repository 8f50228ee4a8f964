"""A recording of a small plant with all that happens to one: faults, late and bad input, new sensors."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from pipeline.records import Frame, Message
from pipeline.settings import AlarmSettings, ClassSettings, LearningSettings
from pipeline.wire.readings import encode_frame

START = 1_790_000_000_000
STEP = 1000
MACHINES = tuple(f"gwangju/ggm/body/line-{n % 2}/press-{n:02d}" for n in range(6))
SENSORS = ("current", "pressure", "temperature", "vibration")

#: Short warm-ups and delays, so that a recording of minutes goes through every state.
CLASSES = {
    "press": ClassSettings(
        match=["*/press-*"],
        learning=LearningSettings(warmup=200),
        alarm=AlarmSettings(threshold=0.995, clear=0.95, on_delay=3.0, off_delay=20.0, min_readings=3),
    )
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it is produced; ``received`` (ms) is its time stamp in Kafka."""

    key: bytes
    value: bytes
    received: int

    def message(self) -> Message:
        """The same message for an embedded pipeline."""
        return Message(self.value, self.received, self.key)


def readings(machine: int, count: int, seed: int = 7) -> np.ndarray:
    """``count`` readings (count, 4): a load cycle with noise, and what goes wrong with each machine."""
    rng = np.random.default_rng([seed, machine])
    t = np.arange(count)
    load = 1 + 0.3 * np.sin(2 * np.pi * t / 60 + machine)
    x = np.stack([10 * load, 5 * load**2, 40 + 3 * load, 1 + 0.5 * load], axis=1)
    x += rng.normal(0, 0.05, x.shape) * x.mean(axis=0)
    late = slice(int(count * 0.6), int(count * 0.75))
    if machine == 0:
        x[late, 3] *= 3.0  # a bearing
    elif machine == 1:
        x[late, 2] += np.linspace(0, 30, late.stop - late.start)  # overheating
    elif machine == 2:
        x[late, 1] = x[late.start, 1]  # a stuck sensor
    elif machine == 3:
        x[late, 0] = np.nan  # a dropped one
    return x.round(4)


def record(frames: int = 24, size: int = 50) -> list[Sent]:
    """All messages in the order of sending."""
    sent: list[Sent] = []
    values = [readings(m, frames * size) for m in range(len(MACHINES))]
    for f in range(frames):
        span = slice(f * size, (f + 1) * size)
        time = START + np.arange(span.start, span.stop) * STEP
        received = int(time[-1]) + 50
        for m, name in enumerate(MACHINES):
            sensors, x = SENSORS, values[m][span]
            if m == 4 and f >= frames // 3:  # a sensor appears
                sensors, x = (*SENSORS, "oil"), np.column_stack([x, 20 + 0.1 * x[:, 0]])
            if m == 5 and f >= frames // 2:  # and one vanishes
                sensors, x = SENSORS[:3], x[:, :3]
            frame = Frame(name, time, sensors, x)
            sent.append(Sent(name.encode(), encode_frame(frame), received))
            if m == 1 and f % 5 == 4:  # sent twice
                sent.append(sent[-1])
            if m == 2 and f % 7 == 6:  # and late
                old = Frame(name, time - 40_500, sensors, x)
                sent.append(Sent(name.encode(), encode_frame(old), received))
        sent += [Sent(key, value, received) for key, value in bad_input(f, int(time[-1]))]
    return sent


def bad_input(step: int, now: int) -> list[tuple[bytes, bytes]]:
    """A few messages of each kind that is not taken, or not wholly."""
    name = MACHINES[step % len(MACHINES)]
    key = name.encode()

    def single(**changes: object) -> bytes:
        whole = {"machine": name, "time": now + 400, "sensors": {"current": 10.5, "pressure": 5.1}}
        return json.dumps({k: v for k, v in (whole | changes).items() if v is not None}).encode()

    kinds: list[tuple[bytes, bytes]] = [
        (b"junk", b"not json"),
        (key, b""),
        (key, b"[1, 2]"),
        (key, single(machine=None)),
        (b"x", single(machine="x")),
        (b"other/key/for/this/one", single()),
        (key, single(time=None)),
        (key, single(time="yesterday")),
        (key, single(time=now + 86_400_000)),
        (key, single(sensors={})),
        (key, single(sensors={"current": "10.5", "pressure": 5.0})),
        (key, single(time=now + 410, sensors={"current": 10.0})),
        (
            key,
            json.dumps({"machine": name, "time": [now + 420, now + 430], "sensors": {"a": [1.0]}}).encode(),
        ),
        (key, single(time=now + 440).replace(b"10.5", b"NaN")),
        (key, single(time=now + 450).replace(b"10.5", b"1e999")),
    ]
    return kinds[step % 3 :: 3]
