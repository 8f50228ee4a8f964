"""The frequencies at which a damaged rolling bearing knocks, from its geometry and the shaft's speed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bearing:
    """``balls`` rolling elements; ball and pitch diameter in one unit; contact ``angle`` in degrees.

    Raises ValueError for what cannot be a bearing.
    """

    balls: int
    ball: float
    pitch: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        if self.balls < 3 or not 0 < self.ball < self.pitch or not 0 <= self.angle < 90:
            raise ValueError(
                f"no bearing has {self.balls} balls of {self.ball:g} on a pitch circle of {self.pitch:g} at "
                f"{self.angle:g} degrees: it needs 3 balls or more, 0 < ball < pitch and 0 <= angle < 90"
            )


def fault_frequencies(bearing: Bearing, speed: float) -> dict[str, float]:
    """Hz at ``speed`` in revolutions a minute, outer ring at rest, no slip (Harris 2001).

    ``bpfo``, ``bpfi``: a ball passes a spot of the outer, of the inner ring; ``bsf``: a ball turns once;
    ``ftf``: the cage goes round once.

    >>> skf6205 = Bearing(balls=9, ball=7.94, pitch=39.04)
    >>> {name: round(f, 1) for name, f in fault_frequencies(skf6205, 1797).items()}
    {'bpfo': 107.4, 'bpfi': 162.2, 'bsf': 70.6, 'ftf': 11.9}
    """
    turns = speed / 60.0
    ratio = bearing.ball / bearing.pitch * math.cos(math.radians(bearing.angle))
    return {
        "bpfo": bearing.balls / 2.0 * turns * (1.0 - ratio),
        "bpfi": bearing.balls / 2.0 * turns * (1.0 + ratio),
        "bsf": bearing.pitch / (2.0 * bearing.ball) * turns * (1.0 - ratio * ratio),
        "ftf": turns / 2.0 * (1.0 - ratio),
    }
