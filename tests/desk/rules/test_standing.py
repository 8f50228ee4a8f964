"""What stands against machines, from the desk and from a store of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base.history import Alarm
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING, Scope
from desk.rules.standing import of_alarms
from desk.service.desk import Desk
from desk.store.listing import Choice
from pipeline.priority import Priority
from pipeline.records import Contribution, VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import OVEN, PRESS, RIVAL, cleared, limit, raised

HOUR = 3_600_000
NOW = 1_760_000_000_000


def worse(k: int):
    """The k-th raise of a press whose vibration grows; each is over after a minute."""
    parts = (Contribution("vibration", 0.9, 4.0 + k, 3.0, 4.0 + k),)
    onset = NOW - (10 - k) * 5 * HOUR
    return raised(onset=onset, contributions=parts), cleared(onset=onset, contributions=parts)


@pytest.fixture
def desk(tmp_path: Path):
    made = Desk(tmp_path / "desk.sqlite", Settings(data=tmp_path), lambda: NOW)
    yield made
    made.close()


def test_a_press_that_comes_back_and_grows_stands_even_when_nothing_is_open(desk: Desk) -> None:
    for k in range(5):
        begun, ended = worse(k)
        desk.receive([begun, ended])
        desk.acknowledge(EVERYTHING, begun.id, by="kim")
    assert desk.listed(EVERYTHING, Choice())[0].open == 0  # nothing waits and nothing lasts
    (found,) = desk.standing(EVERYTHING)[PRESS]
    assert (found.count, found.active, found.grows) == (5, False, "vibration")
    assert found.growth == pytest.approx(2.0)
    assert found.first == worse(0)[0].time
    assert desk.standing(EVERYTHING, PRESS) == desk.standing(EVERYTHING)
    assert desk.standing(Scope.of("ulsan")) == {}

    desk.close_alarm(EVERYTHING, worse(4)[0].id, Finding(VerdictKind.FALSE_ALARM), by="kim")
    assert desk.standing(EVERYTHING) == {}  # somebody said what it was


def test_a_limit_that_lasts_stands_with_the_priority_of_the_desk(desk: Desk) -> None:
    event = limit("trip", NOW - HOUR, severity=4)
    desk.receive([event])
    (found,) = desk.standing(EVERYTHING, PRESS)[PRESS]
    assert (found.active, found.since, found.priority) == (True, NOW - HOUR, Priority.HIGH)
    desk.acknowledge(EVERYTHING, event.id, by="kim")
    assert desk.standing(EVERYTHING)[PRESS] == [found]  # an answer ends nothing


def test_a_store_of_results_says_the_same_where_nobody_judges() -> None:
    past = [Alarm(*worse(k)) for k in range(4)]
    open_ = limit("warn", NOW - HOUR, machine=OVEN)
    once = Alarm(raised(RIVAL, NOW - 2 * HOUR), cleared(RIVAL, NOW - 2 * HOUR))
    found = of_alarms([*past, Alarm(open_, None), once], 3)
    assert set(found) == {PRESS, OVEN}
    assert (found[PRESS][0].count, found[PRESS][0].active) == (4, False)
    assert found[PRESS][0].growth == pytest.approx(7 / 4)
    assert (found[OVEN][0].event, found[OVEN][0].active) == (open_, True)
