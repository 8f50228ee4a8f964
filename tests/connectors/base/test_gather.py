"""Small frames into larger ones: nothing is lost, rows are in order, later values count."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.gather import gathered
from pipeline.records import Frame

NAMES = ("t", "p", "v")
CELL = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6))


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    times = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
    sensors = draw(st.permutations(NAMES))[: draw(st.integers(1, 3))]
    values = [[draw(CELL) for _ in sensors] for _ in times]
    doubt = draw(st.one_of(st.none(), st.just(True)))
    marks = None if doubt is None else np.array([[draw(st.booleans()) for _ in sensors] for _ in times])
    machine = draw(st.sampled_from(["a/b/c/d/1", "a/b/c/d/2"]))
    return Frame(machine, np.array(times), tuple(sensors), np.array(values), marks)


@given(st.lists(frames(), max_size=6))
def test_it_is_as_if_each_value_had_been_written_into_a_table(parts: list[Frame]) -> None:
    table: dict[tuple[str, int, str], tuple[float, bool]] = {}
    rows: set[tuple[str, int]] = set()
    for frame in parts:
        for i, time in enumerate(frame.time.tolist()):
            rows.add((frame.machine, time))
            for j, name in enumerate(frame.sensors):
                if not math.isnan(frame.values[i, j]):
                    doubt = frame.uncertain is not None and bool(frame.uncertain[i, j])
                    table[frame.machine, time, name] = float(frame.values[i, j]), doubt
    found: dict[tuple[str, int, str], tuple[float, bool]] = {}
    whole = gathered(parts)
    assert [frame.machine for frame in whole] == list(dict.fromkeys(frame.machine for frame in parts))
    for frame in whole:
        assert (np.diff(frame.time) > 0).all()
        for i, time in enumerate(frame.time.tolist()):
            rows.remove((frame.machine, time))
            for j, name in enumerate(frame.sensors):
                if not math.isnan(frame.values[i, j]):
                    doubt = frame.uncertain is not None and bool(frame.uncertain[i, j])
                    found[frame.machine, time, name] = float(frame.values[i, j]), doubt
    assert found == table
    assert not rows
