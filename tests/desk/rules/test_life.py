"""Every state and every event of an alarm's life, and sequences of them."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import sampled_from

from desk.rules import life as tables
from desk.rules.life import AlarmState, Announced, Event, Life, Refusal, Shelf, parse_life, step
from desk.rules.opcua import condition_states


def reachable() -> list[Life]:
    found, todo = {Life()}, [Life()]
    while todo:
        here = todo.pop()
        for event in Event:
            after = step(here, event)
            if isinstance(after, Life) and after not in found:
                found.add(after)
                todo.append(after)
    return sorted(found, key=lambda life: life.code)


LIVES = reachable()


def sound(life: Life) -> None:
    """What must hold in every state that can come about."""
    if life.muted:
        assert life.announced in (Announced.NORMAL, Announced.UNACKNOWLEDGED)
    if not life.latched:
        assert life.active == (life.announced in (Announced.UNACKNOWLEDGED, Announced.ACKNOWLEDGED))
    if life.latched:
        assert life.announced in (Announced.UNACKNOWLEDGED, Announced.ACKNOWLEDGED)
    if life.shelf is Shelf.ONE_SHOT:
        assert life.announced is Announced.UNACKNOWLEDGED


def test_states_that_can_come_about():
    # Not muted: 4, and latched 2 with and without the condition. Muted in 11 ways: 2 and 2 latched, but a
    # one-shot shelf (4 of the ways) is on an alarm only.
    assert len(LIVES) == 8 + 7 * 4 + 4 * 3
    assert {life.state for life in LIVES} == set(AlarmState)
    for life in LIVES:
        sound(life)


@pytest.mark.parametrize(("life", "event"), list(product(LIVES, Event)), ids=lambda v: getattr(v, "code", v))
def test_every_pair_is_defined(life, event):
    after = step(life, event)
    assert isinstance(after, (Life, Refusal))
    if isinstance(after, Life):
        sound(after)
        assert after in LIVES


@pytest.mark.parametrize(
    ("table", "states", "events"),
    [
        (tables.ANNOUNCED, Announced, (Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE, Event.CLOSE)),
        (
            tables.MUTED,
            (Announced.NORMAL, Announced.UNACKNOWLEDGED),
            (Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE, Event.CLOSE),
        ),
        (tables.SHELVING, Shelf, (Event.SHELVE_ONCE, Event.SHELVE_TIMED, Event.UNSHELVE, Event.EXPIRE)),
        (tables.SUPPRESSION, (False, True), (Event.SUPPRESS, Event.UNSUPPRESS)),
        (tables.SERVICE, (False, True), (Event.OUT_OF_SERVICE, Event.IN_SERVICE)),
        (tables.LATCHING, (False, True), (Event.LATCH, Event.UNLATCH)),
    ],
)
def test_tables_have_no_hole(table, states, events):
    assert set(table) == set(product(states, events))


def through(*events: Event, start: Life | None = None) -> Life:
    life = start or Life()
    for event in events:
        after = step(life, event)
        assert isinstance(after, Life), f"{event} refused in {life.code}: {after}"
        life = after
    return life


def isa() -> Iterator[tuple[tuple[Event, ...], AlarmState]]:
    """The paths of ISA-18.2's state diagram."""
    e = Event
    yield (e.RAISE,), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.ACKNOWLEDGE), AlarmState.ACKNOWLEDGED
    yield (e.RAISE, e.ACKNOWLEDGE, e.CLEAR), AlarmState.NORMAL
    yield (e.RAISE, e.CLEAR), AlarmState.RETURNED
    yield (e.RAISE, e.CLEAR, e.ACKNOWLEDGE), AlarmState.NORMAL
    yield (e.RAISE, e.CLEAR, e.RAISE), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.ACKNOWLEDGE, e.RAISE), AlarmState.UNACKNOWLEDGED  # re-alarmed
    yield (e.RAISE, e.SHELVE_TIMED), AlarmState.SHELVED_TIMED
    yield (e.RAISE, e.ACKNOWLEDGE, e.SHELVE_TIMED, e.EXPIRE), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.SHELVE_TIMED, e.CLEAR, e.EXPIRE), AlarmState.NORMAL
    yield (e.RAISE, e.SHELVE_ONCE, e.CLEAR), AlarmState.NORMAL
    yield (e.RAISE, e.SHELVE_ONCE, e.CLEAR, e.RAISE), AlarmState.UNACKNOWLEDGED
    yield (e.SHELVE_TIMED, e.RAISE), AlarmState.SHELVED_TIMED
    yield (e.SHELVE_TIMED, e.RAISE, e.UNSHELVE), AlarmState.UNACKNOWLEDGED
    yield (e.SUPPRESS, e.RAISE), AlarmState.SUPPRESSED
    yield (e.SUPPRESS, e.RAISE, e.UNSUPPRESS), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.SUPPRESS, e.CLEAR, e.UNSUPPRESS), AlarmState.NORMAL
    yield (e.SHELVE_TIMED, e.SUPPRESS, e.UNSUPPRESS), AlarmState.SHELVED_TIMED
    yield (e.OUT_OF_SERVICE, e.RAISE, e.SUPPRESS), AlarmState.OUT_OF_SERVICE
    yield (e.OUT_OF_SERVICE, e.RAISE, e.IN_SERVICE), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.LATCH, e.CLEAR), AlarmState.UNACKNOWLEDGED
    yield (e.RAISE, e.ACKNOWLEDGE, e.LATCH, e.CLEAR, e.RAISE), AlarmState.ACKNOWLEDGED
    yield (e.RAISE, e.LATCH, e.CLEAR, e.UNLATCH), AlarmState.RETURNED
    yield (e.RAISE, e.LATCH, e.ACKNOWLEDGE, e.CLEAR, e.UNLATCH), AlarmState.NORMAL
    yield (e.RAISE, e.LATCH, e.SHELVE_ONCE, e.CLEAR, e.UNLATCH), AlarmState.NORMAL
    yield (e.RAISE, e.CLOSE), AlarmState.ACKNOWLEDGED  # a word does not end a condition
    yield (e.RAISE, e.CLEAR, e.CLOSE), AlarmState.NORMAL


