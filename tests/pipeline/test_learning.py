"""What is learned, and what never: blocks are released only when the block after them was healthy too."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.batch import Batch
from pipeline.learning.learning import GuardedLearning
from pipeline.records import State

BLOCK = 4


def learned(states: list[State], cuts: list[int]) -> list[int]:
    """The numbers of the readings that are released, when the stream is cut so."""
    guard = GuardedLearning(1, BLOCK, 1)
    guard.resize(2)
    guard.reset(1, 0)
    found: list[int] = []
    edges = [0, *sorted({c for c in cuts if 0 < c < len(states)}), len(states)]
    for a, b in pairwise(edges):
        number = np.arange(a, b)
        batch = Batch(np.array([1]), np.array([b - a]), number, number[:, None] * 1.0)
        for part, at in guard.rounds(batch):
            released = guard.add(
                part,
                number[at, None] * 1.0,
                np.array([states[a + i] for i in at], dtype=np.uint8),
            )
            if released is not None:
                assert released.raw[:, 0].tolist() == released.batch.x[:, 0].tolist()
                found += released.batch.time.tolist()
    return found


N, S, A = State.NORMAL, State.SUSPECT, State.ALARM


def test_healthy_readings_are_learned_one_block_late() -> None:
    assert learned([N] * 12, []) == list(range(8))


def test_nothing_around_an_alarm_is_learned() -> None:
    states = [N] * 12 + [S, S, A, A] + [N] * 12
    assert learned(states, []) == [*range(8), *range(16, 24)]


def test_what_leads_up_to_an_alarm_is_not_learned() -> None:
    states = [N] * 10 + [S] * 4 + [A] * 6 + [N] * 8
    assert all(number < 8 or number >= 20 for number in learned(states, []))


def test_a_single_odd_reading_is_learned() -> None:
    assert learned([N] * 5 + [S] + [N] * 10, []) == list(range(12))


@given(
    st.lists(st.sampled_from([N, N, N, S, A]), min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=20),
)
def test_cutting_changes_nothing_and_no_alarmed_reading_is_ever_learned(
    states: list[State], cuts: list[int]
) -> None:
    found = learned(states, cuts)
    assert found == learned(states, [])
    assert all(states[number] is not A for number in found)
    assert found == sorted(set(found))
