"""Random numbers that can be asked for at any moment of time, in any order, and are always the same."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from pipeline.records import Floats, Ints

_UNITS = 1.0 / (1 << 53)


def seed_of(seed: int, *names: object) -> int:
    """A 64-bit seed of its own for each of ``names``, the same in every process.

    >>> seed_of(1, "press-01") == seed_of(1, "press-01"), seed_of(1, "a") == seed_of(2, "a")
    (True, False)
    """
    text = "\n".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def uniform(seed: int, index: Ints) -> Floats:
    """A number in [0, 1) for each ``index``: SplitMix64 (Steele, Lea, Flood 2014) of seed and index.

    >>> u = uniform(7, np.arange(10_000))
    >>> bool(0.49 < u.mean() < 0.51), bool((uniform(7, np.array([42])) == u[42]).all())
    (True, True)
    """
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2**64
        z: NDArray[np.uint64] = index.astype(np.uint64) + np.uint64(1)
        z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * _UNITS


def smooth(seed: int, time: Ints, spacing: int) -> Floats:
    """A slow random curve of mean 0 and variance near 1: knots ``spacing`` ms apart, joined by cosines."""
    knot = time // spacing
    share = (time - knot * spacing) / spacing
    blend = 0.5 - 0.5 * np.cos(np.pi * share)
    here, there = _normal(seed, knot), _normal(seed, knot + 1)
    # Between knots the mean of two independent numbers would vary less than at them.
    curve: Floats = (here * (1 - blend) + there * blend) / np.sqrt(blend**2 + (1 - blend) ** 2)
    return curve


def _normal(seed: int, index: Ints) -> Floats:
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seed, 2 * index)))
    normal: Floats = radius * np.cos(2 * np.pi * uniform(seed, 2 * index + 1))
    return normal
