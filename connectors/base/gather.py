"""Small frames into larger ones: one a machine, its rows in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.records import Frame


def gathered(frames: Iterable[Frame]) -> list[Frame]:
    """One frame a machine, in the order in which the machines came first.

    Readings of the same machine and time become one row; of two values of one sensor at one time the later
    frame's counts, and a missing one never hides a known one.

    >>> a = Frame("a/b/c/d/e", np.array([2, 1]), ("t",), np.array([[20.0], [10.0]]))
    >>> b = Frame("a/b/c/d/e", np.array([2]), ("p",), np.array([[5.0]]))
    >>> (one,) = gathered([a, b])
    >>> one.time.tolist(), one.sensors, one.values.tolist()
    ([1, 2], ('t', 'p'), [[10.0, nan], [20.0, 5.0]])
    """
    machines: dict[str, list[Frame]] = {}
    for frame in frames:
        machines.setdefault(frame.machine, []).append(frame)
    return [_joined(machine, parts) for machine, parts in machines.items()]


def _joined(machine: str, parts: Sequence[Frame]) -> Frame:
    first = parts[0]
    if len(parts) == 1 and (len(first) < 2 or bool((np.diff(first.time) > 0).all())):
        return first
    sensors = {name: at for at, name in enumerate(dict.fromkeys(s for part in parts for s in part.sensors))}
    all_times = np.concatenate([part.time for part in parts])
    time, row = np.unique(all_times, return_inverse=True)
    values = np.full((len(time), len(sensors)), np.nan)
    doubtful = any(part.uncertain is not None for part in parts)
    uncertain = np.zeros(values.shape, dtype=np.bool_) if doubtful else None
    if all(part.sensors == first.sensors for part in parts):
        _put(values, uncertain, row, np.arange(len(sensors)), list(parts))
    else:
        at = 0
        for part in parts:
            rows = row[at : at + len(part)]
            _put(values, uncertain, rows, np.array([sensors[name] for name in part.sensors]), [part])
            at += len(part)
    return Frame(machine, time, tuple(sensors), values, uncertain)


def _put(
    values: np.ndarray,
    uncertain: np.ndarray | None,
    rows: np.ndarray,
    columns: np.ndarray,
    parts: list[Frame],
) -> None:
    """Scatter the known values of ``parts``, all with the sensors of ``columns``; later ones win."""
    x = parts[0].values if len(parts) == 1 else np.concatenate([part.values for part in parts])
    i, j = np.nonzero(~np.isnan(x))
    values[rows[i], columns[j]] = x[i, j]
    if uncertain is not None:
        marks = np.concatenate(
            [
                np.zeros(part.values.shape, dtype=np.bool_) if part.uncertain is None else part.uncertain
                for part in parts
            ]
        )
        uncertain[rows[i], columns[j]] = marks[i, j]
