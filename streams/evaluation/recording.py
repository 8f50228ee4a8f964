"""A labelled recording of one machine, and what a method made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detectors.batch import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Recording:
    """n readings of k sensors; ``events`` (e, 2): first and one past the last reading of each event.

    ``name`` is for people only: nothing that is computed depends on it.
    """

    name: str
    time: Ints
    sensors: tuple[str, ...]
    values: Floats
    events: Ints

    def __len__(self) -> int:
        return len(self.time)

    @property
    def labels(self) -> Bools:
        """(n,) whether a reading belongs to an event."""
        inside = np.zeros(len(self), dtype=bool)
        for start, stop in self.events.tolist():
            inside[start:stop] = True
        return inside


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method says of a recording's readings, in one causal pass.

    ``score`` (n,) larger = odder, NaN while it learns; ``alarm`` (n,) whether it stands in alarm;
    ``raised`` (a,) the readings at which it alerted, ``severity`` (a,) how severe each alert became; a method
    that knows no severity has none.
    """

    recording: Recording
    score: Floats
    alarm: Bools
    raised: Ints
    severity: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def judged(self) -> Bools:
        """(n,) readings that were scored, not only learned."""
        return ~np.isnan(self.score)


def runs(inside: Bools) -> Ints:
    """(r, 2) first and one past the last place of each run of True.

    >>> runs(np.array([False, True, True, False, True])).tolist()
    [[1, 3], [4, 5]]
    """
    padded = np.concatenate(([False], inside, [False])).astype(np.int8)
    steps = np.diff(padded)
    return np.stack((np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)), axis=1).astype(np.int64)
