"""A work order (ISA-95, ISO 14224): what is asked for on a machine, who does it, what it took, who signs."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from pipeline.priority import Priority


class OrderState(StrEnum):
    """Where the work stands."""

    REQUESTED = "requested"
    PLANNED = "planned"
    IN_PROGRESS = "in-progress"
    DONE = "done"
    SIGNED_OFF = "signed-off"
    CANCELLED = "cancelled"


class OrderAct(StrEnum):
    """What is done to a work order."""

    REQUEST = "request"
    PLAN = "plan"
    START = "start"
    FINISH = "finish"
    SIGN_OFF = "sign-off"
    REOPEN = "reopen"
    CANCEL = "cancel"


#: States of work that is still to be done or signed.
OPEN_STATES = (OrderState.REQUESTED, OrderState.PLANNED, OrderState.IN_PROGRESS, OrderState.DONE)

_STEPS: dict[OrderAct, tuple[tuple[OrderState, ...], OrderState]] = {
    OrderAct.PLAN: ((OrderState.REQUESTED, OrderState.PLANNED), OrderState.PLANNED),
    OrderAct.START: ((OrderState.REQUESTED, OrderState.PLANNED), OrderState.IN_PROGRESS),
    OrderAct.FINISH: ((OrderState.IN_PROGRESS,), OrderState.DONE),
    OrderAct.SIGN_OFF: ((OrderState.DONE,), OrderState.SIGNED_OFF),
    OrderAct.REOPEN: ((OrderState.DONE,), OrderState.IN_PROGRESS),
    OrderAct.CANCEL: (
        (OrderState.REQUESTED, OrderState.PLANNED, OrderState.IN_PROGRESS),
        OrderState.CANCELLED,
    ),
}


_QUANTITY = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,4})?")


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A spare part that the work took, and how many of it."""

    name: str
    quantity: float = 1.0


class WorkOrder(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One work order as it stands; times in ms UTC.

    ``number`` counts the orders of the machine's site: people say it. ``alarm`` is the alarm that it comes
    of, "" for none. ``downtime`` is for how many minutes the machine stood. ``done_by`` and ``signed_by`` are
    two people. ``external`` is its number in the plant's maintenance system, ``url`` its address there.
    """

    id: str
    number: int
    machine: str
    title: str
    requested_by: str
    requested_at: int
    alarm: str = ""
    state: OrderState = OrderState.REQUESTED
    priority: Priority = Priority.MEDIUM
    assignee: str = ""
    due: int | None = None
    instructions: str = ""
    started_at: int | None = None
    done_by: str = ""
    done_at: int | None = None
    report: str = ""
    verdict: str = ""
    parts: tuple[Part, ...] = ()
    downtime: float | None = None
    signed_by: str = ""
    signed_at: int | None = None
    external: str = ""
    url: str = ""

    @property
    def open(self) -> bool:
        """Whether anything of it is still to be done."""
        return self.state in OPEN_STATES

    @property
    def site(self) -> str:
        """The site whose orders its number counts."""
        return site_of(self.machine)

    def overdue(self, now: int) -> bool:
        """Whether the work should be done by ``now``, and is not."""
        waits = self.state in (OrderState.REQUESTED, OrderState.PLANNED, OrderState.IN_PROGRESS)
        return waits and self.due is not None and self.due < now


def site_of(machine: str) -> str:
    """The site of a machine or place.

    >>> site_of("gwangju/ggm/body/line-2/press-07")
    'gwangju/ggm'
    """
    return "/".join(machine.split("/")[:2])


def step(state: OrderState, act: OrderAct) -> OrderState | None:
    """The state that ``act`` leads to; None where it has no place.

    >>> step(OrderState.PLANNED, OrderAct.START).value, step(OrderState.SIGNED_OFF, OrderAct.REOPEN)
    ('in-progress', None)
    """
    before, after = _STEPS[act]
    return after if state in before else None


def possible(state: OrderState) -> tuple[OrderAct, ...]:
    """What can be done to an order in ``state``."""
    return tuple(act for act in _STEPS if step(state, act) is not None)


def parse_parts(text: str) -> tuple[Part, ...]:
    """Parts as people write them: one a line, with how many before it where it is not one.

    >>> [(one.name, one.quantity) for one in parse_parts("6205 bearing\\n2 x seal\\n0,5 × grease")]
    [('6205 bearing', 1.0), ('seal', 2.0), ('grease', 0.5)]

    Raises ValueError for a quantity of nothing.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        quantity = 1.0
        if len(words) > 2 and words[1] in ("x", "X", "×", "*") and _QUANTITY.fullmatch(words[0]):
            quantity = float(words[0].replace(",", "."))
            words = words[2:]
        if not 0 < quantity <= 100_000:
            raise ValueError(f"{line!r}: a quantity is more than 0 and at most 100000")
        found.append(Part(" ".join(words)[:200], quantity))
    return tuple(found)
