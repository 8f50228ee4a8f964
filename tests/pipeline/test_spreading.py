"""What one site learned, packed, and machines of another that begin with it."""

import numpy as np
import pytest

from detectors.registry import KINDS, shares
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame
from pipeline.settings import ClassSettings, DetectorSettings, LearningSettings, PipelineSettings
from pipeline.spreading.examples import Example
from pipeline.spreading.prior import PriorError, pack, short, unpack
from pipeline.spreading.spreading import export
from tests.pipeline.plant import START, facts, pieces, recording, run
from tests.pipeline.test_feedback import settings

LEAD = [f"gwangju/ggm/body/line-1/press-{k}" for k in range(3)]
NEW = "ulsan/plant/body/line-1/press-9"
#: Kinds that say so themselves.
SHARED = [kind for kind in sorted(KINDS) if shares(kind)]
EXAMPLES = (Example({"share vibration": 1.0}, "bearing-wear", "v1"),)


def lead_site(kind="mspc", n=700):
    pipeline = Pipeline(settings(kind))
    pipeline.process([recording(name, n, seed) for seed, name in enumerate(LEAD)])
    return pipeline


@pytest.fixture(scope="module")
def prior():
    return export(lead_site(), "default", made=5, examples=EXAMPLES, least=500)


def test_a_package_comes_back_as_it_was(prior):
    again = unpack(pack(prior))
    assert (again.machine_class, again.sensors, again.detectors) == ("default", prior.sensors, ("mspc",))
    assert (again.machines, again.made, again.examples) == (3, 5, EXAMPLES)
    for one, other in zip(prior.references, again.references, strict=True):
        for name, array in one[0].items():
            assert np.array_equal(array, other[0][name], equal_nan=True)
    assert np.array_equal(prior.calibration[0], again.calibration[0])


def test_packages_that_cannot_be_used(prior):
    data = pack(prior)
    for damaged in (data[:-1], data[:60] + b"x" + data[61:]):
        with pytest.raises(PriorError, match="checksum does not fit"):
            unpack(damaged)
    with pytest.raises(PriorError, match="no package"):
        unpack(b"PK\x03\x04")
    with pytest.raises(PriorError, match="version 9"):
        unpack(data[:4] + b"\x09\x00" + data[6:])


def test_no_time_and_no_reading_is_in_a_package(prior):
    """Each lead machine's readings are distinct numbers: none of them stands in the package."""
    numbers = np.concatenate(
        [
            array.ravel()
            for reference in prior.references
            for array in reference[0].values()
            if array.dtype == np.float64
        ]
    )
    for seed, name in enumerate(LEAD):
        frame = recording(name, 700, seed)
        assert not np.isin(frame.values[np.isfinite(frame.values)], numbers).any()
        assert not np.isin(frame.time.astype(float), numbers).any()


def test_a_machine_begins_with_what_fits_it_and_sees_its_first_fault(prior):
    warmup = 320
    slow = settings()
    slow.classes["default"].learning = LearningSettings(warmup=warmup, block=8)
    frame = recording(NEW, 300, 9, fault=(150, 210))
    alone, helped = Pipeline(slow), Pipeline(slow)
    helped.adopt(prior)
    first = {}
    for name, pipeline in (("alone", alone), ("helped", helped)):
        results = pipeline.process([frame])
        scores = np.concatenate([scored.score for scored in results.scored])
        first[name] = int(np.argmax(np.isfinite(scores))) if np.isfinite(scores).any() else None
        raised = [a for a in results.alarms if a.kind is AlarmKind.CONDITION and a.phase is AlarmPhase.RAISED]
        assert bool(raised) == (name == "helped")
    assert first == {"alone": None, "helped": short(warmup)}


def test_a_machine_that_is_unlike_all_of_them_warms_up_in_full(prior):
    pipeline = Pipeline(settings())
    pipeline.adopt(prior)
    frame = recording(NEW, 200, 9)
    strange = Frame(NEW, frame.time, frame.sensors, frame.values * 40 - 1000)
    pipeline.process([strange])
    machine = pipeline.machine(NEW)
    assert machine.cold
    assert machine.monitor is not None
    alone = Pipeline(settings())
    assert facts([alone.process([strange])]) == facts([_with(prior).process([strange])]), "as without it"


def _with(prior):
    pipeline = Pipeline(settings())
    pipeline.adopt(prior)
    return pipeline


@pytest.mark.parametrize("step", [1, 7, 50])
def test_how_readings_are_cut_changes_nothing(prior, step):
    frame = recording(NEW, 200, 9)
    whole = facts(run(_with(prior), [[frame]]))
    assert facts(run(_with(prior), [[one] for one in pieces(frame, range(step, 200, step))])) == whole


