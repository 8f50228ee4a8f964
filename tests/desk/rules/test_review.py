"""The review: each alarm point once, the most frequent first, with the latest word on each alarm."""

from desk.rules.review import review
from pipeline.priority import Priority
from pipeline.records import Verdict, VerdictKind
from tests.desk.rules.plant import OVEN, PRESS, raised

MINUTE = 60_000


def said(event, kind, at):
    return Verdict(
        id=f"v{at}",
        machine=event.machine,
        machine_class="press",
        kind=kind,
        start=0,
        end=1,
        at=at,
        by="kim",
        alarm=event.id,
    )


def test_each_point_once_with_its_worst_event_and_what_was_found():
    press = [raised(PRESS, onset=k * 100 * MINUTE, severity=2 + k % 2) for k in range(3)]
    oven = raised(OVEN, onset=0, severity=4)
    found = review(
        [
            (press[0], press[0].onset + MINUTE),
            (oven, None),
            (press[1], press[1].onset + 5 * MINUTE),
            (press[2], None),
        ],
        [
            said(press[0], VerdictKind.FAULT, 1),
            said(press[0], VerdictKind.FALSE_ALARM, 9),  # changed afterwards
            said(press[1], VerdictKind.FALSE_ALARM, 2),
        ],
        {"press": 4},
        now=300 * MINUTE,
    )
    assert [(one.event.machine, one.count, one.standing) for one in found] == [
        (PRESS, 3, True),
        (OVEN, 1, True),
    ]
    assert found[0].event.severity == 3
    assert found[0].priority is Priority.URGENT
    assert found[0].longest == 100 * MINUTE
    assert dict(found[0].found) == {VerdictKind.FALSE_ALARM: 2}
    assert found[0].false
    assert not found[1].false
    assert found[1].longest == 300 * MINUTE


def test_nothing_came():
    assert review([], [], {}, 0) == []
