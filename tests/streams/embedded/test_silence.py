"""Machines that fall silent: only a clock can tell, once readings are live, and each is told once."""

from __future__ import annotations

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame
from streams.embedded.silence import SilenceWatch
from tests.pipeline.plant import START, pieces, recording, settings

A, B = "a/b/c/d/press-1", "a/b/c/d/press-2"
LAST = START + 299_000


def watched() -> tuple[Pipeline, list[Frame]]:
    """A pipeline that has seen 300 s of two machines, and the rest of the first one's readings."""
    first, second = recording(A, 600, 1), recording(B, 300, 2)
    seen, rest = pieces(first, [300])
    pipeline = Pipeline(settings())
    pipeline.process([seen, second])
    return pipeline, [rest]


def test_a_silent_machine_is_told_once_and_cleared_when_it_speaks_again():
    pipeline, rest = watched()
    watch = SilenceWatch(pipeline)
    assert not watch.check(LAST + 5_000).alarms
    told = watch.check(LAST + 90_000).alarms
    assert {one.machine for one in told} == {A, B}
    assert all(one.kind is AlarmKind.QUALITY and one.sensor is None for one in told)
    assert all(one.onset == LAST and "no reading for 90 s" in one.detail for one in told)
    assert not watch.check(LAST + 120_000).alarms
    assert {A, B} <= set(pipeline.changed()), "a snapshot has to know what is told"
    results = pipeline.process(rest)
    (cleared,) = [one for one in results.alarms if one.id in {t.id for t in told}]
    assert (cleared.machine, cleared.phase) == (A, AlarmPhase.CLEARED)
    assert cleared.time == int(rest[0].time[0])


def test_a_restored_machine_is_not_told_again():
    pipeline, _ = watched()
    assert pipeline.silent(LAST + 90_000).alarms
    other = Pipeline(settings())
    other.restore(pipeline.dump(A))
    assert not other.silent(LAST + 95_000).alarms


def test_a_replay_of_the_past_is_never_live():
    pipeline, _ = watched()
    assert not SilenceWatch(pipeline).check(LAST + 400 * 86_400_000).alarms


def test_a_machine_in_its_warm_up_has_no_pace_yet():
    pipeline = Pipeline(settings())
    pipeline.process([recording(A, 30, 1)])
    assert not pipeline.silent(LAST + 10**9).alarms
