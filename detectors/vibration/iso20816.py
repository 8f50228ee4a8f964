"""Vibration severity zones of ISO 20816-3 (before it ISO 10816-3) for machines from 15 kW to 50 MW."""

from __future__ import annotations

from typing import Literal

Zone = Literal["A", "B", "C", "D"]

#: Zone boundaries A/B, B/C, C/D in mm/s RMS, 10 to 1000 Hz, on bearing housings. Group 1: large machines
#: over 300 kW up to 50 MW, or shaft height from 315 mm. Group 2: 15 to 300 kW, or 160 to 315 mm.
ISO_20816_3: dict[str, tuple[float, float, float]] = {
    "group 1 rigid": (2.3, 4.5, 7.1),
    "group 1 flexible": (3.5, 7.1, 11.0),
    "group 2 rigid": (1.4, 2.8, 4.5),
    "group 2 flexible": (2.3, 4.5, 7.1),
}


def zone(velocity: float, boundaries: tuple[float, float, float]) -> Zone:
    """The zone of a vibration velocity: A new, B fit for long running, C not for long, D does damage.

    >>> [zone(v, ISO_20816_3["group 2 rigid"]) for v in (1.0, 1.4, 3.0, 5.0)]
    ['A', 'B', 'C', 'D']
    """
    names: tuple[Zone, ...] = ("A", "B", "C", "D")
    return names[sum(velocity >= boundary for boundary in boundaries)]
