"""Rows of one machine laid over each other: those of one time become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.batch import Bools
from pipeline.layout import Layout, align, union
from pipeline.records import Frame, Ints


def in_order(frame: Frame) -> Frame:
    """The rows by time; those of the same time stay as they came."""
    if len(frame) < 2 or bool((frame.time[1:] >= frame.time[:-1]).all()):
        return frame
    return frame.rows(np.argsort(frame.time, kind="stable"))


def aligned(frame: Frame, layout: Layout) -> Frame:
    """The frame in the columns ``layout``, which has all of its sensors."""
    if frame.sensors == layout:
        return frame
    uncertain = frame.uncertain
    if uncertain is not None:
        uncertain = align(uncertain.astype(np.float64), frame.sensors, layout) == 1.0
    return Frame(frame.machine, frame.time, layout, align(frame.values, frame.sensors, layout), uncertain)


def stacked(frames: Sequence[Frame]) -> Frame:
    """The frames one after the other, in the columns of all of them."""
    if len(frames) == 1:
        return frames[0]
    layout = frames[0].sensors
    for frame in frames[1:]:
        if frame.sensors != layout:
            layout = union(layout, frame.sensors)
    frames = [aligned(frame, layout) for frame in frames]
    uncertain = None
    if any(frame.uncertain is not None for frame in frames):
        uncertain = np.concatenate(
            [
                np.zeros(frame.values.shape, dtype=np.bool_) if frame.uncertain is None else frame.uncertain
                for frame in frames
            ]
        )
    return Frame(
        frames[0].machine,
        np.concatenate([frame.time for frame in frames]),
        layout,
        np.concatenate([frame.values for frame in frames]),
        uncertain,
    )


def merged(frames: Sequence[Frame]) -> tuple[Frame, Bools]:
    """The frames' rows by time, one a time; and which of all their rows (n,) brought a value a second time.

    Of several values of a sensor for one time, that of the earliest frame counts. A row that adds nothing to
    the ones before it brought its values a second time, too.
    """
    frame = stacked(frames)
    order = np.argsort(frame.time, kind="stable")
    frame = frame.rows(order)
    first = np.concatenate(([True], frame.time[1:] != frame.time[:-1]))
    repeated = np.zeros(len(frame), dtype=np.bool_)
    if first.all():
        return frame, repeated
    group, there = np.cumsum(first) - 1, np.isfinite(frame.values)
    before = np.cumsum(there, axis=0) - there  # values above each cell: in its own group, beside those above
    earlier = before > before[first][group]
    adds = there & ~earlier
    repeated[order] = ~first & ((there & earlier).any(axis=1) | ~adds.any(axis=1))
    return laid_over(frame, np.flatnonzero(first), group, adds), repeated


def laid_over(frame: Frame, first: Ints, group: Ints, adds: Bools) -> Frame:
    """One row a ``group`` (n,) at the time of its ``first`` (g,), with the cells of ``adds`` (n, k)."""
    row, column = np.nonzero(adds)
    values = np.full((len(first), len(frame.sensors)), np.nan)
    values[group[row], column] = frame.values[row, column]
    uncertain = None
    if frame.uncertain is not None:
        uncertain = np.zeros(values.shape, dtype=np.bool_)
        uncertain[group[row], column] = frame.uncertain[row, column]
    return Frame(frame.machine, frame.time[first], frame.sensors, values, uncertain)
