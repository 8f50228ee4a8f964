"""Sensors that break are named; sensors that are merely odd by nature are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.batch import Batch, Floats
from detectors.quality.quality import Fault, FleetQuality, QualityTransition
from tests.detectors.fleets import START, batch_of, cuts


def watch(healthy: Floats, then: Floats, **rails: Any) -> tuple[list[QualityTransition], Floats]:
    quality = FleetQuality(healthy.shape[1], **rails)
    quality.resize(4)
    quality.reset(2, 1)
    quality.learn(batch_of({2: healthy}))
    first = quality.check(batch_of({2: healthy}))
    assert not first.transitions
    checked = quality.check(batch_of({2: then}, first={2: len(healthy)}))
    return checked.transitions, checked.ok


def plant(rng: np.random.Generator, n: int) -> Floats:
    load = np.sin(np.arange(n) / 40.0)[:, None]
    return 20.0 + load * [1.0, 2.0, -1.5] + rng.normal(0, 0.3, (n, 3))


def kinds(transitions: list[QualityTransition]) -> list[tuple[str, int, bool]]:
    return [(t.kind, t.sensor, t.raised) for t in transitions]


def test_a_stuck_sensor_is_named_masked_and_cleared() -> None:
    x = plant(np.random.default_rng(1), 1000)
    x[500:600, 1] = x[500, 1]
    transitions, ok = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.STUCK, 1, True), (Fault.STUCK, 1, False)]
    raised = transitions[0]
    assert raised.onset == START + 500_000
    assert raised.time <= START + 540_000
    assert raised.code == "stuck"
    assert raised.values["readings"] > raised.values["most"]
    assert not ok[raised.index : 199, 1].any()
    assert ok[205:, 1].all()
    assert ok[:, [0, 2]].all()


def test_a_dropped_sensor_is_named_and_cleared() -> None:
    x = plant(np.random.default_rng(2), 1000)
    x[500:600, 0] = np.nan
    transitions, _ = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.DROPOUT, 0, True), (Fault.DROPOUT, 0, False)]
    assert transitions[0].onset == START + 500_000


def test_spikes_are_masked_and_alarmed_when_they_repeat() -> None:
    x = plant(np.random.default_rng(3), 1000)
    x[[500, 507, 512, 520], 2] += 80.0
    transitions, ok = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.SPIKES, 2, True), (Fault.SPIKES, 2, False)]
    assert np.flatnonzero(~ok[:, 2]).tolist() == [100, 107, 112, 120]


def test_one_spike_is_masked_without_an_alarm() -> None:
    x = plant(np.random.default_rng(3), 1000)
    x[500, 2] += 80.0
    transitions, ok = watch(x[:400], x[400:])
    assert not transitions
    assert np.flatnonzero(~ok[:, 2]).tolist() == [100]


def test_a_machine_that_jumps_is_not_masked() -> None:
    x = plant(np.random.default_rng(4), 1000)
    x[500:, 2] += 80.0
    transitions, ok = watch(x[:400], x[400:])
    assert not transitions
    assert np.flatnonzero(~ok[:, 2]).tolist() == [100]


def test_a_sensor_at_the_end_of_its_range_is_saturated() -> None:
    x = np.minimum(plant(np.random.default_rng(5), 1000), 30.0)
    x[500:560, 1] = 30.0
    high = np.array([np.nan, 30.0, np.nan])
    transitions, ok = watch(x[:400], x[400:], high=high)
    assert kinds(transitions) == [(Fault.SATURATED, 1, True), (Fault.SATURATED, 1, False)]
    assert transitions[0].time == START + 502_000
    assert not ok[100:160, 1].any()


def test_a_value_held_beyond_all_it_ever_was_is_saturation() -> None:
    x = plant(np.random.default_rng(5), 1000)
    x[500:560, 1] = 60.0
    transitions, _ = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.SATURATED, 1, True), (Fault.SATURATED, 1, False)]


def test_a_gap_in_time_is_told_once() -> None:
    x = plant(np.random.default_rng(6), 500)
    quality = FleetQuality(3)
    quality.resize(1)
    quality.learn(batch_of({0: x[:400]}))
    quality.check(batch_of({0: x[:400]}))
    found = quality.check(batch_of({0: x[400:]}, first={0: 1000})).transitions
    assert kinds(found) == [(Fault.GAP, -1, True), (Fault.GAP, -1, False)]
    assert (found[0].onset, found[0].time) == (START + 399_000, START + 1_000_000)


HEALTHY = {
    "gaussian": lambda rng, n: rng.normal(0, 1, (n, 3)),
    "heavy-tailed": lambda rng, n: rng.standard_t(2, (n, 3)),
    "lognormal": lambda rng, n: np.exp(rng.normal(0, 2, (n, 3))),
    "quantised": lambda rng, n: np.round(rng.normal(0, 0.5, (n, 3))),
    "coarse and slow": lambda rng, n: np.round(np.cumsum(rng.normal(0, 0.05, (n, 3)), axis=0)),
    "constant": lambda rng, n: np.ones((n, 3)) * [0.0, 1.0, -5.0],
    "counter": lambda rng, n: np.cumsum(rng.integers(0, 2, (n, 3)), axis=0).astype(float),
    "on and off": lambda rng, n: (
        np.repeat(rng.integers(0, 2, n // 50 + 1), 50)[:n, None] * rng.normal(9, 1, (n, 3))
    ),
    "often missing": lambda rng, n: np.where(rng.random((n, 3)) < 0.6, np.nan, rng.normal(0, 1, (n, 3))),
    "bursts": lambda rng, n: np.where(rng.random((n, 3)) < 0.02, 40.0, 1.0) * rng.normal(0, 1, (n, 3)),
}


@pytest.mark.parametrize("nature", HEALTHY)
def test_healthy_sensors_of_any_nature_are_left_alone(nature: str) -> None:
    alarms = 0
    for seed in range(10):
        x = HEALTHY[nature](np.random.default_rng(seed), 6000)
        quality = FleetQuality(3)
        quality.resize(1)
        quality.learn(batch_of({0: x[:600]}))
        quality.check(batch_of({0: x[:600]}))
        for start in range(600, 6000, 200):
            part = batch_of({0: x[start : start + 200]}, first={0: start})
            alarms += sum(t.raised for t in quality.check(part).transitions)
            quality.learn(part)
    assert alarms == 0


readings = st.integers(0, 2**31).map(lambda seed: _rough(np.random.default_rng(seed)))


def _rough(rng: np.random.Generator) -> Floats:
    n = int(rng.integers(1, 160))
    x = np.round(rng.standard_t(2, (n, 3)), int(rng.integers(0, 3)))
    x[rng.random((n, 3)) < rng.choice([0.0, 0.2, 0.9])] = np.nan
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(0, n))
        x[at : at + 60, rng.integers(0, 3)] = rng.choice([0.0, 7.0, np.nan, 99.0])
    return x


@given(a=readings, b=readings, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_split_into_batches_changes_nothing(a: Floats, b: Floats, seed: int) -> None:
    rng = np.random.default_rng(seed)
    history = np.round(rng.normal(0, 1, (200, 3)), 1)
    whole, parts = FleetQuality(3, high=np.full(3, 5.0)), FleetQuality(3, high=np.full(3, 5.0))
    for quality in (whole, parts):
        quality.resize(3)
        quality.learn(batch_of({0: history, 2: history}))
        quality.check(batch_of({0: history, 2: history}))
    batch = batch_of({2: a, 0: b}, first={2: 200, 0: 203})
    late = np.cumsum(rng.choice([0, 7_000, 90_000], len(batch), p=[0.9, 0.05, 0.05]))
    batch = Batch(batch.rows, batch.counts, batch.time + late, batch.x)
    expected = whole.check(batch)
    places = [(t.index, t.sensor) for t in expected.transitions]
    assert places == sorted(places)
    ok, transitions = np.empty_like(expected.ok), []
    for part, at in cuts(batch, rng):
        checked = parts.check(part)
        ok[at] = checked.ok
        transitions += [
            (at[t.index], t.sensor, t.kind, t.raised, t.onset, t.code, t.values) for t in checked.transitions
        ]
    assert (ok == expected.ok).all()
    assert sorted(transitions) == sorted(
        (t.index, t.sensor, t.kind, t.raised, t.onset, t.code, t.values) for t in expected.transitions
    )
    whole.learn(batch)
    for part, _ in cuts(batch, rng):
        parts.learn(part)
    for row in (0, 2):
        for kind, values in whole.dump(row).items():
            np.testing.assert_array_equal(values, parts.dump(row)[kind])


def test_a_snapshot_goes_on_where_it_was() -> None:
    x = plant(np.random.default_rng(7), 900)
    x[480:600, 1] = x[480, 1]
    here, there = FleetQuality(3), FleetQuality(3)
    here.resize(1)
    there.resize(5)
    here.learn(batch_of({0: x[:400]}))
    here.check(batch_of({0: x[:500]}))
    there.load(3, here.dump(0))
    rest = {"first": {0: 500, 3: 500}}
    one = here.check(batch_of({0: x[500:]}, **rest))
    two = there.check(batch_of({3: x[500:]}, **rest))
    assert kinds(one.transitions) == kinds(two.transitions) != []
    assert (one.ok == two.ok).all()


def test_state_of_another_layout_is_refused() -> None:
    two, three = FleetQuality(2), FleetQuality(3)
    two.resize(1)
    three.resize(1)
    with pytest.raises(ValueError, match="saved state"):
        two.load(0, three.dump(0))


def wired(rng: np.random.Generator, n: int) -> Floats:
    """Four sensors that see the same load: any three foretell the fourth."""
    load = np.sin(np.arange(n) / 40.0)[:, None] + 0.1 * np.cumsum(rng.normal(0, 0.1, (n, 1)), axis=0)
    return 20.0 + load * [1.0, 2.0, -1.5, 3.0] + rng.normal(0, 0.1, (n, 4))


def test_a_sensor_that_drifts_away_from_its_neighbours_is_named_and_masked() -> None:
    x = wired(np.random.default_rng(11), 5000)
    x[2000:, 2] += np.linspace(0, 1.5, 3000)
    transitions, ok = watch(x[:1500], x[1500:])
    assert kinds(transitions) == [(Fault.DRIFT, 2, True)]
    assert 600 < transitions[0].index < 2500
    assert not ok[transitions[0].index :, 2].any()
    assert ok[:, [0, 1, 3]].all()


@pytest.mark.parametrize("seed", range(5))
def test_a_jump_of_one_sensor_or_a_change_of_several_is_no_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, several = wired(rng, 4000), wired(rng, 4000)
    one[2000:, 2] += 3.0
    several[2000:, 1:3] += np.linspace(0, 3, 2000)[:, None]
    for x in (one, several):
        transitions, _ = watch(x[:1500], x[1500:])
        assert Fault.DRIFT not in {t.kind for t in transitions}


def test_a_symptom_that_rises_alone_is_wear_and_stays_in_sight() -> None:
    x = wired(np.random.default_rng(11), 5000)
    x[2000:, 2] += np.linspace(0, 1.5, 3000)
    transitions, ok = watch(x[:1500], x[1500:], symptom=np.array([False, False, True, False]))
    assert transitions == []
    assert ok.all()


def test_sensors_that_do_not_foretell_each_other_cannot_drift() -> None:
    x = np.random.default_rng(12).normal(0, 1, (4000, 4))
    x[2000:, 2] += np.linspace(0, 3, 2000)
    assert watch(x[:1500], x[1500:])[0] == []


def test_drift_is_found_alike_in_any_split() -> None:
    x = wired(np.random.default_rng(13), 3400)
    x[np.random.default_rng(2).random(x.shape) < 0.02] = np.nan
    x[1600:, 1] += np.linspace(0, 2.5, 1800)
    batch = batch_of({1: x[1400:3000], 0: x[1400:]}, first={0: 1400, 1: 1400})
    whole, parts = FleetQuality(4), FleetQuality(4)
    for quality in (whole, parts):
        quality.resize(2)
        quality.learn(batch_of({0: x[:1400], 1: x[:1400]}))
    expected = whole.check(batch)
    assert {(t.row, t.kind) for t in expected.transitions} == {(0, Fault.DRIFT), (1, Fault.DRIFT)}
    ok = np.empty_like(expected.ok)
    for part, at in cuts(batch, np.random.default_rng(0), 9):
        ok[at] = parts.check(part).ok
        for row in (0, 1):
            parts.load(row, parts.dump(row))
    assert (ok == expected.ok).all()
    whole.learn(batch)
    for part, _ in cuts(batch, np.random.default_rng(1), 9):
        parts.learn(part)
    for row in (0, 1):
        for kind, values in whole.dump(row).items():
            np.testing.assert_array_equal(values, parts.dump(row)[kind])


def test_a_drift_that_goes_back_again_and_again_is_how_the_sensor_is() -> None:
    x = wired(np.random.default_rng(16), 16_000)
    told = []
    quality = FleetQuality(4)
    quality.resize(1)
    quality.learn(batch_of({0: x[:1500]}))
    for wave in range(7):
        x[2000 + 2000 * wave : 3000 + 2000 * wave, 2] += 0.6 * np.sin(np.linspace(0, np.pi, 1000))
    for start in range(1500, 16_000, 50):
        part = batch_of({0: x[start : start + 50]}, first={0: start})
        checked = quality.check(part)
        told += [start for t in checked.transitions if t.raised and t.kind == Fault.DRIFT]
        quality.learn(batch_of({0: np.where(checked.ok, part.x, np.nan)}, first={0: start}))
    assert 1 <= len(told) <= 4
    assert told[-1] < 10_000


def test_a_loose_contact_is_a_dropout() -> None:
    rng = np.random.default_rng(14)
    x = plant(rng, 1200)
    x[600:900, 1] = np.where(rng.random(300) < 0.6, np.nan, x[600:900, 1])
    transitions, _ = watch(x[:500], x[500:])
    assert kinds(transitions) == [(Fault.DROPOUT, 1, True), (Fault.DROPOUT, 1, False)]


def test_silence_is_told_by_the_machines_own_pace() -> None:
    quality = FleetQuality(3)
    quality.resize(3)
    x = plant(np.random.default_rng(15), 300)
    for row, step in ((0, 1000), (1, 600_000)):
        quality.learn(batch_of({row: x}, step=step))
        quality.check(batch_of({row: x}, step=step))
    rows = np.arange(3)
    quick, slow = START + 299 * 1000, START + 299 * 600_000
    assert quality.silent(rows, quick + 59_000).tolist() == [0, 0, 0]
    assert quality.silent(rows, quick + 61_000).tolist() == [61_000, 0, 0]
    assert quality.silent(rows, slow + 11 * 600_000)[1] == 0
    assert quality.silent(rows, slow + 21 * 600_000)[1] == 21 * 600_000


def test_a_code_for_a_missing_value_is_masked_and_told_when_it_lasts() -> None:
    x = plant(np.random.default_rng(21), 1200)
    x[500:502, 1], x[600:602, 1] = 65535.0, -127.0
    x[700:720, 1] = -999.0
    transitions, ok = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.DROPOUT, 1, True), (Fault.DROPOUT, 1, False)]
    assert (transitions[0].code, transitions[0].values["value"]) == ("dropout.code", -999.0)
    assert transitions[0].onset == START + 700_000
    masked = np.flatnonzero(~ok[:, 1]) + 400
    assert masked.tolist() == [500, 501, 600, 601, *range(700, 720)]
    assert ok[:, [0, 2]].all()


def test_a_gateway_that_sends_codes_for_all_its_sensors_is_masked() -> None:
    x = plant(np.random.default_rng(22), 800)
    x[500:503] = 32767.0
    transitions, ok = watch(x[:400], x[400:])
    assert transitions == []
    assert not ok[100:103].any()
    assert ok.sum() == ok.size - 9


def test_a_sudden_zero_is_doubted_for_three_readings() -> None:
    x = plant(np.random.default_rng(23), 900)
    x[500, 0] = 0.0
    x[600:, 1] = np.where(np.arange(300) < 3, 0.0, np.random.default_rng(1).normal(0, 0.01, 300))
    x[700:730, 0] = 0.0
    _, ok = watch(x[:400], x[400:])
    assert np.flatnonzero(~ok[:310, 0]).tolist() == [100, 300, 301, 302]
    assert np.flatnonzero(~ok[:, 1])[:3].tolist() == [200, 201, 202]


def test_codes_among_the_first_readings_are_not_taken_for_values() -> None:
    x = plant(np.random.default_rng(24), 100)
    x[0, 2] = x[30, 2] = 9999.0
    x[50:52, 0] = 0.5  # an odd value, not a code
    quality = FleetQuality(3)
    quality.resize(1)
    levels = quality.levels_of(batch_of({0: x})).x
    assert np.argwhere(np.isnan(levels)).tolist() == [[0, 2], [30, 2]]


TOTALS = {
    "hours run": lambda n: 40_000 + np.arange(n) / 720,
    "pulses of 16 bits": lambda n: (64_000 + 3.0 * np.arange(n)) % 65_536,
    "a turning shaft": lambda n: (7.0 * np.arange(n)) % 360.0,
}


@pytest.mark.parametrize("name", TOTALS)
def test_what_only_grows_is_no_level_and_never_faulty(name: str) -> None:
    n = 3000
    x = plant(np.random.default_rng(25), n)
    x[:, 1] = TOTALS[name](n)
    x[1500, 1] = 0.0  # one bad poll
    x[2000:2400, 1] = x[2000, 1]  # the machine stands still
    quality = FleetQuality(3)
    quality.resize(1)
    first = quality.levels_of(batch_of({0: x[:100]}))
    assert np.isnan(first.x[:, 1]).all()
    assert not np.isnan(first.x[:, [0, 2]]).any()
    quality.learn(first)
    checked = quality.check(batch_of({0: x[100:]}, first={0: 100}))
    assert checked.transitions == []
    assert not checked.ok[:, 1].any()
    assert checked.ok[:, [0, 2]].all()
    assert quality.totals(np.array([0])).tolist() == [[False, True, False]]


def test_a_level_that_wanders_is_no_total() -> None:
    rng = np.random.default_rng(26)
    x = np.stack(
        [np.cumsum(rng.normal(0.02, 0.2, 2000)), np.round(rng.normal(9, 1, 2000)), rng.random(2000)], 1
    )
    quality = FleetQuality(3)
    quality.resize(1)
    quality.check(batch_of({0: x}))
    assert not quality.totals(np.array([0])).any()


def test_an_angle_that_goes_through_north_has_no_spikes_and_no_level() -> None:
    rng = np.random.default_rng(27)
    x = plant(rng, 1200)
    x[:, 2] = 349.0 + np.cumsum(rng.normal(0, 0.2, 1200)).clip(-3, 3) + rng.normal(0, 1.0, 1200)
    x[600:, 2] = (x[600:, 2] + np.linspace(0.0, 9.0, 600)) % 360.0
    turned = int(np.flatnonzero(np.abs(np.diff(x[:, 2])) > 300)[0]) + 1 - 500
    transitions, ok = watch(x[:500], x[500:])
    assert transitions == []
    assert ok[:, :2].all()
    assert ok[:turned, 2].all()
    assert not ok[turned:, 2].any()


def test_a_speed_that_stops_and_starts_is_no_angle() -> None:
    rng = np.random.default_rng(27)
    x = plant(rng, 1200)
    x[:, 2] = 350.0 + rng.normal(0, 1.0, 1200)
    x[600:700, 2] = x[900:950, 2] = 0.0
    quality = FleetQuality(3)
    quality.resize(1)
    quality.check(batch_of({0: x}))
    assert not quality.totals(np.array([0])).any()


def test_sensors_that_jump_together_or_in_turn_show_the_machine() -> None:
    together, turn = plant(np.random.default_rng(28), 1000), plant(np.random.default_rng(29), 1000)
    wide = np.random.default_rng(30).normal(0, 1, (1000, 3))
    together, turn = np.hstack([together, wide]), np.hstack([turn, wide])
    at = np.arange(500, 800, 15)
    together[np.ix_(at, [0, 1])] += 80.0
    for i, one in enumerate(at):
        turn[one, i % 4] += 80.0
    transitions, ok = watch(together[:400], together[400:])
    assert transitions == []
    assert ok.all()
    transitions, ok = watch(turn[:400], turn[400:])
    assert transitions == []
    assert (~ok).sum() <= 1  # the first of them


def test_a_symptom_that_spikes_again_and_again_is_in_sight() -> None:
    x = plant(np.random.default_rng(31), 1000)
    x[500:600:7, 2] += 80.0
    transitions, ok = watch(x[:400], x[400:], symptom=np.array([False, False, True]))
    assert transitions == []
    assert np.flatnonzero(~ok[:, 2]).tolist() == [100]


def test_a_machine_whose_readings_all_repeat_is_told_once() -> None:
    x = plant(np.random.default_rng(32), 2000)
    x[500:900] = x[500]
    transitions, ok = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.FROZEN, -1, True), (Fault.FROZEN, -1, False)]
    told = transitions[0]
    assert told.time <= START + 540_000
    assert (told.onset, told.values["readings"]) == (START + 501_000, 30)
    assert not ok[115:499].any()
    assert ok[505:].all()


def test_sensors_of_one_stage_that_stop_together_are_not_called_stuck() -> None:
    rng = np.random.default_rng(33)
    x = np.hstack([plant(rng, 1500), plant(rng, 1500)])
    for s in (0, 1, 2):  # one after another: a gateway would repeat all from the same reading on
        x[500 + 3 * s :, s] = x[500, s]
    transitions, ok = watch(x[:400], x[400:])
    assert transitions == []
    assert (~ok).sum() <= 3  # until the second has stood still for as long


@pytest.mark.parametrize("stays", [1, 3])
def test_sensors_that_repeat_usual_values_from_one_reading_on_are_one_alarm(stays: int) -> None:
    rng = np.random.default_rng(33)
    x = np.hstack([plant(rng, 1500), plant(rng, 1500)])
    x[600:1000, stays:] = x[600, stays:]
    transitions, _ = watch(x[:400], x[400:])
    assert kinds(transitions) == [(Fault.FROZEN, -1, True), (Fault.FROZEN, -1, False)]
    told, over = transitions
    assert told.code == "frozen.part"
    assert (told.onset, told.values["readings"]) == (START + 600_000, 30)
    assert over.time == START + 1_000_000


def test_a_new_pace_is_told_once() -> None:
    x = plant(np.random.default_rng(34), 700)
    quality = FleetQuality(3)
    quality.resize(1)
    quality.learn(batch_of({0: x[:400]}))
    quality.check(batch_of({0: x[:400]}))
    slow = batch_of({0: x[400:]}, first={0: 7}, step=60_000)
    assert kinds(quality.check(slow).transitions) == [(Fault.GAP, -1, True), (Fault.GAP, -1, False)]


def test_state_saved_before_signals_were_known_is_taken_up() -> None:
    x = plant(np.random.default_rng(35), 600)
    old, new = FleetQuality(3), FleetQuality(3)
    old.resize(1)
    new.resize(1)
    old.learn(batch_of({0: x}))
    new.check(batch_of({0: x}))
    new.load(0, {kind: values for kind, values in old.dump(0).items() if not kind.startswith("signals_")})
    assert (new["pairs"] == old["pairs"]).all()
    assert np.isnan(new.signals["value"]).all()