def test_a_snapshot_in_the_short_warm_up_goes_on_the_same(prior):
    frame = recording(NEW, 200, 9)
    one = _with(prior)
    first, second = pieces(frame, [11])
    one.process([first])
    two = _with(prior)
    two.restore(one.dump(NEW))
    assert facts([one.process([second])]) == facts([two.process([second])])


def test_other_sensors_or_other_detectors_get_nothing(prior):
    pipeline = _with(prior)
    frame = recording(NEW, 200, 9)
    pipeline.process([Frame(NEW, frame.time, frame.sensors[:3], np.ascontiguousarray(frame.values[:, :3]))])
    assert pipeline.machine(NEW).cold
    other = Pipeline(settings("loda"))
    other.adopt(prior)
    other.process([recording(NEW, 200, 9)])
    assert other.machine(NEW).cold
    wider = settings()
    wider.classes["default"] = ClassSettings(
        learning=LearningSettings(warmup=64, block=8),
        detectors=[DetectorSettings(kind="mspc", params={"memories": [16.0]})],
    )
    changed = Pipeline(wider)
    changed.adopt(prior)
    changed.process([recording(NEW, 200, 9)])
    assert changed.machine(NEW).cold


def test_the_detector_that_machines_have_by_default_is_sent_without_readings():
    lead = Pipeline(PipelineSettings())
    frames = [recording(name, 3000, seed) for seed, name in enumerate(LEAD)]
    lead.process(frames)
    prior = unpack(pack(export(lead, "default", made=0)))
    assert "baseline" in prior.detectors
    sent = np.concatenate([a.ravel() for r in prior.references for s in r for a in s.values()])
    for frame in frames:
        assert not np.isin(frame.values, sent[sent != 0.0]).any()
        assert not np.isin(frame.time, sent).any()
    new = Pipeline(PipelineSettings())
    new.adopt(prior)
    first = new.process([recording(NEW, 90, 9)])
    assert np.isfinite(first.scored[-1].score).any(), "a full warm-up is 100 readings"
    tail = recording(NEW, 1500, 9)
    own = new.process([Frame(NEW, tail.time[90:], tail.sensors, tail.values[90:])])
    monitor = new.machine(NEW).monitor
    number = prior.detectors.index("baseline")
    state = monitor.detectors[number].dump(new.machine(NEW).row)
    assert not np.array_equal(state["models_f"], prior.references[0][number]["models_f"])
    assert not [e for e in first.alarms + own.alarms if e.kind is AlarmKind.ANOMALY]


@pytest.mark.parametrize("kind", SHARED)
def test_every_kind_of_detector_can_be_sent(kind):
    prior = unpack(pack(export(lead_site(kind, 400), "default", made=0, least=200)))
    pipeline = Pipeline(settings(kind))
    pipeline.adopt(prior)
    scored = pipeline.process([recording(NEW, 150, 9)]).scored[-1]
    assert np.isfinite(scored.score).any()


def test_a_kind_that_may_hold_readings_begins_afresh_beside_one_that_is_sent():
    both = settings()
    both.classes["default"].detectors = [
        DetectorSettings(kind="mspc"),
        DetectorSettings(kind="robust-univariate"),
    ]
    lead = Pipeline(both)
    lead.process([recording(name, 400, seed) for seed, name in enumerate(LEAD)])
    prior = unpack(pack(export(lead, "default", made=0, least=200)))
    assert all(reference[0] and not reference[1] for reference in prior.references)
    pipeline = Pipeline(both)
    pipeline.adopt(prior)
    scored = pipeline.process([recording(NEW, 150, 9)]).scored[-1]
    assert np.isfinite(scored.score).any()
    assert not pipeline.machine(NEW).cold


def test_what_cannot_be_exported():
    with pytest.raises(PriorError, match="let it run longer"):
        export(lead_site(n=100), "default", made=0)
    with pytest.raises(PriorError, match="may hold readings"):
        export(lead_site("robust-univariate"), "default", made=0, least=10)


def test_a_prior_is_for_new_machines_only(prior):
    pipeline = Pipeline(settings())
    pipeline.process([recording(NEW, 70, 9)])
    before = pipeline.machine(NEW).monitor.detectors[0].dump(pipeline.machine(NEW).row)
    pipeline.adopt(prior)
    pipeline.process([Frame(NEW, np.array([START + 10**9]), ("current",), np.array([[10.0]]))])
    after = pipeline.machine(NEW).monitor.detectors[0].dump(pipeline.machine(NEW).row)
    assert np.array_equal(before["_level"], after["_level"])
