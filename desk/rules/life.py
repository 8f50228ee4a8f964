"""The life of an alarm point (ISA-18.2, IEC 62682) as tables; time, people and texts are the caller's.

A point is one thing that can alarm on one machine. Its life has regions that move on their own, as in
OPC UA Part 9: what is announced, latching, shelving, suppression by design, and service. Each table below
returns, for every state of its region and every event that the region listens to, the next state or the
reason why the event is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Announced(StrEnum):
    """What asks for people: ISA-18.2's states A to D. While a point is muted only A and B are used."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"


class Shelf(StrEnum):
    """Shelving by a person: until the condition ends (one-shot) or until a time."""

    NONE = "none"
    ONE_SHOT = "one-shot"
    TIMED = "timed"


class Event(StrEnum):
    """What can happen to a point."""

    RAISE = "raise"
    CLEAR = "clear"
    LATCH = "latch"
    UNLATCH = "unlatch"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"
    SHELVE_ONCE = "shelve-once"
    SHELVE_TIMED = "shelve-timed"
    UNSHELVE = "unshelve"
    EXPIRE = "expire"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"


class AlarmState(StrEnum):
    """The one name that is shown: the strongest region wins (service over suppression over shelf)."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"
    SHELVED_ONE_SHOT = "shelved-one-shot"
    SHELVED_TIMED = "shelved-timed"
    SUPPRESSED = "suppressed-by-design"
    OUT_OF_SERVICE = "out-of-service"


class Refusal(StrEnum):
    """Why an event has no place in a state; the words are in the catalogue, as `refused.CODE`."""

    NOT_ACTIVE = "not-active"
    NOTHING_TO_ACKNOWLEDGE = "nothing-to-acknowledge"
    ALREADY_ACKNOWLEDGED = "already-acknowledged"
    MUTED = "muted"
    NOT_SHELVED = "not-shelved"
    NO_TIME = "no-time"
    ONE_SHOT_NEEDS_ALARM = "one-shot-needs-alarm"
    ALREADY_SUPPRESSED = "already-suppressed"
    NOT_SUPPRESSED = "not-suppressed"
    ALREADY_OUT = "already-out-of-service"
    IN_SERVICE = "in-service"
    OUT_OF_SERVICE = "out-of-service"
    ALREADY_LATCHED = "already-latched"
    NOT_LATCHED = "not-latched"


@dataclass(frozen=True, slots=True)
class Life:
    """Where a point is. ``active`` is the process's condition; a latched point stays announced without it."""

    announced: Announced = Announced.NORMAL
    active: bool = False
    latched: bool = False
    shelf: Shelf = Shelf.NONE
    suppressed: bool = False
    out_of_service: bool = False

    @property
    def muted(self) -> bool:
        """Nobody is told: shelved, suppressed by design or out of service."""
        return self.shelf is not Shelf.NONE or self.suppressed or self.out_of_service

    @property
    def state(self) -> AlarmState:
        """The state to show.

        >>> Life(Announced.UNACKNOWLEDGED, active=True, shelf=Shelf.TIMED, suppressed=True).state
        <AlarmState.SUPPRESSED: 'suppressed-by-design'>
        """
        if self.out_of_service:
            return AlarmState.OUT_OF_SERVICE
        if self.suppressed:
            return AlarmState.SUPPRESSED
        if self.shelf is not Shelf.NONE:
            return AlarmState(f"shelved-{self.shelf}")
        return AlarmState(self.announced)

    @property
    def code(self) -> str:
        """The whole life in one word, as the journal keeps it; `parse_life` reads it.

        >>> Life(Announced.UNACKNOWLEDGED, active=True, shelf=Shelf.TIMED).code
        'unacknowledged+active+timed'
        """
        parts = [str(self.announced)]
        parts += ["active"] * self.active + ["latched"] * self.latched
        parts += [str(self.shelf)] * (self.shelf is not Shelf.NONE)
        parts += ["suppressed"] * self.suppressed + ["out-of-service"] * self.out_of_service
        return "+".join(parts)


