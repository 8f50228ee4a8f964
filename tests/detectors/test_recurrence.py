"""How long an alarm stands that came back."""

import numpy as np
import pytest

from detectors.decision.recurrence import FleetRecurrence

MINUTE, HOUR = 60_000, 3_600_000


def recurrence(*events):
    """(time, raised) of one machine's alarm, each taking effect at once; the hold in minutes."""
    fleet = FleetRecurrence()
    fleet.resize(1)
    fleet.reset(0, seed=0)
    for time, raised in events:
        fleet.count(0, time, raised)
        fleet.settle(np.array([0]), np.array([time]))
    return fleet.off_delay(0, MINUTE) / MINUTE


def test_the_silence_that_an_alarm_stood_through_counts():
    """It cleared after 60 minutes of silence, and was back 40 minutes later: 100 minutes of silence."""
    first = [(0, True), (HOUR, False), (HOUR + 40 * MINUTE, True)]
    assert recurrence(*first) == 60
    assert recurrence(*first, (5 * HOUR, False), (5 * HOUR + 40 * MINUTE, True)) == 150


def test_no_alarm_stands_through_more_than_a_shift_of_silence():
    events = [(0, True)]
    for _ in range(9):
        cleared = events[-1][0] + 12 * HOUR
        events += [(cleared, False), (cleared + 100 * MINUTE, True)]
    assert recurrence(*events) == 8 * 60


@pytest.mark.parametrize("pause", [3 * HOUR, 9 * HOUR])
def test_an_alarm_that_comes_much_later_is_another(pause):
    assert recurrence((0, True), (HOUR, False), (HOUR + pause, True)) == 1
