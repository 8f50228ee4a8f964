"""The dispatcher: takes notifications out of the outbox and sends them, each once, or known to be unsent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import structlog

from desk.notify.base import (
    Channel,
    DeferredError,
    NotSentError,
    RefusedNotificationError,
    Sent,
    UnsureError,
)
from desk.rules.desk import note
from desk.rules.journal import SYSTEM, Action, Entry, Notified
from desk.rules.notification import Notification
from desk.rules.routing import HOUR, OWN
from desk.service.desk import Desk
from desk.store import outbox
from desk.store.outbox import ChannelState
from desk.store.store import Transaction
from desk.texts.catalogue import english
from pipeline.cause import Cause, because
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, alarm_id

log = structlog.get_logger(__name__)
#: An urgent notification that may have gone out or not is sent again so often at most.
_MOST_AGAIN = 3


class Dispatcher:
    """Delivers one desk's notifications by its channels.

    A notification is marked as being sent before it is, and as sent after. If the desk is cut off in between,
    `recover` sends it again where the receiver knows notifications by their id, and gives it up as unsent,
    saying why, where it might arrive twice. Only an urgent alarm's is sent again even there, for twice is
    better than never; it keeps its Message-ID. A channel that fails is left alone for a while that doubles;
    after ``notify.dead`` failures in a row it raises an alarm of its own. One address that takes nothing for
    now gets it later, by itself, and holds up nobody.
    """

    def __init__(self, desk: Desk, channels: Mapping[str, Channel]) -> None:
        self.desk, self.channels = desk, channels
        self.settings = desk.settings.notify

    def recover(self) -> int:
        """Settle what was being sent when the last desk was cut off; returns how many. Call at the start."""
        found = 0
        for channel in self.channels.values():
            with self.desk.store.writing() as t:
                for notification in outbox.interrupted(t, channel.name):
                    found += 1
                    if channel.repeatable:
                        outbox.mark(t, notification.id, "waiting", cause=Cause("delivery.again"))
                    else:
                        self._unsure(t, notification, Cause("delivery.interrupted"))
        return found

    def deliver(self, name: str) -> int:
        """Send what waits for channel ``name``, until nothing does or it fails; returns how many."""
        channel, settled = self.channels[name], 0
        while (notification := self._claim(channel)) is not None:
            now = self.desk.clock()
            try:
                sent = channel.send(notification, now)
            except NotSentError as error:
                self._failed(channel, notification, error.cause)
                return settled
            except DeferredError as error:
                self._put_off(notification, error.cause)
            except RefusedNotificationError as error:
                self._refused(notification, error.cause)
            except UnsureError as error:
                with self.desk.store.writing() as t:
                    self._unsure(t, notification, error.cause)
                self._trouble(channel, error.cause)
                return settled + 1
            else:
                self._settle(notification, sent)
                self._works(channel)
            settled += 1
        return settled

    # -- steps, each one transaction

    def _claim(self, channel: Channel) -> Notification | None:
        now = self.desk.clock()
        with self.desk.store.reading() as r:
            if (
                outbox.next_waiting(r, channel.name, now) is None
                or outbox.channel_state(r, channel.name).next > now
            ):
                return None
        keep = self.settings.give_up
        with self.desk.store.writing() as t:
            while (found := outbox.next_waiting(t, channel.name, now)) is not None:
                notification, attempts = found
                if not attempts or now - notification.made <= keep * HOUR:
                    outbox.mark(t, notification.id, "sending")
                    return notification
                self._give_up(t, notification, Cause("delivery.given-up", attempts=attempts, hours=keep))
        return None

    def _settle(self, notification: Notification, sent: Sent) -> None:
        now = self.desk.clock()
        with self.desk.store.writing() as t:
            again = outbox.tries(t, notification.id)[1]
            remark = _twice(sent.remark) if again else sent.remark
            outbox.mark(t, notification.id, "sent", at=now, cause=remark)
            for address in sent.later:
                outbox.put_copy(t, notification.id, notification.only_to(address), now + self._wait(1))
            self._journal(t, notification, Action.TOLD, remark)

    def _refused(self, notification: Notification, cause: Cause) -> None:
        with self.desk.store.writing() as t:
            self._give_up(t, notification, cause)

    def _put_off(self, notification: Notification, cause: Cause) -> None:
        """One address does not take it for now."""
        with self.desk.store.writing() as t:
            tried, _ = outbox.tries(t, notification.id)
            outbox.put_off(t, notification.id, next=self.desk.clock() + self._wait(tried), cause=cause)

    def _unsure(self, t: Transaction, notification: Notification, cause: Cause) -> None:
        """It may have gone out, or not: an urgent one is sent again, a few times; the others are not."""
        _, unsure = outbox.tries(t, notification.id)
        if notification.priority != "urgent" or unsure >= _MOST_AGAIN:
            self._give_up(t, notification, because("delivery.unsure", cause))
            return
        wait = round(self.settings.longest_wait * 1000) * 2**unsure
        again = because("delivery.unsure.again", cause)
        outbox.put_off(t, notification.id, next=self.desk.clock() + wait, cause=again, unsure=True)
        self._journal(t, notification, Action.UNSENT, again)

    def _wait(self, tries: int) -> int:
        """How long (ms) to leave alone what failed ``tries`` times in a row."""
        doubled = self.settings.first_wait * 2.0 ** min(max(tries - 1, 0), 30)
        return round(min(doubled, self.settings.longest_wait) * 1000)

    def _give_up(self, t: Transaction, notification: Notification, cause: Cause) -> None:
        outbox.mark(t, notification.id, "unsent", at=self.desk.clock(), cause=cause)
        self._journal(t, notification, Action.UNSENT, cause)
        log.warning(
            "a message was not sent",
            notification=notification.id,
            channel=notification.channel,
            why=english(cause),
        )

    def _journal(
        self, t: Transaction, notification: Notification, action: Action, cause: Cause | None
    ) -> None:
        told = Notified(notification.kind, notification.crew, notification.channel, notification.to)
        if (change := notification.change) is not None:
            now, order = self.desk.clock(), change.order
            entry = Entry(
                at=now,
                time=now,
                by=SYSTEM,
                action=action,
                machine=order.machine,
                alarm=order.alarm,
                cause=cause,
                notified=told,
                about=order.id,
            )
            t.append(entry)
        for alert in notification.alerts:
            point = t.point(alert.point)
            if point is not None:
                entry = note(point, action, at=self.desk.clock(), by=SYSTEM, cause=cause)
                t.append(msgspec.structs.replace(entry, alarm=alert.id, notified=told))

    # -- how channels do

    def _failed(self, channel: Channel, notification: Notification, cause: Cause) -> None:
        with self.desk.store.writing() as t:
            outbox.mark(t, notification.id, "waiting", cause=cause)
        self._trouble(channel, cause)

    def _trouble(self, channel: Channel, cause: Cause) -> None:
        """The channel failed once more: leave it alone for a while, and raise its alarm when it is dead."""
        now = self.desk.clock()
        with self.desk.store.writing() as t:
            before = outbox.channel_state(t, channel.name)
            failures = before.failures + 1
            wait = self._wait(failures)
            state = ChannelState(
                failures, now if before.since is None else before.since, now + wait, before.alarm, cause
            )
            outbox.keep_channel(t, channel.name, state)
        log.warning(
            "a channel fails",
            channel=channel.name,
            failures=failures,
            wait_s=wait / 1000,
            why=english(cause),
        )
        if failures >= self.settings.dead and state.alarm is None:
            alarm = channel_alarm(channel.name, state, now)
            self.desk.receive([alarm])
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
            self.desk.receive([over])
        with self.desk.store.writing() as t:
            outbox.keep_channel(t, channel.name, ChannelState())


def _twice(remark: Cause | None) -> Cause:
    return because("delivery.twice.with", remark) if remark else Cause("delivery.twice")


def channel_alarm(name: str, state: ChannelState, now: int) -> AlarmEvent:
    """The alarm of a channel that fails, on the desk's own machine of that name."""
    machine = f"{OWN}/notify/channel/{name}"
    since = now if state.since is None else state.since
    last = state.cause or Cause("unknown")
    cause = because("channel.failed", last, channel=name, failures=state.failures)
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
        detail=english(cause),
        cause=cause,
    )
