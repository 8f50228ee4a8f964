"""Features of waveforms whose truth is known, and bearings whose damage is simulated."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Floats
from detectors.vibration.bearing import Bearing, fault_frequencies
from detectors.vibration.features import Waveform, envelope_spectrum, features

RATE, SECONDS, SPEED = 20_480.0, 2.0, 1780.0
N = int(RATE * SECONDS)
TIME = np.arange(N) / RATE
BEARING = Bearing(balls=8, ball=15.0, pitch=65.0, angle=10.0)
FREQUENCIES = fault_frequencies(BEARING, SPEED)


def knocking(at: float, strength: float, seed: int, slip: float = 0.004) -> Floats:
    """Noise, imbalance, and a 4 kHz ringing each time a spot is passed, with a little slip."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.0, N) + 2.0 * np.sin(2 * np.pi * SPEED / 60 * TIME)
    moment = rng.uniform(0, 1 / at)
    while moment < SECONDS:
        start = int(moment * RATE) + 1
        since = TIME[start : start + 400] - moment
        x[start : start + 400] += strength * np.exp(-since * 900) * np.sin(2 * np.pi * 4000 * since)
        moment += (1 + rng.normal(0, slip)) / at
    return x


@pytest.mark.parametrize("damaged", ["bpfo", "bpfi", "bsf"])
@pytest.mark.parametrize("seed", range(3))
def test_the_damaged_part_stands_out_in_the_envelope(damaged: str, seed: int) -> None:
    found = features(Waveform(knocking(FREQUENCIES[damaged], 4.0, seed), RATE), SPEED, BEARING)
    told = {name: found[f"envelope_{name}"] for name in ("bpfo", "bpfi", "bsf")}
    assert max(told, key=told.__getitem__) == damaged
    others = [value for name, value in told.items() if name != damaged]
    assert told[damaged] > 3 * max(others)


def test_the_envelope_grows_with_the_damage_and_is_small_in_health() -> None:
    grown = [
        features(Waveform(knocking(FREQUENCIES["bpfo"], strength, 5), RATE), SPEED, BEARING)["envelope_bpfo"]
        for strength in (0.0, 2.0, 4.0, 8.0)
    ]
    assert grown == sorted(grown)
    assert grown[0] < 0.1 * grown[-1]


def test_shocks_raise_kurtosis_and_crest() -> None:
    calm = features(Waveform(np.random.default_rng(0).normal(0, 1, N), RATE))
    hard = features(Waveform(knocking(FREQUENCIES["bpfo"], 20.0, 0), RATE))
    assert calm["kurtosis"] == pytest.approx(3, abs=0.15)
    assert hard["kurtosis"] > 6
    assert hard["crest"] > calm["crest"] > 3


@pytest.mark.parametrize("hertz", [12.0, 60.0, 333.0, 990.0])
def test_velocity_is_the_integral_of_acceleration(hertz: float) -> None:
    velocity = 5.0  # mm/s RMS
    acceleration = velocity / 1000 * np.sqrt(2) * 2 * np.pi * hertz * np.cos(2 * np.pi * hertz * TIME)
    assert features(Waveform(acceleration, RATE))["velocity_rms"] == pytest.approx(velocity, rel=0.02)


@pytest.mark.parametrize("hertz", [3.0, 1500.0])
def test_velocity_takes_nothing_from_outside_10_to_1000_hz(hertz: float) -> None:
    acceleration = 10.0 + np.sqrt(2) * 2 * np.pi * hertz * np.cos(2 * np.pi * hertz * TIME) / 1000
    assert features(Waveform(acceleration, RATE))["velocity_rms"] < 0.02


def test_bands_add_up_to_the_whole() -> None:
    x = np.random.default_rng(1).normal(0, 2, N)
    found = features(Waveform(x, RATE))
    bands = [value for name, value in found.items() if name.startswith("band_")]
    assert len(bands) == 4
    assert np.sqrt(np.sum(np.square(bands))) == pytest.approx(found["rms"], rel=0.03)
    assert found["band_1000_5000"] > found["band_100_1000"] > found["band_10_100"]


def test_what_was_not_sampled_is_not_told() -> None:
    slow = features(Waveform(np.random.default_rng(2).normal(0, 1, 256), 400.0), 6000.0, BEARING)
    assert "band_1000_5000" not in slow
    assert np.isnan(slow["envelope_bpfi"])
    short = features(Waveform(np.random.default_rng(2).normal(0, 1, 256), RATE), 60.0, BEARING)
    assert np.isnan(short["envelope_ftf"])
    assert "envelope_bpfo" not in features(Waveform(np.ones(100), RATE), None, BEARING)


def test_the_envelope_of_a_modulated_tone_is_its_modulation() -> None:
    x = (1 + 0.5 * np.sin(2 * np.pi * 40 * TIME)) * np.sin(2 * np.pi * 5000 * TIME)
    frequency, amplitude = envelope_spectrum(Waveform(x, RATE))
    assert frequency[np.argmax(amplitude)] == pytest.approx(40, abs=0.5)
    assert amplitude.max() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.ones(10), RATE, "64 or more"),
        (np.r_[np.nan, np.ones(99)], RATE, "must be whole"),
        (np.ones(100), 0.0, "above 0"),
    ],
)
def test_unusable_waveforms_are_refused(samples: Floats, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Waveform(samples, rate)


@pytest.mark.parametrize("wrong", [{"balls": 2}, {"ball": 70.0}, {"angle": 90.0}, {"ball": 0.0}])
def test_impossible_bearings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no bearing has"):
        Bearing(**({"balls": 8, "ball": 15.0, "pitch": 65.0} | wrong))


def test_the_frequencies_belong_together() -> None:
    turns = SPEED / 60
    assert FREQUENCIES["bpfo"] + FREQUENCIES["bpfi"] == pytest.approx(BEARING.balls * turns)
    assert FREQUENCIES["bpfo"] == pytest.approx(BEARING.balls * FREQUENCIES["ftf"])
