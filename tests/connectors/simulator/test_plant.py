"""The simulated plant: the same in any cut, physical, and broken exactly where its truth says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator import (
    Fault,
    FaultKind,
    Plant,
    SimulatedMachine,
    demo_plant,
    plant_classes,
    steady_plant,
)
from connectors.simulator.faults import PERIOD, SENSOR_FAULTS
from connectors.simulator.plant import BLOCK
from connectors.simulator.scenario import MODELS
from connectors.simulator.shifts import DAY, HOUR, LOCAL, activity
from pipeline.records import Frame
from streams.settings import Settings

T0 = 1_764_547_200_000  # 2025-12-01, a Monday, 00:00 UTC
INTERVAL = 60_000


def plant_of(model_name: str, *faults: Fault, seed: int = 5) -> Plant:
    model = next(m for m in MODELS if m.kind == model_name)
    machine = SimulatedMachine(f"a/b/c/d/{model_name}-1", model)
    return Plant([machine], seed=seed, interval=INTERVAL, planned=faults)


def day_of(plant: Plant, days: float = 1) -> Frame:
    return plant.frame(plant.machines[0].name, T0, T0 + round(days * DAY))


# -- the same in any cut


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_readings_do_not_depend_on_how_they_are_asked_for(data: st.DataObject) -> None:
    plant, other = steady_plant(4, interval=INTERVAL), steady_plant(4, interval=INTERVAL)
    name = data.draw(st.sampled_from([m.name for m in plant.machines]))
    span = 2 * BLOCK * INTERVAL
    start = T0 + data.draw(st.integers(0, span))
    cuts = sorted(data.draw(st.lists(st.integers(start, start + span), max_size=5)))
    bounds = [start, *cuts, start + span]
    order = data.draw(st.permutations(range(len(bounds) - 1)))
    parts = {i: other.frame(name, bounds[i], bounds[i + 1]) for i in order}
    whole = plant.frame(name, start, start + span)
    joined = [parts[i] for i in range(len(bounds) - 1)]
    assert np.array_equal(np.concatenate([p.time for p in joined]), whole.time)
    assert np.array_equal(np.concatenate([p.values for p in joined]), whole.values, equal_nan=True)
    assert len(whole) * len(plant.machines) == plant.readings(start, start + span)


def test_the_frames_of_a_stretch_are_all_readings_in_order() -> None:
    plant = steady_plant(5, interval=INTERVAL)
    for step in (INTERVAL, 7 * INTERVAL, DAY):
        per_machine: dict[str, list[int]] = {m.name: [] for m in plant.machines}
        for frame in plant.frames(T0, T0 + HOUR, step):
            per_machine[frame.machine] += frame.time.tolist()
        expected = list(range(T0, T0 + HOUR, INTERVAL))
        assert all(times == expected for times in per_machine.values())


def test_seeds_and_machines_differ_and_repeat() -> None:
    first = day_of(plant_of("press"))
    assert np.array_equal(day_of(plant_of("press")).values, first.values)
    assert not np.array_equal(day_of(plant_of("press", seed=6)).values, first.values)
    fleet = steady_plant(8, interval=INTERVAL)
    one, two = (fleet.frame(m.name, T0, T0 + HOUR).values for m in fleet.machines[:2])
    assert not np.array_equal(one, two)


def test_a_far_year_costs_no_more_than_a_near_one() -> None:
    """Nothing is run up from the beginning: a block of 2090 is made alone."""
    plant = steady_plant(4)
    assert len(plant.frame(plant.machines[0].name, 3_800_000_000_000, 3_800_000_000_000 + HOUR)) == 720
    assert len(plant._blocks) <= 2


# -- like a plant


@pytest.mark.parametrize("kind", [m.kind for m in MODELS])
def test_healthy_readings_are_in_range_alive_and_correlated(kind: str) -> None:
    plant = plant_of(kind)
    frame = day_of(plant, 7)
    sensors = plant.machines[0].model.sensors
    assert frame.sensors == tuple(s.name for s in sensors)
    assert np.isfinite(frame.values).all()
    for column, sensor in enumerate(sensors):
        x = frame.values[:, column]
        assert x.min() >= sensor.low
        assert x.max() <= sensor.high
        assert x.max() < sensor.low + 0.9 * (sensor.high - sensor.low), "room for faults"
        assert len(np.unique(x)) > 50
        assert np.array_equal(x, np.round(x, sensor.digits))
    related = np.corrcoef(frame.values.T) - np.eye(len(sensors))
    # all but one: a compressor's pressure rises while it is loaded, and so is even with nothing
    assert sorted(np.abs(related).max(axis=0))[1] > 0.25


def test_shifts_make_days_nights_and_weekends() -> None:
    hours = np.arange(T0 - LOCAL, T0 - LOCAL + 7 * DAY, HOUR)  # Monday 0:00 in Korea, a week
    busy = activity(hours).reshape(7, 24)
    assert (busy[:5, 8:12] == 1).all()
    assert (busy[:5, 1:6] < 0.6).all()
    assert busy[5].mean() < 0.7 * busy[:5].mean()
    assert busy[6].max() < 0.5
    press = plant_of("press")
    week = press.frame("a/b/c/d/press-1", T0 - LOCAL, T0 - LOCAL + 7 * DAY)
    running = (week.values[:, week.sensors.index("stroke_rate")] > 1).reshape(7, -1).mean(axis=1)
    assert running[:5].mean() > 2 * running[6]
    assert 0.5 < running[:5].mean() < 0.95, "die changes and short stops"


# -- broken where the truth says


EFFECTS = {
    FaultKind.BEARING_WEAR: ("vibration_rms", 1.3),
    FaultKind.MISALIGNMENT: (("vibration_axial", "position_error"), 1.5),
    FaultKind.OVERHEATING: (("oil_temperature", "winding_temperature", "gearbox_temperature"), 1.1),
    FaultKind.LEAK: (("oil_pressure", "flow", "discharge_pressure", "gearbox_temperature"), 0.0),
}


@pytest.mark.parametrize(
    ("kind", "fault"), [(m.kind, f) for m in MODELS for f in m.machine_faults], ids=lambda v: str(v)
)
def test_a_machine_s_fault_shows_from_start_to_end_and_nowhere_else(kind: str, fault: FaultKind) -> None:
    start, end = T0 + 6 * HOUR, T0 + 30 * HOUR
    healthy = day_of(plant_of(kind), 2)
    broken = day_of(plant_of(kind, Fault(start, end, f"a/b/c/d/{kind}-1", fault)), 2)
    during = (broken.time >= start) & (broken.time < end)
    assert np.array_equal(broken.values[~during], healthy.values[~during])
    late = (broken.time >= end - 2 * HOUR) & during
    names, factor = EFFECTS[fault]
    (name,) = [n for n in ([names] if isinstance(names, str) else names) if n in broken.sensors][:1]
    column = broken.sensors.index(name)
    ratio = np.median(broken.values[late, column] / healthy.values[late, column])
    assert ratio > factor if factor else abs(ratio - 1) > 0.03
    early = (broken.time >= start) & (broken.time < start + HOUR // 30)
    noise = healthy.values.std(axis=0)
    assert (np.abs(broken.values[early] - healthy.values[early]) < 3 * noise).all(), "it develops"


@pytest.mark.parametrize("fault", SENSOR_FAULTS)
def test_a_sensor_s_fault_touches_only_its_own_sensor(fault: FaultKind) -> None:
    start, end = T0 + BLOCK * INTERVAL // 2, T0 + BLOCK * INTERVAL + 6 * HOUR  # over the end of a block
    days = (end - T0) / DAY + 1
    healthy = day_of(plant_of("pump"), days)
    broken = day_of(plant_of("pump", Fault(start, end, "a/b/c/d/pump-1", fault, "flow")), days)
    column = healthy.sensors.index("flow")
    others = np.delete(np.arange(len(healthy.sensors)), column)
    assert np.array_equal(broken.values[:, others], healthy.values[:, others])
    during = (broken.time >= start) & (broken.time < end)
    assert np.array_equal(broken.values[~during], healthy.values[~during])
    x = broken.values[during, column]
    if fault is FaultKind.SENSOR_STUCK:
        assert set(x.tolist()) == {healthy.values[np.flatnonzero(during)[0], column]}
    elif fault is FaultKind.SENSOR_DROPPED:
        assert 0.8 < np.isnan(x).mean() < 1
    else:
        off = x - healthy.values[during, column]
        assert abs(off[0]) < 0.1
        assert off[-1] > 0.25 * np.median(healthy.values[:, column])
        assert (np.diff(off) > -0.02).all(), "it creeps"


def test_the_truth_is_what_was_planned_and_what_chance_adds() -> None:
    plant = steady_plant(40, interval=INTERVAL, fault_rate=0.5)
    faults = plant.faults(T0, T0 + 100 * DAY)
    assert 100 < len(faults) < 300, "about 40 machines x 10 periods x 0.5"
    assert {f.kind for f in faults} == set(FaultKind)
    for fault in faults:
        model = next(m.model for m in plant.machines if m.name == fault.machine)
        assert fault.kind in model.faults
        assert (fault.sensor in model.names) == (fault.kind in SENSOR_FAULTS)
        assert fault.start < fault.end <= (fault.start // PERIOD + 1) * PERIOD
    pieces = {f for at in range(0, 100, 7) for f in plant.faults(T0 + at * DAY, T0 + (at + 7) * DAY)}
    assert pieces >= set(faults)
    assert not steady_plant(4, fault_rate=0).faults(T0, T0 + 100 * DAY)


def test_no_random_fault_overlaps_a_planned_one_or_comes_too_early() -> None:
    plant = demo_plant(T0)
    planned = plant.faults(T0 - 3 * DAY, T0 + HOUR)
    assert sorted(planned) == sorted(plant.planned)
    later = plant.faults(T0 + HOUR, T0 + 60 * DAY)
    assert len(later) > len(plant.planned)
    assert all(f.start >= T0 + HOUR for f in later if f not in planned)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(0, 1, "a/b/c/d/other", FaultKind.LEAK), "not a machine"),
        (Fault(0, 1, "a/b/c/d/compressor-1", FaultKind.MISALIGNMENT), "cannot have"),
        (Fault(0, 1, "a/b/c/d/compressor-1", FaultKind.LEAK, "air_flow"), "only a sensor fault"),
        (Fault(0, 1, "a/b/c/d/compressor-1", FaultKind.SENSOR_STUCK), "only a sensor fault"),
        (Fault(0, 1, "a/b/c/d/compressor-1", FaultKind.SENSOR_STUCK, "speed"), "no sensor 'speed'"),
        (Fault(1, 1, "a/b/c/d/compressor-1", FaultKind.LEAK), "ends before"),
    ],
)
def test_faults_that_cannot_be_are_refused(fault: Fault, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        plant_of("compressor", fault)


def test_the_classes_fit_the_plant() -> None:
    chosen = Settings(classes=plant_classes())
    for machine in demo_plant(T0).machines:
        name = chosen.class_of(machine.name)
        assert name == machine.model.kind
        assert set(chosen.classes[name].sensors) == set(machine.model.names)
        assert all(s.unit and s.label and s.label_ko for s in chosen.classes[name].sensors.values())
