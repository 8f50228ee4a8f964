"""The alarm's state table, every state against every kind of reading."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.condition import Episode, Readings, Rule, advance
from pipeline.records import State

RULE = Rule(threshold=0.99, clear=0.9, on_delay=2000, off_delay=5000, min_readings=2)
LOW, BETWEEN, OVER, NOTHING = 0.5, 0.95, 0.999, float("nan")


def readings(scores: list[float], start: int = 0, step: int = 1000) -> Readings:
    n = len(scores)
    each = np.tile([[0.75, 0.25]], (n, 1))
    values = np.arange(2.0 * n).reshape(n, 2)
    return Readings(start + step * np.arange(n), np.array(scores), values, each, values, values)


def walk(scores: list[float]) -> tuple[list[State], list[tuple[int, bool]], Episode | None]:
    states, episode, changes = advance(State.NORMAL, None, RULE, readings(scores))
    return states, [(change.index, change.raised) for change in changes], episode


N, S, A = State.NORMAL, State.SUSPECT, State.ALARM


@pytest.mark.parametrize(
    ("scores", "states", "changes"),
    [
        ([LOW], [N], []),
        ([BETWEEN], [N], []),  # hysteresis: it takes the threshold to begin
        ([NOTHING], [N], []),
        ([OVER], [S], []),
        ([OVER, LOW], [S, N], []),
        ([OVER, BETWEEN], [S, S], []),
        ([OVER, NOTHING], [S, S], []),
        ([OVER, OVER], [S, S], []),  # not long enough
        ([OVER, BETWEEN, BETWEEN], [S, S, S], []),  # long enough, not often enough over
        ([OVER, OVER, OVER], [S, S, A], [(2, True)]),
        ([OVER, OVER, BETWEEN], [S, S, A], [(2, True)]),
        ([OVER, OVER, OVER, NOTHING], [S, S, A, A], [(2, True)]),
        ([OVER] * 3 + [BETWEEN], [S, S, A, A], [(2, True)]),
        ([OVER] * 3 + [LOW], [S, S, A, A], [(2, True)]),
        ([OVER] * 3 + [LOW] * 5, [S, S, A] + [A] * 5, [(2, True)]),
        ([OVER] * 3 + [LOW] * 6, [S, S, A] + [A] * 5 + [N], [(2, True), (8, False)]),
        ([OVER] * 3 + [LOW] * 4 + [BETWEEN] + [LOW] * 4, [S, S] + [A] * 10, [(2, True)]),  # begins anew
        ([OVER] * 3 + [LOW] * 6 + [OVER], [S, S] + [A] * 6 + [N, S], [(2, True), (8, False)]),
    ],
)
def test_every_row_of_the_table(
    scores: list[float], states: list[State], changes: list[tuple[int, bool]]
) -> None:
    found, moved, episode = walk(scores)
    assert found == states
    assert moved == changes
    assert (episode is None) == (states[-1] is N)


@pytest.mark.parametrize("cut", range(1, 15))
def test_cutting_changes_nothing(cut: int) -> None:
    scores = [LOW, OVER, OVER, BETWEEN, OVER, LOW, LOW, NOTHING, LOW, LOW, LOW, LOW, OVER, OVER, OVER, OVER]
    whole, _, changes = advance(State.NORMAL, None, RULE, readings(scores))
    first, episode, early = advance(State.NORMAL, None, RULE, readings(scores[:cut]))
    rest = readings(scores[cut:], start=1000 * cut)
    second, _, late = advance(first[-1], episode, RULE, rest)
    assert first + second == whole
    moved = [(c.index, c.raised) for c in early] + [(c.index + cut, c.raised) for c in late]
    assert moved == [(c.index, c.raised) for c in changes]


def test_an_episode_says_when_it_began_how_high_it_went_and_who_raised_it() -> None:
    scores = [LOW, 0.99, 0.9999, 0.995]
    _, episode, changes = advance(State.NORMAL, None, RULE, readings(scores))
    assert episode is not None
    assert changes[0].episode.onset == 1000
    assert episode.peak == 0.9999
    assert episode.value.tolist() == [4.0, 5.0]
    assert episode.share.tolist() == [0.75 * 3, 0.25 * 3]


def test_a_raised_alarm_keeps_what_was_known_then() -> None:
    _, episode, changes = advance(State.NORMAL, None, RULE, readings([OVER] * 3 + [0.9999]))
    assert episode is not None
    assert episode.peak == 0.9999
    assert changes[0].episode.peak == OVER
