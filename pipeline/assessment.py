"""How a machine stands when all that is known of it is taken together (ISO 13374: health assessment)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind, State

#: Health under the one wants somebody now, under the other planned work.
HEALTH_ACT, HEALTH_PLAN = 40.0, 70.0
#: Alarms that speak of the machine itself; others say that less is known of it.
_OF_THE_MACHINE = (AlarmKind.CONDITION, AlarmKind.LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An alarm that speaks against its machine. ``active``: its condition lasts.

    ``since`` (event time, ms UTC) is when the present alarm began. ``count`` raises of it, the first at
    ``first``, were judged by nobody; ``growth`` is how much worse the last was than the first, of ``grows``.
    """

    event: AlarmEvent
    priority: Priority
    active: bool
    since: int
    count: int = 1
    first: int = 0
    growth: float | None = None
    grows: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state to show, the priority of what waits or lasts, and what leads.

    ``health_low``: health itself stands against the machine. ``against``: something does that its readings'
    own state does not say.
    """

    state: State
    priority: Priority | None = None
    lead: Standing | None = None
    health_low: bool = False
    against: bool = False


def assess(
    state: State,
    health: float | None,
    standing: Iterable[Standing] = (),
    *,
    open_alarms: int = 0,
    often: int = 3,
) -> Assessment:
    """What a page says of a machine whose latest reading is in ``state``: the worst of all that is known.

    It is in alarm while a condition or a fixed limit stands against it, or its health asks for somebody; it
    is suspect while any other alarm lasts, one came ``often`` with nobody judging it, or health asks for
    planned work. ``open_alarms``: how many the store of readings knows, told or not.

    >>> assess(State.NORMAL, 62.0).state.name, assess(State.LEARNING, None).state.name
    ('SUSPECT', 'LEARNING')
    """
    found = sorted(standing, key=lambda one: (not one.active, -one.priority, one.since, one.event.id))
    worst = state
    if open_alarms or any(one.active or one.count >= often for one in found):
        worst = max(worst, State.SUSPECT)
    if any(one.active and one.event.kind in _OF_THE_MACHINE for one in found):
        worst = State.ALARM
    if health is not None and health < HEALTH_PLAN:
        worst = max(worst, State.ALARM if health < HEALTH_ACT else State.SUSPECT)
    return Assessment(
        State(worst),
        max((one.priority for one in found), default=None),
        found[0] if found else None,
        health is not None and health < HEALTH_PLAN,
        worst > state,
    )