def parse_life(code: str) -> Life:
    """Read `Life.code`.

    >>> parse_life("returned-unacknowledged") == Life(Announced.RETURNED)
    True

    Raises ValueError when it is not one.
    """
    announced, *flags = code.split("+")
    shelves = [Shelf(flag) for flag in flags if flag in (Shelf.ONE_SHOT, Shelf.TIMED)]
    life = Life(
        Announced(announced),
        active="active" in flags,
        latched="latched" in flags,
        shelf=shelves[0] if shelves else Shelf.NONE,
        suppressed="suppressed" in flags,
        out_of_service="out-of-service" in flags,
    )
    if life.code != code:
        raise ValueError(f"{code!r} is no state of an alarm")
    return life


_A, _E, _R, _S = Announced, Event, Refusal, Shelf

#: (announced, event) → announced, while nothing mutes the point
ANNOUNCED: dict[tuple[Announced, Event], Announced | Refusal] = {
    (_A.NORMAL, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.NORMAL, _E.CLEAR): _R.NOT_ACTIVE,
    (_A.NORMAL, _E.ACKNOWLEDGE): _R.NOTHING_TO_ACKNOWLEDGE,
    (_A.NORMAL, _E.CLOSE): _A.NORMAL,
    (_A.UNACKNOWLEDGED, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.UNACKNOWLEDGED, _E.CLEAR): _A.RETURNED,
    (_A.UNACKNOWLEDGED, _E.ACKNOWLEDGE): _A.ACKNOWLEDGED,
    (_A.UNACKNOWLEDGED, _E.CLOSE): _A.ACKNOWLEDGED,
    (_A.ACKNOWLEDGED, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.ACKNOWLEDGED, _E.CLEAR): _A.NORMAL,
    (_A.ACKNOWLEDGED, _E.ACKNOWLEDGE): _R.ALREADY_ACKNOWLEDGED,
    (_A.ACKNOWLEDGED, _E.CLOSE): _A.ACKNOWLEDGED,
    (_A.RETURNED, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.RETURNED, _E.CLEAR): _R.NOT_ACTIVE,
    (_A.RETURNED, _E.ACKNOWLEDGE): _A.NORMAL,
    (_A.RETURNED, _E.CLOSE): _A.NORMAL,
}

#: the same while something mutes it: the condition is followed, nobody is asked for anything
MUTED: dict[tuple[Announced, Event], Announced | Refusal] = {
    (_A.NORMAL, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.NORMAL, _E.CLEAR): _R.NOT_ACTIVE,
    (_A.NORMAL, _E.ACKNOWLEDGE): _R.MUTED,
    (_A.NORMAL, _E.CLOSE): _A.NORMAL,
    (_A.UNACKNOWLEDGED, _E.RAISE): _A.UNACKNOWLEDGED,
    (_A.UNACKNOWLEDGED, _E.CLEAR): _A.NORMAL,
    (_A.UNACKNOWLEDGED, _E.ACKNOWLEDGE): _R.MUTED,
    (_A.UNACKNOWLEDGED, _E.CLOSE): _A.UNACKNOWLEDGED,
}

#: announced → announced, when the point is muted; what remains is announced when the last mute ends
MUTING: dict[Announced, Announced] = {
    _A.NORMAL: _A.NORMAL,
    _A.UNACKNOWLEDGED: _A.UNACKNOWLEDGED,
    _A.ACKNOWLEDGED: _A.UNACKNOWLEDGED,
    _A.RETURNED: _A.NORMAL,
}

#: (shelf, event) → shelf
SHELVING: dict[tuple[Shelf, Event], Shelf | Refusal] = {
    (_S.NONE, _E.SHELVE_ONCE): _S.ONE_SHOT,
    (_S.NONE, _E.SHELVE_TIMED): _S.TIMED,
    (_S.NONE, _E.UNSHELVE): _R.NOT_SHELVED,
    (_S.NONE, _E.EXPIRE): _R.NOT_SHELVED,
    (_S.ONE_SHOT, _E.SHELVE_ONCE): _S.ONE_SHOT,
    (_S.ONE_SHOT, _E.SHELVE_TIMED): _S.TIMED,
    (_S.ONE_SHOT, _E.UNSHELVE): _S.NONE,
    (_S.ONE_SHOT, _E.EXPIRE): _R.NO_TIME,
    (_S.TIMED, _E.SHELVE_ONCE): _S.ONE_SHOT,
    (_S.TIMED, _E.SHELVE_TIMED): _S.TIMED,
    (_S.TIMED, _E.UNSHELVE): _S.NONE,
    (_S.TIMED, _E.EXPIRE): _S.NONE,
}

