"""A fleet that does not fit one monitor is split, and nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline import monitor
from pipeline.pipeline import Pipeline
from pipeline.records import Frame, Results
from pipeline.settings import ClassSettings, LearningSettings
from streams.settings import Settings

START = 1_700_000_000_000


def frames(machines: int, n: int) -> list[Frame]:
    rng = np.random.default_rng(1)
    time = START + 1000 * np.arange(n)
    sensors = ("flow", "speed")
    return [Frame(f"a/b/c/d/m{i}", time, sensors, rng.normal(size=(n, 2))) for i in range(machines)]


def replay(items: list[Frame]) -> tuple[Pipeline, Results]:
    learning = LearningSettings(warmup=60)
    pipeline = Pipeline(Settings(classes={"all": ClassSettings(learning=learning)}))
    return pipeline, pipeline.process(items)


def bits(results: Results) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for one in results.scored:
        found.setdefault(one.machine, []).append(one.score.tobytes() + one.health.tobytes())
    return found


def test_a_fleet_is_split_among_monitors(monkeypatch: pytest.MonkeyPatch) -> None:
    items = frames(7, 200)
    _, together = replay(items)
    monkeypatch.setattr(monitor, "MOST_MACHINES", 3)
    pipeline, apart = replay(items)
    assert [one.room for one in next(iter(pipeline._monitors.values()))] == [0, 0, 2]
    assert bits(apart) == bits(together)
    assert pipeline.machines == 7


def test_a_place_that_was_given_back_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MOST_MACHINES", 3)
    pipeline, _ = replay(frames(4, 80))
    pipeline.forget("a/b/c/d/m1")
    pipeline.process([replace(frames(1, 80)[0], machine="a/b/c/d/new")])
    assert [one.room for one in next(iter(pipeline._monitors.values()))] == [0, 2]
