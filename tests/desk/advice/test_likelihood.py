"""Which failure mode an alarm speaks for: by its symptoms, and by what crews found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator import Fault, Plant, SimulatedMachine, plant_classes
from connectors.simulator.scenario import MODELS
from desk.advice.advisor import Advisor
from desk.advice.catalogue import built_in, modes_of
from desk.advice.likelihood import Moved, joined, shares
from desk.advice.quantity import QUANTITIES
from pipeline.cause import Cause
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution
from pipeline.settings import PipelineSettings

HOUR = 3_600_000
PUMP = list(modes_of(built_in()["pump"], built_in()).values())


def advisor() -> Advisor:
    return Advisor(PipelineSettings(classes=plant_classes()), lambda _: built_in())


OVER = Cause("zone-c", value=4.8, limit=4.5)
UNDER = Cause("low-warn", value=80, limit=100)


def event(machine_class: str, *contributions: Contribution, **more: object) -> AlarmEvent:
    given = {"kind": AlarmKind.CONDITION, "sensor": None, "cause": None} | more
    return AlarmEvent(
        id="i",
        machine=f"g/g/b/l/{machine_class}-05",
        machine_class=machine_class,
        kind=given["kind"],
        phase=AlarmPhase.RAISED,
        onset=0,
        time=0,
        score=0.9999,
        threshold=0.999,
        severity=3,
        contributions=contributions,
        sensor=given["sensor"],
        cause=given["cause"],
    )


def best(found: dict[str, float]) -> str:
    return max(found, key=lambda key: found[key])


@given(
    st.lists(
        st.builds(
            Moved, st.sampled_from(sorted(QUANTITIES)), st.sampled_from(["up", "down"]), st.floats(0, 1)
        ),
        min_size=1,
        max_size=8,
    ),
    st.sets(st.sampled_from(sorted(QUANTITIES))),
)
def test_shares_are_probabilities_and_leave_room_for_none_of_these(moved, measured):
    found = shares(PUMP, moved, measured)
    assert set(found) == {one.mode for one in PUMP}
    assert all(0 <= share < 1 for share in found.values())
    assert sum(found.values()) < 1


@given(
    st.dictionaries(st.sampled_from("abc"), st.floats(0, 0.3)),
    st.dictionaries(st.sampled_from("bcd"), st.floats(0, 50)),
)
def test_what_crews_confirmed_moves_the_catalogue_and_stays_a_probability(catalogue, confirmed):
    found = joined(catalogue, confirmed)
    assert sum(found.values()) <= 1 + 1e-9
    for key, count in confirmed.items():
        more = joined(catalogue, confirmed | {key: count + 1})
        assert more[key] >= found[key]


def test_one_symptom_more_makes_its_mode_likelier():
    alone = shares(PUMP, [Moved("vibration", "up", 1.0)])
    both = shares(PUMP, [Moved("vibration", "up", 1.0), Moved("temperature.bearing", "up", 1.0)])
    assert both["bearing-wear"] > alone["bearing-wear"]


def test_a_quantity_that_stays_still_speaks_against_its_mode():
    moved = [Moved("vibration", "up", 1.0)]
    assert (
        shares(PUMP, moved, {"pressure.suction", "flow"})["cavitation"]
        < shares(PUMP, moved, set())["cavitation"]
    )


def test_nothing_moved_or_nothing_known_names_nothing():
    assert shares(PUMP, []) == {}
    assert advisor().likely(event("pump", Contribution("unheard-of", 1.0, 1.0, 1.0, 9.0))) == {}


def test_lines_of_the_spectrum_name_the_part_of_the_bearing():
    found = advisor().likely(event("pump", Contribution("de.envelope_bpfo", 0.9, 3.0, 0.2, 14.0)))
    assert best(found) == "bearing-wear"
    assert found["bearing-wear"] > 0.5


def test_a_limit_speaks_by_its_own_sensor_and_direction():
    up = event("pump", kind=AlarmKind.LIMIT, sensor="vibration_rms", cause=OVER)
    low = event("pump", kind=AlarmKind.LIMIT, sensor="flow", cause=UNDER)
    assert best(advisor().likely(up)) == "bearing-wear"
    assert best(advisor().likely(low)) in ("blocked-suction", "impeller-wear")


@pytest.mark.parametrize(
    ("model", "kind"),
    [(model, kind) for model in MODELS for kind in model.machine_faults],
    ids=lambda one: getattr(one, "kind", str(one)),
)
def test_the_right_mode_of_the_simulators_faults_is_among_those_named(model, kind):
    """What moves is measured on the plant with the fault and without it, in standard deviations."""
    name = f"g/g/b/l/{model.kind}-05"
    start = 1_764_050_400_000  # a Tuesday, in production
    machines = [SimulatedMachine(name, model)]
    fault = Fault(start - 40 * HOUR, start + 4 * HOUR, name, kind)
    sick = Plant(machines, planned=[fault]).frame(name, start, start + HOUR).values
    well = Plant(machines).frame(name, start, start + HOUR).values
    deviation = (sick.mean(axis=0) - well.mean(axis=0)) / (well.std(axis=0) + 1e-9)
    share = deviation**2 / (deviation**2).sum()
    contributions = [
        Contribution(
            sensor,
            float(share[j]),
            float(sick[:, j].mean()),
            float(well[:, j].mean()),
            float(6 * deviation[j]),
        )
        for j, sensor in enumerate(model.names)
        if share[j] >= 0.02
    ]
    found = advisor().likely(event(model.kind, *contributions))
    ranked = sorted(found, key=lambda key: -found[key])
    assert str(kind) in ranked[:3], [(key, round(found[key], 2)) for key in ranked[:5]]