@pytest.mark.parametrize(
    ("events", "state"), list(isa()), ids=lambda v: "-".join(v) if isinstance(v, tuple) else v
)
def test_isa_paths(events, state):
    assert through(*events).state is state


@pytest.mark.parametrize(
    ("events", "last", "why"),
    [
        ((), Event.ACKNOWLEDGE, Refusal.NOTHING_TO_ACKNOWLEDGE),
        ((Event.RAISE, Event.ACKNOWLEDGE), Event.ACKNOWLEDGE, Refusal.ALREADY_ACKNOWLEDGED),
        ((Event.RAISE, Event.SHELVE_TIMED), Event.ACKNOWLEDGE, Refusal.MUTED),
        ((), Event.CLEAR, Refusal.NOT_ACTIVE),
        ((), Event.SHELVE_ONCE, Refusal.ONE_SHOT_NEEDS_ALARM),
        ((Event.RAISE, Event.CLEAR), Event.SHELVE_ONCE, Refusal.ONE_SHOT_NEEDS_ALARM),
        ((Event.RAISE, Event.SHELVE_ONCE), Event.EXPIRE, Refusal.NO_TIME),
        ((Event.OUT_OF_SERVICE,), Event.SHELVE_TIMED, Refusal.OUT_OF_SERVICE),
        ((), Event.LATCH, Refusal.NOT_ACTIVE),
        ((), Event.EXPIRE, Refusal.NOT_SHELVED),
    ],
)
def test_refusals_say_why(events, last, why):
    assert step(through(*events), last) is why


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.code)
def test_code_and_opc_ua(life):
    assert parse_life(life.code) == life
    states = condition_states(life)
    assert states.suppressed_or_shelved == (life.suppressed or life.shelf is not Shelf.NONE)
    assert not states.active or states.retain
    if life.state is AlarmState.RETURNED:
        assert (states.active, states.acked, states.retain) == (False, False, True)
    if life.state is AlarmState.ACKNOWLEDGED:
        assert (states.active, states.acked) == (True, True)


def test_bad_code_is_refused():
    with pytest.raises(ValueError, match="no state"):
        parse_life("normal+sleeping")


class AlarmLife(RuleBasedStateMachine):
    """Any sequence of events, against a model that keeps the facts apart."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.condition = self.suppressed = self.out = False

    @rule(event=sampled_from(list(Event)))
    def happen(self, event):
        before = self.life
        after = step(before, event)
        if isinstance(after, Refusal):
            return
        self.life = after
        self.condition = {Event.RAISE: True, Event.CLEAR: False}.get(event, self.condition)
        self.suppressed = {Event.SUPPRESS: True, Event.UNSUPPRESS: False}.get(event, self.suppressed)
        self.out = {Event.OUT_OF_SERVICE: True, Event.IN_SERVICE: False}.get(event, self.out)
        if before.muted and not after.muted and after.active:
            assert after.announced is Announced.UNACKNOWLEDGED  # told anew when the mute ends
        if event is Event.RAISE and not after.muted and not before.latched:
            assert after.announced is Announced.UNACKNOWLEDGED

    @invariant()
    def facts_hold(self):
        sound(self.life)
        assert (self.life.active, self.life.suppressed, self.life.out_of_service) == (
            self.condition,
            self.suppressed,
            self.out,
        )
        if self.condition:
            assert self.life.announced in (Announced.UNACKNOWLEDGED, Announced.ACKNOWLEDGED)


AlarmLife.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAlarmLife = AlarmLife.TestCase
