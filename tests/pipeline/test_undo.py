"""A crew's word is learned, and taken back when another crew finds that it was a fault after all."""

from __future__ import annotations

import numpy as np

from pipeline.pipeline import Pipeline
from pipeline.records import Frame, Verdict, VerdictKind
from tests.pipeline.plant import START, recording, settings

A = "a/b/c/d/press-1"
FAULT = (300, 360)


def verdict(kind: VerdictKind, id: str, start: int = FAULT[0], end: int = FAULT[1] + 40) -> Verdict:
    at = START + 1000 * end
    return Verdict(
        id=id,
        machine=A,
        machine_class="default",
        kind=kind,
        start=START + 1000 * start,
        end=at,
        at=at,
        by="crew",
    )


def watched() -> tuple[Pipeline, Frame]:
    frame, pipeline = recording(A, 900, 1, fault=FAULT), Pipeline(settings())
    pipeline.process([Frame(A, frame.time[:420], frame.sensors, frame.values[:420])])
    return pipeline, frame


def scores_of_the_fault_again(pipeline: Pipeline, frame: Frame) -> np.ndarray:
    again = frame.values[FAULT[0] : FAULT[1]]
    results = pipeline.process([Frame(A, frame.time[420:480], frame.sensors, again)])
    return np.concatenate([scored.score for scored in results.scored])


def test_a_fault_takes_back_what_a_false_alarm_taught() -> None:
    untouched, frame = watched()
    taught, _ = watched()
    undone, _ = watched()
    assert taught.feedback(verdict(VerdictKind.FALSE_ALARM, "1"))
    assert undone.feedback(verdict(VerdictKind.FALSE_ALARM, "1"))
    assert undone.feedback(verdict(VerdictKind.FAULT, "2"))
    before, after, back = (
        np.median(scores_of_the_fault_again(one, frame)) for one in (untouched, taught, undone)
    )
    assert after < before
    assert back == before


def test_a_fault_at_another_time_takes_nothing_back() -> None:
    taught, _ = watched()
    other, _ = watched()
    for one in (taught, other):
        assert one.feedback(verdict(VerdictKind.FALSE_ALARM, "1"))
    assert other.feedback(verdict(VerdictKind.FAULT, "2", start=410, end=419))
    models = [one.machine(A).monitor.dump(one.machine(A).row)["detector0"] for one in (taught, other)]
    assert all(np.array_equal(models[0][name], models[1][name], equal_nan=True) for name in models[0])


def test_it_can_be_taken_back_after_a_restart() -> None:
    one, frame = watched()
    assert one.feedback(verdict(VerdictKind.FALSE_ALARM, "1"))
    other = Pipeline(settings())
    other.restore(one.dump(A))
    for pipeline in (one, other):
        assert pipeline.feedback(verdict(VerdictKind.FAULT, "2"))
    assert np.array_equal(scores_of_the_fault_again(one, frame), scores_of_the_fault_again(other, frame))
