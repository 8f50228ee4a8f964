"""The score of the Numenta Anomaly Benchmark, by the rules of its own scorer.

Lavin & Ahmad, "Evaluating real-time anomaly detection algorithms", ICMLA 2015. The first 15 % of a file's
rows (of at most 5 000) are free. In each labelled window only the earliest detection counts, more the
earlier it comes; a window without one costs a miss; each detection outside windows costs, less when it
comes soon after one. Scores are scaled so that a detector that never speaks gets 0 and a perfect one 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor

from streams.evaluation.recording import Outcome


@dataclass(frozen=True, slots=True)
class Profile:
    """What a hit is worth, and what a false detection and a miss cost."""

    hit: float
    false: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward low FP": Profile(1.0, 0.22, 1.0),
    "reward low FN": Profile(1.0, 0.11, 2.0),
}


def scaled_sigmoid(position: float) -> float:
    """Worth of a detection at ``position``: −1 the window's first row, 0 just past its last.

    >>> [round(scaled_sigmoid(p), 3) for p in (-1.0, -0.5, 0.0, 1.0, 4.0)]
    [0.987, 0.848, 0.0, -0.987, -1.0]
    """
    return -1.0 if position > 3.0 else 2 / (1 + exp(5 * position)) - 1


def probation(rows: int) -> int:
    """How many first rows are free.

    >>> probation(4032), probation(22695)
    (604, 750)
    """
    return min(floor(0.15 * rows), 750)


def nab_score(outcomes: Sequence[Outcome], profile: Profile) -> float | None:
    """The normalised score of the detections ``raised`` in a set of files; None when nothing is labelled."""
    total, windows = 0.0, 0
    for outcome in outcomes:
        total += file_score(outcome, profile)
        windows += len(_counted(outcome))
    if not windows:
        return None
    nothing, perfect = -profile.miss * windows, profile.hit * windows
    return 100 * (total - nothing) / (perfect - nothing)


def file_score(outcome: Outcome, profile: Profile) -> float:
    """One file's raw score."""
    free = probation(len(outcome.recording))
    best = dict.fromkeys(_counted(outcome), -profile.miss)
    false = 0.0
    windows = [(int(a), int(b) - 1) for a, b in outcome.recording.events.tolist()]  # last row included
    for row in sorted(set(outcome.raised.tolist())):
        if row < free:
            continue
        window = next(((a, b) for a, b in windows if a <= row <= b), None)
        if window is not None:
            first, last = window
            position = -(last - row + 1) / (last - first + 1)
            worth = scaled_sigmoid(position) * profile.hit / scaled_sigmoid(-1.0)
            best[window] = max(best[window], worth)
            continue
        before = [(a, b) for a, b in windows if b < row]
        if not before:
            false -= profile.false
            continue
        first, last = before[-1]
        false += scaled_sigmoid((row - last) / max(last - first, 1)) * profile.false
    return sum(best.values()) + false


def _counted(outcome: Outcome) -> list[tuple[int, int]]:
    """Windows that reach beyond the free rows, as first and last row."""
    free = probation(len(outcome.recording))
    return [(int(a), int(b) - 1) for a, b in outcome.recording.events.tolist() if b > free]
