"""What verdicts do to the models: learned, forgotten, left out, once each, and kept in snapshots."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from detectors.batch import Batch
from detectors.registry import KINDS
from pipeline.learning.feedback import MOST, REMEMBERED, FleetFeedback
from pipeline.pipeline import Pipeline
from pipeline.records import Frame, State, Verdict, VerdictKind
from pipeline.settings import AlarmSettings, ClassSettings, DetectorSettings, LearningSettings
from pipeline.snapshots.snapshot import unpack
from streams.settings import Settings
from tests.pipeline.plant import SENSORS, START, facts, recording

MACHINE = "a/b/c/d/press-1"
AT = (300, 500, 700, 900, 1100)


def settings(kind="mspc"):
    return Settings(
        classes={
            "default": ClassSettings(
                learning=LearningSettings(warmup=64, block=8),
                alarm=AlarmSettings(threshold=0.99, clear=0.9, on_delay=3, off_delay=10, min_readings=3),
                detectors=[DetectorSettings(kind=kind)],
            )
        }
    )


def washing(n=1300, seed=1):
    """A machine that is washed now and then: odd for the models, and healthy."""
    frame = recording(MACHINE, n, seed)
    for start in AT:
        frame.values[start : start + 60, 3] += 3.0
        frame.values[start : start + 60, 2] += 15.0
    return frame


def parts(frame, *cuts):
    return [
        Frame(frame.machine, frame.time[a:b], frame.sensors, frame.values[a:b])
        for a, b in pairwise((0, *cuts, len(frame)))
    ]


def verdict(kind, start, end, id="v", **more):
    fields = {"at": 0, "by": "kim"} | more
    return Verdict(
        id=id,
        machine=MACHINE,
        machine_class="default",
        kind=kind,
        start=START + 1000 * start,
        end=START + 1000 * end,
        **fields,
    )


def told(kind, **more):
    """Mean score and alarmed readings of each washing; each is then judged as ``kind`` (None = not)."""
    pipeline, frame = Pipeline(settings()), washing()
    scores, alarmed = [], []
    cuts = [start + 100 for start in AT]
    for number, part in enumerate(parts(frame, *cuts)):
        results = pipeline.process([part])
        [scored] = results.scored if len(results.scored) == 1 else [results.scored[-1]]
        if number < len(AT):
            washed = (scored.time >= START + 1000 * AT[number]) & (
                scored.time < START + 1000 * (AT[number] + 60)
            )
            scores.append(float(np.nanmean(scored.score[washed])))
            alarmed.append(int((scored.state[washed] == State.ALARM).sum()))
            if kind is not None:
                given = verdict(kind, AT[number] - 5, AT[number] + 80, id=f"v{number}", **more)
                assert pipeline.feedback(given)
                assert not pipeline.feedback(given), "the same verdict again teaches nothing"
    return scores, alarmed


@pytest.mark.slow
def test_false_alarms_become_healthy_examples_and_confirmed_ones_do_not():
    unjudged, _ = told(None)
    false, false_alarmed = told(VerdictKind.FALSE_ALARM)
    fault, fault_alarmed = told(VerdictKind.FAULT)
    assert false[-1] < 0.9 < unjudged[-1]
    assert false_alarmed[-1] == 0
    assert fault[-1] >= unjudged[-1]
    assert fault_alarmed[-1] > 0


def test_a_false_alarm_makes_the_machine_less_ready_to_alarm_within_bounds_and_a_fault_gives_it_back():
    pipeline = Pipeline(settings())
    pipeline.process([recording(MACHINE, 200, 1)])
    monitor, row = pipeline.machine(MACHINE).monitor, pipeline.machine(MACHINE).row
    log = lambda: float(monitor.budget["log"][row].max())  # noqa: E731
    for k in range(100):
        pipeline.feedback(verdict(VerdictKind.FALSE_ALARM, 0, 1, id=f"f{k}"))
    assert log() == pytest.approx(np.log(6)), "no machine grows deaf"
    pipeline.feedback(verdict(VerdictKind.FAULT, 0, 1, id="x"))
    assert log() < np.log(6)
    for k in range(100):
        pipeline.feedback(verdict(VerdictKind.FAULT, 0, 1, id=f"g{k}"))
    assert log() == 0.0


def test_planned_work_to_come_is_not_learned():
    def learned(kind):
        pipeline, frame = Pipeline(settings()), recording(MACHINE, 600, 1)
        pipeline.process([parts(frame, 300)[0]])
        if kind:
            pipeline.feedback(verdict(kind, 300, 599))
        seen = 0
        monitor = pipeline.machine(MACHINE).monitor
        for detector in monitor.detectors:
            learn = detector.learn

            def counting(batch, learn=learn):
                nonlocal seen
                seen += len(batch)
                learn(batch)

            detector.learn = counting
        pipeline.process([parts(frame, 300)[1]])
        return seen

    assert learned(None) > 200
    assert learned(VerdictKind.PLANNED_WORK) == 0


def test_what_waits_to_be_learned_is_left_out_too():
    pipeline, frame = Pipeline(settings()), recording(MACHINE, 300, 1)
    pipeline.process([frame])
    learning = pipeline.machine(MACHINE).monitor.learning
    row = pipeline.machine(MACHINE).row
    learning.troubled[row] = False
    pipeline.feedback(verdict(VerdictKind.PLANNED_WORK, 0, 100, id="past"))
    assert not learning.troubled[row].any(), "what was learned long ago is not waiting"
    pipeline.feedback(verdict(VerdictKind.PLANNED_WORK, 290, 300, id="now"))
    assert learning.troubled[row].any()


def test_a_sensor_fault_teaches_the_other_sensors_only():
    feedback = FleetFeedback(4, 1)
    batch = Batch(np.array([0]), np.array([3]), START + 1000 * np.arange(3), np.ones((3, 4)))
    feedback.withhold(batch, np.ones((3, 1)), np.full(3, State.ALARM, dtype=np.uint8))
    lesson = feedback.apply(0, verdict(VerdictKind.SENSOR_FAULT, 0, 1, sensor="temperature"), SENSORS)
    assert len(lesson.batch) == 2
    assert np.isnan(lesson.batch.x[:, 2]).all()
    assert np.isfinite(lesson.batch.x[:, [0, 1, 3]]).all()
    assert (lesson.raw, lesson.sensitivity) == (None, 0)
    unknown = feedback.apply(0, verdict(VerdictKind.SENSOR_FAULT, 2, 3, id="w", sensor="oil"), SENSORS)
    assert unknown.batch is None


def test_however_long_an_alarm_lasts_what_is_withheld_is_bounded_and_spread_over_it():
    feedback = FleetFeedback(1, 1)
    n = 10_000
    time, ones = np.arange(n), np.ones((n, 1))
    state = np.full(n, State.ALARM, dtype=np.uint8)
    for cut in np.array_split(np.arange(n), 7):
        batch = Batch(np.array([0]), np.array([len(cut)]), time[cut], ones[cut])
        feedback.withhold(batch, ones[cut], state[cut])
    split = feedback.dump(0)
    whole = FleetFeedback(1, 1)
    whole.withhold(Batch(np.array([0]), np.array([n]), time, ones), ones, state)
    assert all(np.array_equal(split[name], value) for name, value in whole.dump(0).items())
    kept = split["time"]
    assert MOST / 2 <= len(kept) < MOST
    assert kept[0] == 0
    assert kept[-1] > 0.98 * n
    assert len(np.unique(np.diff(kept))) == 1


def test_feedback_survives_a_snapshot_and_is_not_taken_again():
    frame = washing()
    first, second = parts(frame, 340)
    one = Pipeline(settings())
    one.process([first])
    one.feedback(verdict(VerdictKind.PLANNED_WORK, 600, 650, id="work"))
    data = one.dump(MACHINE)
    two = Pipeline(settings())
    two.restore(data)
    given = verdict(VerdictKind.FALSE_ALARM, 295, 340, id="false")
    for pipeline in (one, two):
        assert pipeline.feedback(given)
        assert MACHINE in pipeline.changed()
    again = Pipeline(settings())
    again.restore(two.dump(MACHINE))
    assert not again.feedback(given), "after recovery the same verdict may come again"
    expected = facts([one.process([second])])
    assert facts([two.process([second])]) == expected
    assert facts([again.process([second])]) == expected


def test_verdicts_on_machines_that_are_not_here_teach_nothing():
    pipeline = Pipeline(settings())
    given = verdict(VerdictKind.FALSE_ALARM, 0, 1)
    assert not pipeline.feedback(given)
    pipeline.process([recording(MACHINE, 10, 1)])
    assert not pipeline.feedback(replace(given, machine="x/y/z/u/v"))


def test_a_verdict_on_a_machine_that_warms_up_is_kept_for_its_first_model():
    def learned(work, restart=False):
        pipeline, frame = Pipeline(settings()), recording(MACHINE, 300, 1)
        first, rest = parts(frame, 10)
        pipeline.process([first])
        if work is not None:
            assert pipeline.feedback(work)
            assert not pipeline.feedback(work), "the same verdict again is kept once"
            assert pipeline.changed() == [MACHINE]
        if restart:
            snapshot = pipeline.dump(MACHINE)
            pipeline = Pipeline(settings())
            pipeline.restore(snapshot)
            assert not pipeline.feedback(work)
        pipeline.process([rest])
        if work is not None:
            assert not pipeline.feedback(work), "its model has taken it"
        assert unpack(pipeline.dump(MACHINE)).verdicts == ()
        return pipeline.dump(MACHINE)

    work = verdict(VerdictKind.PLANNED_WORK, 100, 299)
    without, kept = unpack(learned(None)), learned(work)
    assert kept == learned(work, restart=True)
    assert len(unpack(kept).stages["feedback"]["spans"]) == 1
    seen = "calibrator0"
    assert any(
        not np.array_equal(without.stages[seen][name], array, equal_nan=True)
        for name, array in unpack(kept).stages[seen].items()
    ), "readings of planned work are not learned"


def test_only_the_latest_verdicts_are_remembered():
    feedback = FleetFeedback(1, 1)
    for k in range(3 * REMEMBERED):
        assert feedback.apply(0, verdict(VerdictKind.FAULT, 0, 1, id=str(k)), ("a",)) is not None
    assert len(feedback.dump(0)["taken"]) == REMEMBERED
    assert feedback.apply(0, verdict(VerdictKind.FAULT, 0, 1, id=str(3 * REMEMBERED - 1)), ("a",)) is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"records"}))  # it follows whatever it scores
def test_every_detector_can_be_taught(kind):
    pipeline, frame = Pipeline(settings(kind)), recording(MACHINE, 500, 1)
    pipeline.process([parts(frame, 300)[0]])
    machine = pipeline.machine(MACHINE)
    x = washing().values[300:420]
    batch = Batch(np.array([machine.row]), np.array([len(x)]), START + 1000 * np.arange(150, 270), x)
    alarm = np.full(len(x), State.ALARM, dtype=np.uint8)
    machine.monitor.feedback.withhold(batch, np.full((len(x), 1), 5.0), alarm)
    before = machine.monitor.detectors[0].dump(machine.row)
    assert pipeline.feedback(verdict(VerdictKind.FALSE_ALARM, 150, 270))
    after = machine.monitor.detectors[0].dump(machine.row)
    assert any(not np.array_equal(before[name], after[name], equal_nan=True) for name in before), "it learned"
    results = pipeline.process([parts(frame, 300)[1]])
    assert np.isfinite(results.scored[-1].score).all()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "more"), [(VerdictKind.FALSE_ALARM, 1), (VerdictKind.FAULT, 0)])
def test_a_false_alarm_says_that_a_new_regime_is_healthy(kind, more):
    pipeline, frame = Pipeline(settings("regimes")), washing(n=360)
    frame.values[300:] *= 3.0  # a regime that was never seen
    frame = Frame(MACHINE, frame.time + np.where(np.arange(360) >= 300, 86_400_000, 0), SENSORS, frame.values)
    before, after = parts(frame, 300)
    pipeline.process([before])
    found = pipeline.process([after])
    assert any((s.state == State.ALARM).any() for s in found.scored)
    span = (int(after.time[0]) - START) // 1000, (int(after.time[-1]) - START) // 1000
    machine = pipeline.machine(MACHINE)
    (detector,) = machine.monitor.detectors
    known = int(detector._own["known"][machine.row])
    assert pipeline.feedback(verdict(kind, *span))
    assert int(detector._own["known"][machine.row]) == known + more
