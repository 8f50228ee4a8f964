"""The post office: takes letters out of the outbox and sends them, each once, or known to be unsent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import structlog

from desk.notify.base import Channel, NotSentError, RefusedNotificationError, UnsureError
from desk.rules.desk import note
from desk.rules.journal import SYSTEM, Action
from desk.rules.notification import Notification
from desk.rules.routing import HOUR, OWN
from desk.service.desk import Desk
from desk.store import outbox
from desk.store.outbox import ChannelState
from desk.store.store import Transaction
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, alarm_id

log = structlog.get_logger(__name__)


class Dispatcher:
    """Delivers one desk's letters by its channels.

    A letter is marked as being sent before it is, and as sent after. If the desk is cut off in between,
    `recover` sends it again where the receiver knows letters by their id, and gives it up as unsent, saying
    why, where it might arrive twice. A channel that fails is left alone for a while that doubles; after
    ``notify.dead`` failures in a row it raises an alarm of its own.
    """

    def __init__(self, desk: Desk, channels: Mapping[str, Channel]) -> None:
        self.desk, self.channels = desk, channels
        self.settings = desk.settings.notify

    def recover(self) -> int:
        """Settle what was being sent when the last desk was cut off; gives how many. Call at the start."""
        found = 0
        for channel in self.channels.values():
            with self.desk.store.writing() as t:
                for notification in outbox.interrupted(t, channel.name):
                    found += 1
                    if channel.repeatable:
                        outbox.mark(
                            t, notification.id, "waiting", detail="cut off while it was sent; sent again"
                        )
                    else:
                        self._give_up(
                            t,
                            notification,
                            "the desk was cut off while it was sent: it may have gone out, or not",
                        )
        return found

    def deliver(self, name: str) -> int:
        """Send what waits for channel ``name``, until nothing does or it fails; gives how many."""
        channel, settled = self.channels[name], 0
        while (notification := self._claim(channel)) is not None:
            now = self.desk.clock()
            try:
                remark = channel.send(notification, now)
            except NotSentError as error:
                self._failed(channel, notification, str(error))
                return settled
            except RefusedNotificationError as error:
                self._settle(notification, sent=False, detail=str(error))
            except UnsureError as error:
                self._settle(notification, sent=False, detail=f"it may have gone out, or not: {error}")
            else:
                self._settle(notification, sent=True, detail=remark)
                self._works(channel)
            settled += 1
        return settled

    def deliver_all(self) -> int:
        """`deliver` for every channel, one after the other."""
        return sum(self.deliver(name) for name in self.channels)

    # -- steps, each one transaction

    def _claim(self, channel: Channel) -> Notification | None:
        now = self.desk.clock()
        with self.desk.store.reading() as r:
            if (
                outbox.next_waiting(r, channel.name) is None
                or outbox.channel_state(r, channel.name).next > now
            ):
                return None
        keep = self.settings.give_up
        with self.desk.store.writing() as t:
            while (found := outbox.next_waiting(t, channel.name)) is not None:
                notification, attempts = found
                if not attempts or now - notification.made <= keep * HOUR:
                    outbox.mark(t, notification.id, "sending")
                    return notification
                self._give_up(t, notification, f"given up after {attempts} tries in {keep:g} hours")
        return None

    def _settle(self, notification: Notification, *, sent: bool, detail: str) -> None:
        with self.desk.store.writing() as t:
            if not sent:
                self._give_up(t, notification, detail)
                return
            outbox.mark(t, notification.id, "sent", at=self.desk.clock(), detail=detail)
            self._journal(
                t,
                notification,
                Action.TOLD,
                f"{notification.kind} to {notification.crew} by {notification.channel}",
                detail,
            )

    def _give_up(self, t: Transaction, notification: Notification, detail: str) -> None:
        outbox.mark(t, notification.id, "unsent", at=self.desk.clock(), detail=detail)
        self._journal(
            t,
            notification,
            Action.UNSENT,
            f"{notification.kind} to {notification.crew} by {notification.channel}",
            detail,
        )
        log.warning(
            "a message was not sent", notification=notification.id, channel=notification.channel, why=detail
        )

    def _journal(
        self, t: Transaction, notification: Notification, action: Action, what: str, detail: str
    ) -> None:
        why = f"{what}: {detail}" if detail else what
        for alert in notification.alerts:
            point = t.point(alert.point)
            if point is not None:
                entry = note(point, action, at=self.desk.clock(), by=SYSTEM, why=why)
                t.append(msgspec.structs.replace(entry, alarm=alert.id))

    # -- how channels do

    def _failed(self, channel: Channel, notification: Notification, why: str) -> None:
        now = self.desk.clock()
        with self.desk.store.writing() as t:
            before = outbox.channel_state(t, channel.name)
            failures = before.failures + 1
            wait = min(self.settings.first_wait * 2 ** min(before.failures, 30), self.settings.longest_wait)
            state = ChannelState(
                failures,
                now if before.since is None else before.since,
                now + round(wait * 1000),
                why,
                before.alarm,
            )
            outbox.mark(t, notification.id, "waiting", detail=why)
            outbox.keep_channel(t, channel.name, state)
        log.warning("a channel fails", channel=channel.name, failures=failures, wait_s=wait, why=why)
        if failures >= self.settings.dead and state.alarm is None:
            alarm = channel_alarm(channel.name, state, now)
            self.desk.take_in([alarm])
            with self.desk.store.writing() as t:
                outbox.keep_channel(t, channel.name, replace(state, alarm=alarm))

    def _works(self, channel: Channel) -> None:
        with self.desk.store.reading() as r:
            state = outbox.channel_state(r, channel.name)
        if not state.failures:
            return
        if state.alarm is not None:
            over = replace(
                state.alarm, phase=AlarmPhase.CLEARED, time=max(self.desk.clock(), state.alarm.time)
            )
            self.desk.take_in([over])
        with self.desk.store.writing() as t:
            outbox.keep_channel(t, channel.name, ChannelState())


def channel_alarm(name: str, state: ChannelState, now: int) -> AlarmEvent:
    """The alarm of a channel that fails, on the desk's own machine of that name."""
    machine = f"{OWN}/notify/channel/{name}"
    since = now if state.since is None else state.since
    return AlarmEvent(
        id=alarm_id(machine, AlarmKind.LIMIT, "", since),
        machine=machine,
        machine_class="yeji-channel",
        kind=AlarmKind.LIMIT,
        phase=AlarmPhase.RAISED,
        onset=since,
        time=now,
        score=1.0,
        threshold=1.0,
        severity=4,
        detail=f"channel {name} failed {state.failures} times: {state.detail}",
    )
