"""An alarm's life in the words of OPC UA Part 9 (AlarmConditionType), for systems that speak it."""

from __future__ import annotations

from dataclasses import dataclass

from desk.rules.life import Announced, Life, Shelf

_SHELVING = {Shelf.NONE: "Unshelved", Shelf.ONE_SHOT: "OneShotShelved", Shelf.TIMED: "TimedShelved"}


@dataclass(frozen=True, slots=True)
class ConditionStates:
    """The two-state and shelving variables of one AlarmConditionType instance."""

    active: bool
    acked: bool
    shelving: str
    suppressed: bool
    out_of_service: bool
    latched: bool
    suppressed_or_shelved: bool
    retain: bool


def condition_states(life: Life) -> ConditionStates:
    """Map a life (OPC 10000-9, 5.8.2): ActiveState is what is announced, so a latched one stays active.

    >>> condition_states(Life(Announced.RETURNED)).acked
    False
    """
    waits = not life.muted and life.announced in (Announced.UNACKNOWLEDGED, Announced.RETURNED)
    active = life.active or life.latched
    return ConditionStates(
        active=active,
        acked=not waits,
        shelving=_SHELVING[life.shelf],
        suppressed=life.suppressed,
        out_of_service=life.out_of_service,
        latched=life.latched,
        suppressed_or_shelved=life.suppressed or life.shelf is not Shelf.NONE,
        retain=active or waits,
    )
