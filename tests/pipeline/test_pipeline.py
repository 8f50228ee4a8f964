"""The way of a reading: split invariance, snapshots, newcomers, sensors that come and go, bad input."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.pipeline import Item, Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame, Message, Reason, Rejection, State
from pipeline.settings import ClassSettings, IntakeSettings
from pipeline.snapshots.snapshot import SnapshotDamagedError, SnapshotError
from streams.settings import Settings
from tests.pipeline.plant import START, facts, messages, pieces, recording, run, settings

A, B, C = "a/b/c/d/press-1", "a/b/c/d/press-2", "a/b/c/d/pump-1"
N = 420


def plant() -> list[Frame]:
    return [
        recording(A, N, 1, fault=(300, 360)),
        recording(B, N, 2),
        recording(C, N, 3, late_sensor=150),
    ]


def interleaved(step: int) -> list[Frame]:
    cut = [pieces(frame, range(step, N, step)) for frame in plant()]
    return [one for row in zip(*cut, strict=True) for one in row]


@pytest.fixture(scope="module")
def whole() -> dict[str, object]:
    return facts(run(Pipeline(settings()), [list[Item](plant())]))


def test_the_fault_is_alarmed_once_and_names_its_sensors(whole):
    results = Pipeline(settings()).process(plant())
    condition = [a for a in results.alarms if a.kind is AlarmKind.CONDITION and a.machine == A]
    raised = [
        a for a in condition if a.phase is AlarmPhase.RAISED and START + 300_000 <= a.onset < START + 360_000
    ]
    assert len(raised) == 1
    assert {"temperature", "vibration"} >= {raised[0].contributions[0].sensor}
    assert [a.phase for a in condition if a.id == raised[0].id] == [AlarmPhase.RAISED, AlarmPhase.CLEARED]


def test_every_reading_is_scored_once(whole):
    assert len(whole["readings"]) == 3 * N


@pytest.mark.parametrize("step", [1, 7, 100])
def test_the_size_of_frames_changes_nothing(whole, step):
    assert facts(run(Pipeline(settings()), [list[Item](interleaved(step))])) == whole


@hypothesis_settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.lists(st.integers(1, N - 1), max_size=12), min_size=3, max_size=3),
    batch=st.integers(1, 9),
    order=st.randoms(use_true_random=False),
)
def test_neither_frames_nor_batches_nor_interleaving_change_anything(whole, cuts, batch, order):
    queues = [pieces(frame, cut) for frame, cut in zip(plant(), cuts, strict=True)]
    frames: list[Item] = []
    while any(queues):
        frames.append(order.choice([q for q in queues if q]).pop(0))
    batches = [frames[i : i + batch] for i in range(0, len(frames), batch)]
    assert facts(run(Pipeline(settings()), batches)) == whole


@hypothesis_settings(max_examples=10, deadline=None)
@given(stop=st.integers(0, 126), resume=st.integers(0, 126))
def test_snapshot_and_replay_give_what_an_unbroken_run_gives(whole, stop, resume):
    sent = messages(interleaved(10))
    first = Pipeline(settings())
    done = run(first, [sent[:stop]])
    saved = [first.dump(name) for name in first.changed()]
    assert first.changed() == []
    second = Pipeline(settings())
    for data in saved:
        second.restore(data)
    # The consumer goes back to before the snapshot: what is in it is not counted again.
    done += run(second, [sent[min(stop, resume) :]])
    assert facts(done) == whole


def test_only_changed_machines_are_dumped():
    pipeline = Pipeline(settings())
    pipeline.process(messages(plant()))
    assert pipeline.changed() == sorted([A, B, C])
    for name in pipeline.changed():
        pipeline.dump(name)
    later = START + 1000 * N
    pipeline.process(
        [Message(b'{"machine":"%b","time":%d,"sensors":{"current":9}}' % (A.encode(), later), later)]
    )
    assert pipeline.changed() == [A]


def test_a_sensor_that_appears_is_kept_at_once_and_watched_after_its_warm_up():
    frame = recording(C, N, 3, late_sensor=150)
    pipeline = Pipeline(settings())
    results = pipeline.process([frame])
    kept = [s for s in results.scored if "oil" in s.sensors]
    oil = {
        int(t): v
        for s in kept
        for t, v in zip(s.time, s.values[:, s.sensors.index("oil")], strict=True)
        if np.isfinite(v)
    }
    expected = {int(t): v for t, v in zip(frame.time, frame.values[:, 4], strict=True) if np.isfinite(v)}
    assert oil == expected
    assert pipeline.machine(C).layout == tuple(sorted(frame.sensors))
    times = {int(s.time[0]) for s in kept if s.contributions[:, s.sensors.index("oil")].any()}
    assert not times or min(times) > START + 150_000


def test_a_sensor_that_vanishes_is_missing_and_its_absence_is_told():
    frame = recording(A, N, 1)
    without = Frame(A, frame.time[200:], frame.sensors[:3], np.ascontiguousarray(frame.values[200:, :3]))
    results = Pipeline(settings()).process([pieces(frame, [200])[0], without])
    told = [a for a in results.alarms if a.kind is AlarmKind.QUALITY and a.sensor == "vibration"]
    assert told
    assert not [a for a in results.alarms if a.kind is AlarmKind.CONDITION and a.onset >= START + 200_000]


def test_learning_readings_have_no_score():
    results = Pipeline(settings()).process([recording(A, 64, 1)])
    (scored,) = results.scored
    assert (scored.state == State.LEARNING).all()
    assert np.isnan(scored.score).all()


def test_a_machine_without_any_value_stays_in_warm_up():
    nothing = Frame(A, START + 1000 * np.arange(200), ("t",), np.full((200, 1), np.nan))
    pipeline = Pipeline(settings())
    results = pipeline.process([nothing])
    assert sum(len(s) for s in results.scored) == 200
    assert all((s.state == State.LEARNING).all() for s in results.scored)


def test_rejections_of_sources_pass_through():
    one = Rejection(Reason.CSV_ROW, "line 3", b"x;y", 0)
    assert Pipeline(settings()).process([one]).rejections == [one]


def test_a_frame_without_a_message_is_rejected_with_its_own_bytes():
    frame = recording(A, 10, 1)
    pipeline = Pipeline(settings())
    pipeline.process([frame])
    (again,) = pipeline.process([frame]).rejections
    assert again.reason is Reason.DUPLICATE
    assert again.readings == 10
    assert msgspec.json.decode(again.original)["machine"] == A


def test_unknown_machines_are_rejected_where_machines_are_listed():
    listed = Settings(
        intake=IntakeSettings(machines="listed"), classes={"press": ClassSettings(match=["*/press-*"])}
    )
    pipeline = Pipeline(listed)
    results = pipeline.process(messages([recording(C, 5, 1), recording(A, 5, 1)]))
    assert [(r.reason, r.machine, r.readings) for r in results.rejections] == [(Reason.MACHINE_UNKNOWN, C, 5)]
    assert pipeline.names() == [A]


def test_too_many_sensors_over_time_are_rejected_and_the_known_ones_kept():
    few = settings()
    few.intake.max_sensors = 4
    pipeline = Pipeline(few)
    results = pipeline.process([recording(A, 10, 1)])
    assert not results.rejections
    wide = recording(A, 20, 1, late_sensor=0)
    late = Frame(A, wide.time[10:], wide.sensors, wide.values[10:])
    results = pipeline.process([late])
    assert [(r.reason, r.sensor, r.readings) for r in results.rejections] == [
        (Reason.TOO_MANY_SENSORS, "oil", 10)
    ]
    assert results.readings == 10


def test_a_snapshot_that_no_longer_fits_the_settings_keeps_the_place_and_learns_anew():
    first = Pipeline(settings())
    first.process(messages(pieces(recording(A, 200, 1), range(10, 200, 10))))
    data = first.dump(A)
    other = settings()
    other.classes["default"].learning.block = 16
    second = Pipeline(other)
    assert second.restore(data) == A
    assert second.offset_of(A) == first.offset_of(A) == 19
    assert "block" in second.relearning[A]
    follow = pieces(recording(A, 300, 1), [200])[1]
    states = np.concatenate([s.state for s in second.process([follow]).scored])
    assert (states[:64] == State.LEARNING).all()
    assert (states[64:] != State.LEARNING).all()


def test_a_damaged_snapshot_is_told_and_changes_nothing():
    pipeline = Pipeline(settings())
    pipeline.process([recording(A, 100, 1)])
    data = bytearray(pipeline.dump(A))
    data[-3] ^= 1
    other = Pipeline(settings())
    with pytest.raises(SnapshotDamagedError, match="checksum"):
        other.restore(bytes(data))
    assert other.machines == 0


def test_forgotten_machines_begin_anew():
    pipeline = Pipeline(settings())
    pipeline.process([recording(A, 100, 1)])
    pipeline.forget(A)
    pipeline.forget("a/b/c/d/never")
    assert pipeline.machines == 0
    assert pipeline.changed() == []
    assert pipeline.process([recording(A, 10, 1)]).readings == 10


def test_a_snapshot_without_model_and_warm_up_is_refused():
    from pipeline.snapshots.snapshot import Snapshot, pack

    with pytest.raises(SnapshotError, match="neither"):
        Pipeline(settings()).restore(
            pack(
                Snapshot(
                    machine=A, machine_class="default", partition=0, offset=1, last=1, recent=np.array([1])
                )
            )
        )
