"""Volume under the precision-recall surface: no threshold, and tolerant of labels that are a little off.

Paparrizos et al., "Volume under the surface", VLDB 2022: for each buffer length ℓ the labels get sloping
shoulders of ℓ/2 readings (√(1 − d/ℓ) at distance d), the recall is multiplied by the share of events that
are touched at all, and the area under precision and recall is averaged over ℓ = 0 … the longest.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Bools, Floats
from streams.evaluation.recording import runs

_THRESHOLDS = 250
_BUFFERS = 5


def vus_pr(score: Floats, inside: Bools, longest: int | None = None) -> float:
    """VUS-PR of ``score`` (n,) for readings that are ``inside`` events; ``longest`` buffer in readings.

    The longest buffer is half the median event when none is given.

    >>> inside = np.arange(100) // 20 == 2
    >>> vus_pr(inside.astype(float), inside, longest=0)
    1.0
    >>> round(vus_pr(np.zeros(100), inside, longest=0), 2)
    0.2
    """
    events = runs(inside)
    if longest is None:
        longest = int(np.median(events[:, 1] - events[:, 0])) // 2
    areas = [_area(score, inside, int(length)) for length in np.unique(np.linspace(0, longest, _BUFFERS))]
    return float(np.mean(areas))


def _area(score: Floats, inside: Bools, length: int) -> float:
    """Area under the range-based precision-recall curve with one buffer length."""
    label = _shouldered(inside, length)
    events = runs(label > 0)
    positives = (inside.sum() + label.sum()) / 2
    # Thresholds at evenly spaced ranks of the scores; equal scores cannot be told apart.
    levels = np.unique(np.quantile(score, np.linspace(0, 1, _THRESHOLDS), method="nearest"))[::-1]
    recall, precision = [0.0], [1.0]
    for level in levels:
        flagged = score >= level
        hit = float(label[flagged].sum())
        touched = np.mean([flagged[a:b].any() for a, b in events.tolist()])
        recall.append(min(hit / positives, 1.0) * float(touched))
        precision.append(hit / float(flagged.sum()))
    return float(np.sum(np.diff(recall) * np.array(precision[1:])))


def _shouldered(inside: Bools, length: int) -> Floats:
    label = inside.astype(np.float64)
    n = len(label)
    for start, stop in runs(inside).tolist():
        for distance in range(1, length // 2 + 1):
            height = np.sqrt(1 - distance / length)
            for place in (start - distance, stop - 1 + distance):
                if 0 <= place < n:
                    label[place] = max(label[place], height)
    return label
