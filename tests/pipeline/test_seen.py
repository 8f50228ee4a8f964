"""What was not seen of a machine yet: hours, parts of the day, days of the week."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.seen import DAILY, DAY, HOUR, WEEKLY, Seen

MIDNIGHT = 20_000 * DAY  # UTC


def watched(*stretches: tuple[float, float], step: int = 60_000) -> Seen:
    """A machine with readings in stretches of hours after midnight UTC."""
    seen = Seen()
    for start, end in stretches:
        seen.add(np.arange(MIDNIGHT + int(start * HOUR), MIDNIGHT + int(end * HOUR), step))
    return seen


def codes(seen: Seen, zone: str = "UTC") -> list[tuple[str, dict[str, float | str]]]:
    return [(one.code, one.values) for one in seen.wanting(ZoneInfo(zone))]


def test_a_machine_that_nobody_saw_wants_nothing() -> None:
    seen = Seen()
    seen.add(np.empty(0, dtype=np.int64))
    assert seen.wanting() == []


def test_a_night_is_told_as_one_in_the_plants_own_hours() -> None:
    night = watched((13, 21))  # UTC; 22 to 6 o'clock in Seoul
    assert codes(night, "Asia/Seoul") == [
        ("seen.hours", {"hours": 8, "wanted": 48}),
        ("seen.night", {"start": 22, "end": 6}),
    ]
    assert codes(night)[1] == ("seen.part", {"start": 13, "end": 21})


def test_hours_without_a_reading_were_not_seen() -> None:
    shifts = watched((6, 14), (30, 38))
    assert codes(shifts) == [
        ("seen.hours", {"hours": 16, "wanted": 48}),
        ("seen.part", {"start": 6, "end": 14}),
    ]


@pytest.mark.parametrize(("hours", "wanting"), [(24 * DAILY + 1, ["seen.days"]), (24 * WEEKLY + 1, [])])
def test_days_and_then_weeks_are_enough(hours: int, wanting: list[str]) -> None:
    assert [code for code, _ in codes(watched((0, hours)))] == wanting


def test_machines_that_only_run_by_day_are_known_after_a_week() -> None:
    assert codes(watched(*((24 * day + 8, 24 * day + 17) for day in range(8)))) == []


@given(st.lists(st.integers(0, 10 * 24 * 60), min_size=1, max_size=60, unique=True), st.data())
def test_the_split_of_readings_changes_nothing(minutes: list[int], data: st.DataObject) -> None:
    time = MIDNIGHT + np.array(sorted(minutes)) * 60_000
    cuts = sorted(data.draw(st.lists(st.integers(0, len(time)), max_size=5)))
    whole, parts = Seen(), Seen()
    whole.add(time)
    for part in np.split(time, cuts):
        parts.add(part)
    assert whole == parts
