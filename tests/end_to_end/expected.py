"""What the pipeline makes of a recording without a transport, in the form of what a stage's workers wrote."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent
from streams.settings import Settings

from .recording import CLASSES, Sent
from .stage import Stage

Points = dict[tuple[str, int, str], str]


@dataclass
class Expected:
    """Points as (machine, ms, field) to text, alarm events, (reason, original bytes) of rejected input."""

    reading: Points = field(default_factory=dict)
    contribution: Points = field(default_factory=dict)
    alerts: list[AlarmEvent] = field(default_factory=list)
    rejections: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    def check(self, stage: Stage, *, once: bool) -> None:
        """Compare with what the stage's workers wrote; ``once``: no event may be published twice."""
        for name in ("reading", "contribution"):
            _same(stage.points(name), getattr(self, name), name)
        alerts = stage.alerts()
        # One alarm's events keep their order; between alarms of several partitions there is none.
        assert {a.id: a for a in alerts} == {a.id: a for a in self.alerts}
        assert set(alerts) == set(self.alerts)
        messages = stage.messages(stage.settings.kafka.rejected)
        originals = {(key or b"").decode(): value for key, value, _ in messages}
        rejected = [
            (key, headers["reason"], originals[headers["original"]] if "original" in headers else value)
            for key, value, headers in messages
        ]
        if once:
            assert len(alerts) == len(self.alerts)
            assert len(rejected) == self.rejections.total()
        assert Counter((reason, value) for _, reason, value in set(rejected)) == self.rejections


def _same(found: Points, wanted: Points, name: str) -> None:
    missing, strange = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing, f"{name}: {len(missing)} of {len(wanted)} points are missing, as {min(missing)}"
    assert not strange, f"{name}: {len(strange)} points more than expected, as {min(strange)}"
    other = {key: (found[key], wanted[key]) for key in wanted if not _equal(found[key], wanted[key])}
    assert not other, f"{name}: {len(other)} of {len(wanted)} points differ, as {next(iter(other.items()))}"


def _equal(one: str, other: str) -> bool:
    return one == other or float(one) == float(other)


def expect(recording: list[Sent]) -> Expected:
    """Run the recording through one pipeline, in one go."""
    pipeline = Pipeline(Settings(classes=CLASSES))
    results = pipeline.process([sent.message() for sent in recording])
    results.extend(pipeline.finish())
    expected = Expected(alerts=results.alarms)
    for scored in (*results.scored, *results.history):
        for row, time in enumerate(scored.time.tolist()):
            for column, sensor in enumerate(scored.sensors):
                _put(expected.reading, scored.machine, time, sensor, float(scored.values[row, column]))
                if scored.state[row] >= 2:
                    share = float(scored.contributions[row, column])
                    _put(expected.contribution, scored.machine, time, sensor, share)
            _put(expected.reading, scored.machine, time, "score", float(scored.score[row]))
            _put(expected.reading, scored.machine, time, "health", float(scored.health[row]))
            expected.reading[scored.machine, time, "state"] = str(int(scored.state[row]))
    for late in results.complements:
        for row, time in enumerate(late.time.tolist()):
            for column, sensor in enumerate(late.sensors):
                _put(expected.reading, late.machine, time, sensor, float(late.values[row, column]))
    expected.rejections.update((one.reason.value, one.original) for one in results.rejections)
    return expected


def _put(points: Points, machine: str, time: int, name: str, value: float) -> None:
    if math.isfinite(value):
        points[machine, time, name] = repr(value)
