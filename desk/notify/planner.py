"""Writes what is due into the outbox: the plan, the texts, and word that alarms are over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec

from desk.notify.order_texts import OrderWriter
from desk.rules.journal import Entry
from desk.rules.life import Announced
from desk.rules.point import Point
from desk.rules.routing import OWN, Kind, Plan, Trigger, plan
from desk.rules.scope import EVERYTHING, within
from desk.rules.texts import Writer
from desk.rules.views import AlarmView, view
from desk.service.desk import Desk
from desk.service.on_call import OnCallBook
from desk.store import outbox
from desk.store.orders import latest_open
from desk.store.store import Transaction
from pipeline.records import Verdict

#: By this, and a channel's name, it is kept up to which entry the channel was told of work orders.
_ORDERS = "work orders by"


class Planner:
    """Plans for one desk. ``wants_end`` are the channels that are also told when an alarm is over."""

    def __init__(self, desk: Desk, wants_end: Collection[str]) -> None:
        self.desk, self.wants_end = desk, wants_end
        self.zone = ZoneInfo(desk.settings.desk.timezone)
        self.book = OnCallBook(desk)

    def run(self) -> int:
        """Write the notifications that are due; returns how many. Again changes nothing."""
        changes = self._order_changes()
        if not self.desk.settings.notify.crews:
            return changes
        now = self.desk.clock()
        with self.desk.store.reading() as r:  # mostly nothing is due, and nothing need be locked
            due = self._plan(r, now)
            if not due.send and not due.folded and not self._ended(r):
                return changes
        with self.desk.store.writing() as t:
            due = self._plan(t, now)
            writer = Writer(
                self.desk.settings, self.zone, lambda alarm: _last(t, alarm), self.desk.advice.advise
            )
            standing = t.shown(EVERYTHING)
            made = sum(self._write(t, writer, one, now, standing, "waiting") for one in due.send)
            for one in due.folded:
                self._write(t, writer, one, now, standing, "folded")
            for ended, channel in self._ended(t):
                self._put(t, writer, ended, channel, now, standing, "waiting", over=True)
                outbox.mark_over(t, ended.points[0].id, ended.points[0].announced, channel)
                made += 1
            return changes + made

    def _order_changes(self) -> int:
        """Write what channels are to be told of work orders that changed; returns how many.

        Each channel stands at an entry of the journal. One that is new is told how the open orders stand.
        """
        routes = self.desk.settings.notify.work_orders
        channels = sorted({channel for route in routes for channel in route.channels})
        if not channels:
            return 0
        with self.desk.store.reading() as r:
            at = {name: r.offsets(f"{_ORDERS} {name}").get(0) for name in channels}
            told = [seq for seq in at.values() if seq is not None]
            if len(told) == len(channels) and not r.changes_of_orders(min(told), limit=1):
                return 0
        made = 0
        with self.desk.store.writing() as t:
            for name in channels:
                after = at[name]
                if after is None:
                    entries = [t.changes_of_orders(seq - 1, limit=1)[0] for seq in latest_open(t.db)]
                else:
                    entries = t.changes_of_orders(after)
                made += sum(self._put_change(t, entry, name) for entry in entries)
                t.keep_offset(f"{_ORDERS} {name}", 0, t.head()[0])
        return made

    def _put_change(self, t: Transaction, entry: Entry, channel: str) -> int:
        order = entry.work
        routes = [
            route
            for route in self.desk.settings.notify.work_orders
            if channel in route.channels
            and (not route.areas or any(within(entry.machine, area) for area in route.areas))
        ]
        if order is None or not routes:
            return 0
        writer = OrderWriter(self.desk.settings.desk.url, self.zone, routes[0].language)
        outbox.put_change(t, writer.write(entry, order, channel), order.machine)
        return 1

    def _plan(self, t: Transaction, now: int) -> Plan:
        settings = self.desk.settings
        return plan(
            t.shown(EVERYTHING),
            settings.notify,
            now=now,
            zone=self.zone,
            done=lambda id: outbox.is_done(t, id),
            told={crew: outbox.told(t, crew, now) for crew in settings.notify.crews},
            flood=settings.desk.flood,
            on_call=self._on_call(t, now),
        )

    def _on_call(self, t: Transaction, now: int) -> Callable[[str], tuple[str, ...]]:
        """Who is on call for a machine now; the calendar is read when somebody asks first."""
        known: list[Callable[[str], tuple[str, ...]]] = []

        def ask(machine: str) -> tuple[str, ...]:
            if not known:
                known.append(self.book.at(t, now))
            return known[0](machine)

        return ask

    def _write(
        self, t: Transaction, writer: Writer, one: Trigger, now: int, standing: list[Point], state: str
    ) -> int:
        for channel in self.desk.settings.notify.crews[one.crew].channels:
            over = channel not in self.wants_end
            own = all(point.machine == f"{OWN}/notify/channel/{channel}" for point in one.points)
            # A channel does not report its own failure: a dead one does not carry the news of its death.
            self._put(t, writer, one, channel, now, standing, "folded" if own else state, over=over or own)
        return 1

    def _put(
        self,
        t: Transaction,
        writer: Writer,
        one: Trigger,
        channel: str,
        now: int,
        standing: list[Point],
        state: str,
        *,
        over: bool,
    ) -> None:
        alarms = [shown for point in one.points if (shown := self._view(point, standing, now))]
        made = writer.write(one, alarms, channel, now)
        if one.persons and self.desk.settings.notify.channels[channel].kind == "email":
            # Nobody of them with an address: all of the channel's are told, rather than nobody.
            found = self.desk.addresses(one.persons)
            made = msgspec.structs.replace(made, to=tuple(found[p] for p in one.persons if p in found))
        outbox.put(t, made, one, state=state, over=over)

    def _view(self, point: Point, standing: list[Point], now: int) -> AlarmView | None:
        seen = view(point, now=now, stale_after=self.desk.stale_after)
        if seen is None:
            return None
        group = point.group or point.id
        others = [
            shown
            for other in standing
            if other.id != point.id
            and group in (other.group, other.id)
            and (shown := view(other, now=now, stale_after=self.desk.stale_after))
        ]
        return replace(seen, members=tuple(others))

    def _ended(self, t: Transaction) -> list[tuple[Trigger, str]]:
        found: list[tuple[Trigger, str]] = []
        for id, announced, crew, channel in outbox.not_over(t):
            point = t.point(id)
            if point is None or crew not in self.desk.settings.notify.crews:
                continue
            lasts = (
                point.announced == announced
                and not point.life.muted
                and point.life.announced is not Announced.NORMAL
            )
            if not lasts:
                # What is over is the announcement that was told, not the one there may be now.
                then = msgspec.structs.replace(point, announced=announced)
                found.append((Trigger(Kind.ENDED, crew, (then,)), channel))
        return found


def _last(t: Transaction, alarm: AlarmView) -> Verdict | None:
    if within(alarm.machine, OWN):
        return None
    said = t.verdicts(EVERYTHING, machine=alarm.machine, limit=10)
    return next((one for one in said if one.alarm != alarm.id), None)
