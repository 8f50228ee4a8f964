"""A message on its way to one crew by one channel, with everything that any kind of channel needs."""

from __future__ import annotations

import uuid

import msgspec

from desk.rules.routing import Kind
from desk.rules.work_orders import WorkOrder
from pipeline.records import ID_NAMESPACE


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alarm of a notification, for systems that read it. Times in ms UTC."""

    id: str
    point: str
    machine: str
    machine_class: str
    kind: str
    priority: str
    state: str
    starts: int
    summary: str
    description: str
    link: str
    ends: int | None = None
    sensor: str = ""
    score: float = 0.0
    modes: tuple[tuple[str, float], ...] = ()


class OrderChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A work order as one entry ``seq`` of the journal left it: ``by`` did ``act`` at ``at`` (ms UTC)."""

    seq: int
    act: str
    by: str
    at: int
    order: WorkOrder
    why: str = ""


class Notification(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message as it is sent. ``id`` is the same however often it is tried.

    ``more`` alarms are counted in it and not in ``alerts``: a receiver takes no message of any length.
    ``on_call`` are the people who are on call, where the crew goes by the calendar. ``change`` is what it
    tells of a work order, which has no ``alerts``. ``to`` are the addresses that are still to have it, () =
    all of the channel's; ``copy_of`` is the id of the notification that the others had.
    """

    id: str
    kind: Kind
    crew: str
    channel: str
    language: str
    priority: str
    subject: str
    text: str
    made: int
    link: str
    alerts: tuple[Alert, ...]
    step: str = ""
    more: int = 0
    to: tuple[str, ...] = ()
    copy_of: str = ""
    change: OrderChange | None = None
    on_call: tuple[str, ...] = ()

    def only_to(self, address: str) -> Notification:
        """The same notification for one address that did not take it."""
        first = self.copy_of or self.id
        id = str(uuid.uuid5(ID_NAMESPACE, f"copy\n{first}\n{address}"))
        return msgspec.structs.replace(self, id=id, to=(address,), copy_of=first)