#: (suppressed by design, event) → suppressed by design
SUPPRESSION: dict[tuple[bool, Event], bool | Refusal] = {
    (False, _E.SUPPRESS): True,
    (False, _E.UNSUPPRESS): _R.NOT_SUPPRESSED,
    (True, _E.SUPPRESS): _R.ALREADY_SUPPRESSED,
    (True, _E.UNSUPPRESS): False,
}

#: (out of service, event) → out of service
SERVICE: dict[tuple[bool, Event], bool | Refusal] = {
    (False, _E.OUT_OF_SERVICE): True,
    (False, _E.IN_SERVICE): _R.IN_SERVICE,
    (True, _E.OUT_OF_SERVICE): _R.ALREADY_OUT,
    (True, _E.IN_SERVICE): False,
}

#: (latched, event) → latched
LATCHING: dict[tuple[bool, Event], bool | Refusal] = {
    (False, _E.LATCH): True,
    (False, _E.UNLATCH): _R.NOT_LATCHED,
    (True, _E.LATCH): _R.ALREADY_LATCHED,
    (True, _E.UNLATCH): False,
}


def step(life: Life, event: Event) -> Life | Refusal:
    """What ``event`` makes of ``life``, or why it is refused (then nothing changes).

    >>> step(Life(), Event.RAISE).state
    <AlarmState.UNACKNOWLEDGED: 'unacknowledged'>
    >>> step(Life(), Event.ACKNOWLEDGE).value
    'nothing-to-acknowledge'
    """
    if event in (Event.RAISE, Event.CLEAR):
        return _condition(life, event)
    if event in (Event.LATCH, Event.UNLATCH):
        return _latch(life, event)
    if event in (Event.ACKNOWLEDGE, Event.CLOSE):
        announced = (MUTED if life.muted else ANNOUNCED)[life.announced, event]
        return announced if isinstance(announced, Refusal) else replace(life, announced=announced)
    return _mute(life, event)


def _condition(life: Life, event: Event) -> Life | Refusal:
    if event is Event.CLEAR and not life.active:
        return Refusal.NOT_ACTIVE
    if life.latched:  # what is announced stays as it is until the point is quiet
        return replace(life, active=event is Event.RAISE)
    return _announce(replace(life, active=event is Event.RAISE), event)


def _announce(life: Life, event: Event) -> Life | Refusal:
    announced = (MUTED if life.muted else ANNOUNCED)[life.announced, event]
    if isinstance(announced, Refusal):
        return announced
    ended = announced is Announced.NORMAL and life.shelf is Shelf.ONE_SHOT
    return replace(life, announced=announced, shelf=Shelf.NONE if ended else life.shelf)


def _latch(life: Life, event: Event) -> Life | Refusal:
    latched = LATCHING[life.latched, event]
    if isinstance(latched, Refusal):
        return latched
    if latched and not life.active:
        return Refusal.NOT_ACTIVE
    life = replace(life, latched=latched)
    return life if latched or life.active else _announce(life, Event.CLEAR)


def _mute(life: Life, event: Event) -> Life | Refusal:
    if (life.shelf, event) in SHELVING:
        shelf = SHELVING[life.shelf, event]
        if isinstance(shelf, Refusal):
            return shelf
        if shelf is Shelf.ONE_SHOT and MUTING[life.announced] is Announced.NORMAL:
            return Refusal.ONE_SHOT_NEEDS_ALARM
        if shelf is not Shelf.NONE and life.out_of_service:
            return Refusal.OUT_OF_SERVICE
        after = replace(life, shelf=shelf)
    elif (life.suppressed, event) in SUPPRESSION:
        suppressed = SUPPRESSION[life.suppressed, event]
        if isinstance(suppressed, Refusal):
            return suppressed
        after = replace(life, suppressed=suppressed)
    else:
        out = SERVICE[life.out_of_service, event]
        if isinstance(out, Refusal):
            return out
        after = replace(life, out_of_service=out)
    return replace(after, announced=MUTING[life.announced]) if after.muted else after
