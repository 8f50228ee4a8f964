"""A machine's models out of its snapshot, as River objects that go on by themselves."""

from __future__ import annotations

from typing import Any

from detectors.registry import build
from detectors.river.bridge import has_counterpart, to_river
from pipeline.settings import PipelineSettings
from pipeline.snapshots.snapshot import unpack


def river_models(snapshot: bytes, settings: PipelineSettings) -> dict[str, Any]:
    """The models in a machine's ``snapshot`` that River has too: a pipeline each, by kind of detector.

    They score and learn dicts of sensor names and values, missing ones left out. ``settings`` are those
    that the snapshot was made with. Raises SnapshotError for a damaged or newer snapshot, ValueError when
    the machine has no model yet, or the class's detectors are others now.
    """
    saved = unpack(snapshot)
    if not saved.layout:
        raise ValueError(f"{saved.machine} is still in its warm-up: it has no model yet")
    width = len(saved.layout)
    found: dict[str, Any] = {}
    for i, chosen in enumerate(settings.classes[saved.machine_class].detectors_for(width)):
        detector = build(chosen.kind, width, **chosen.params)
        if not has_counterpart(detector):
            continue
        stage = f"detector{i}"
        if stage not in saved.stages:
            raise ValueError(
                f"{saved.machine}: the snapshot has no {stage}; its class's detectors were changed"
            )
        detector.resize(1)
        detector.reset(0, seed=0)
        detector.load(0, saved.stages[stage])
        found[chosen.kind] = to_river(detector, 0, saved.layout)
    return found
