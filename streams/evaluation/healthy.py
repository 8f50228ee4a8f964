"""Recordings of machines with nothing wrong, made from a seed: whatever alarms on them is false."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.batch import Floats, Ints
from streams.evaluation.recording import Recording

#: Midnight UTC of a Monday.
_START = 1_767_571_200_000
_MINUTE = 60_000
_DAY = 1440  # readings
_WIDTH = 4


def healthy_recordings(machines: int = 4, days: int = 15) -> dict[str, list[Recording]]:
    """By kind of noise ``machines`` recordings of ``days`` at a reading a minute, of four sensors each."""
    time = _START + _MINUTE * np.arange(days * _DAY, dtype=np.int64)
    return {
        kind: [_recording(f"{kind}-{i}", time, make, 1000 * at + i) for i in range(machines)]
        for at, (kind, make) in enumerate(_KINDS.items())
    }


def _recording(name: str, time: Ints, make: Callable[..., Floats], seed: int) -> Recording:
    x = make(np.random.default_rng(seed), time)
    names = tuple(f"s{i}" for i in range(_WIDTH))
    return Recording(name, time, names, np.round(x, 4), np.empty((0, 2), dtype=np.int64))


def _independent(random: np.random.Generator, time: Ints) -> Floats:
    """Gaussian noise around levels; sensors share a part of it."""
    shared = random.normal(size=(len(time), 1))
    return 50 + 0.6 * shared + random.normal(size=(len(time), _WIDTH))


def _autocorrelated(random: np.random.Generator, time: Ints) -> Floats:
    """An autoregression of .95 a reading."""
    noise = random.normal(size=(len(time), _WIDTH))
    x = np.empty_like(noise)
    level = noise[0] / np.sqrt(1 - 0.95**2)
    for i, row in enumerate(noise):
        level = 0.95 * level + row
        x[i] = level
    return 50 + x


def _heavy(random: np.random.Generator, time: Ints) -> Floats:
    """Student's t with three degrees of freedom."""
    return 50 + random.standard_t(3, size=(len(time), _WIDTH))


def _daily(random: np.random.Generator, time: Ints) -> Floats:
    """A rhythm of a day, of another strength each day."""
    day = (time - time[0]) // (_DAY * _MINUTE)
    phase = 2 * np.pi * ((time - time[0]) % (_DAY * _MINUTE)) / (_DAY * _MINUTE)
    strength = 4 + 0.5 * random.normal(size=int(day[-1]) + 1)[day]
    wave = (strength * np.sin(phase))[:, None] * np.array([1.0, 0.7, -0.5, 0.2])
    x: Floats = 50 + wave + random.normal(size=(len(time), _WIDTH))
    return x


def _shifts(random: np.random.Generator, time: Ints) -> Floats:
    """At work from 6 to 22 h, Monday to Friday; a temperature follows within half an hour."""
    minute = (time - time[0]) // _MINUTE
    at_work = ((minute // _DAY) % 7 < 5) & (minute % _DAY >= 360) & (minute % _DAY < 1320)
    load = at_work * (1 + 0.05 * random.normal(size=len(time)))
    heat = np.empty(len(time))
    level = load[0]
    for i, value in enumerate(load):
        level += (value - level) / 20
        heat[i] = level
    x = np.column_stack([30 * load, 8 * load, 25 + 35 * heat, 1 + 2 * load])
    noisy: Floats = x + random.normal(size=x.shape) * np.array([0.3, 0.1, 0.4, 0.05])
    return noisy


_KINDS: dict[str, Callable[..., Floats]] = {
    "independent": _independent,
    "autocorrelated": _autocorrelated,
    "heavy-tailed": _heavy,
    "daily": _daily,
    "shifts": _shifts,
}
