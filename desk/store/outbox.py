"""The outbox: notifications that are to be sent, are being sent, were sent, or are known not to have been."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from desk.rules.notification import Notification
from desk.rules.point import Point
from desk.rules.routing import BUNDLES, HOUR, TEN_MINUTES, Kind, NotificationHistory, Trigger
from desk.rules.scope import Scope
from desk.store.store import Transaction
from pipeline.cause import Cause
from pipeline.records import AlarmEvent

_pack = msgspec.msgpack.Encoder().encode
_notification = msgspec.msgpack.Decoder(Notification).decode
_event = msgspec.msgpack.Decoder(AlarmEvent).decode
_read_cause = msgspec.json.Decoder(Cause).decode


@dataclass(frozen=True, slots=True)
class Posted:
    """A notification and what became of it: waiting, sending, sent, unsent or folded (into a summary)."""

    notification: Notification
    state: str
    attempts: int
    settled: int | None
    cause: Cause | None  # the last error, or a remark
    detail: str  # the same in words, as older versions kept it


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel does: ``failures`` in a row, ``since`` the first; not to be tried before ``next``."""

    failures: int = 0
    since: int | None = None
    next: int = 0
    alarm: AlarmEvent | None = None
    cause: Cause | None = None


def _cause(text: str) -> Cause | None:
    return _read_cause(text) if text else None


def _cause_text(cause: Cause | None) -> str:
    return msgspec.json.encode(cause).decode() if cause else ""


def is_done(t: Transaction, id: str) -> bool:
    """Whether a notification with this id was made."""
    return t.db.execute("SELECT 1 FROM outbox WHERE id = ?", (id,)).fetchone() is not None


def told(t: Transaction, crew: str, now: int) -> NotificationHistory:
    """What a crew was told in the last hour."""
    alarms = t.db.execute(
        "SELECT min(made) FROM outbox WHERE crew = ? AND made > ? AND kind = ? GROUP BY point, announced",
        (crew, now - TEN_MINUTES, Kind.ALARM),
    ).fetchall()
    messages = t.db.execute(
        "SELECT min(made) FROM outbox WHERE crew = ? AND made > ? AND state <> 'folded' AND kind <> ? "
        "GROUP BY kind, point, announced, made",
        (crew, now - HOUR, Kind.ENDED),
    ).fetchall()
    flood = t.db.execute(
        "SELECT body FROM outbox WHERE crew = ? AND made > ? AND kind = ? ORDER BY made DESC LIMIT 1",
        (crew, now - 2 * TEN_MINUTES, Kind.FLOOD),
    ).fetchone()
    since = int(_notification(flood[0]).step.partition(":")[0]) if flood else None
    return NotificationHistory(tuple(row[0] for row in alarms), tuple(row[0] for row in messages), since)


def put(t: Transaction, notification: Notification, trigger: Trigger, *, state: str, over: bool) -> None:
    """Write a notification into the outbox, unless it is there."""
    first: Point | None = None if trigger.kind in BUNDLES else trigger.points[0]
    t.db.execute(
        "INSERT OR IGNORE INTO outbox (id, channel, crew, kind, state, made, attempts, settled, machine, "
        "point, announced, over, detail, body) VALUES (?,?,?,?,?,?,0,?,?,?,?,?,'',?)",
        (
            notification.id,
            notification.channel,
            notification.crew,
            notification.kind,
            state,
            notification.made,
            notification.made if state == "folded" else None,
            first.machine if first else "",
            first.id if first else "",
            first.announced if first else 0,
            over or first is None,
            _pack(notification),
        ),
    )


def put_change(t: Transaction, notification: Notification, machine: str) -> None:
    """Write what is told of a work order into the outbox, unless it is there."""
    t.db.execute(
        "INSERT OR IGNORE INTO outbox (id, channel, crew, kind, state, made, attempts, settled, machine, "
        "point, announced, over, detail, body) VALUES (?,?,'',?,'waiting',?,0,NULL,?,'',0,1,'',?)",
        (
            notification.id,
            notification.channel,
            notification.kind,
            notification.made,
            machine,
            _pack(notification),
        ),
    )


def not_over(t: Transaction) -> list[tuple[str, int, str, str]]:
    """(point, announcement, crew, channel) of what some system was told of, and not yet that it is over."""
    query = "SELECT DISTINCT point, announced, crew, channel FROM outbox WHERE over = 0"
    return t.db.execute(query).fetchall()


def mark_over(t: Transaction, point: str, announced: int, channel: str) -> None:
    """That announcement is over for that channel."""
    t.db.execute(
        "UPDATE outbox SET over = 1 WHERE point = ? AND announced = ? AND channel = ? AND over = 0",
        (point, announced, channel),
    )


def put_copy(t: Transaction, original: str, copy: Notification, next: int) -> None:
    """Write a notification for one address that did not take ``original``, to be tried at ``next``."""
    t.db.execute(
        "INSERT OR IGNORE INTO outbox (id, channel, crew, kind, state, made, attempts, settled, machine, "
        "point, announced, over, detail, body, next) SELECT ?, channel, crew, kind, 'waiting', made, 1, "
        "NULL, machine, point, announced, 1, '', ?, ? FROM outbox WHERE id = ?",
        (copy.id, _pack(copy), next, original),
    )


def next_waiting(t: Transaction, channel: str, now: int) -> tuple[Notification, int] | None:
    """The notification that has waited longest of those to be tried by ``now``, and how often it was."""
    row = t.db.execute(
        "SELECT body, attempts FROM outbox WHERE channel = ? AND state = 'waiting' AND next <= ? "
        "ORDER BY made, id LIMIT 1",
        (channel, now),
    ).fetchone()
    return (_notification(row[0]), row[1]) if row else None


def put_off(t: Transaction, notification: str, *, next: int, cause: Cause, unsure: bool = False) -> None:
    """Let a notification wait until ``next``; ``unsure`` when it may have gone out."""
    t.db.execute(
        "UPDATE outbox SET state = 'waiting', next = ?, cause = ?, unsure = unsure + ? WHERE id = ?",
        (next, _cause_text(cause), unsure, notification),
    )


def tries(t: Transaction, notification: str) -> tuple[int, int]:
    """How often a notification was tried, and after how many of these it may have gone out."""
    row = t.db.execute("SELECT attempts, unsure FROM outbox WHERE id = ?", (notification,)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def interrupted(t: Transaction, channel: str) -> list[Notification]:
    """Notifications that were being sent when a desk was cut off."""
    query = "SELECT body FROM outbox WHERE channel = ? AND state = 'sending'"
    return [_notification(body) for (body,) in t.db.execute(query, (channel,))]


def mark(
    t: Transaction, notification: str, state: str, *, at: int | None = None, cause: Cause | None = None
) -> None:
    """Move a notification on; ``at`` when this settles it. Going to "sending" counts as a try."""
    t.db.execute(
        "UPDATE outbox SET state = ?, settled = ?, cause = ?, detail = '', attempts = attempts + ? "
        "WHERE id = ?",
        (state, at, _cause_text(cause), state == "sending", notification),
    )


def channel_state(t: Transaction, channel: str) -> ChannelState:
    """How ``channel`` does."""
    query = "SELECT failures, since, next, alarm, cause FROM channels WHERE name = ?"
    row = t.db.execute(query, (channel,)).fetchone()
    if row is None:
        return ChannelState()
    failures, since, later, alarm, cause = row
    return ChannelState(failures, since, later, _event(alarm) if alarm else None, _cause(cause))


def keep_channel(t: Transaction, channel: str, state: ChannelState) -> None:
    """Remember how ``channel`` does."""
    alarm = _pack(state.alarm) if state.alarm else None
    t.db.execute(
        "INSERT OR REPLACE INTO channels (name, failures, since, next, detail, alarm, cause) "
        "VALUES (?,?,?,?,'',?,?)",
        (channel, state.failures, state.since, state.next, alarm, _cause_text(state.cause)),
    )


def posted(
    t: Transaction, scope: Scope, *, point: str | None = None, states: Iterable[str] = (), limit: int = 200
) -> list[Posted]:
    """Notifications about machines within ``scope``, the newest first. Only `EVERYTHING` sees bundles."""
    where, values = scope.sql("machine")
    conditions, parameters = [where], [*values]
    if point is not None:
        conditions.append("point = ?")
        parameters.append(point)
    wanted = list(states)
    if wanted:
        conditions.append(f"state IN ({', '.join('?' * len(wanted))})")
        parameters += wanted
    query = (
        f"SELECT body, state, attempts, settled, cause, detail FROM outbox WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY made DESC, id LIMIT ?"
    )
    rows = t.db.execute(query, (*parameters, limit))
    return [
        Posted(_notification(body), state, attempts, settled, _cause(cause), detail)
        for body, state, attempts, settled, cause, detail in rows
    ]


def prune(t: Transaction, before: int) -> int:
    """Remove notifications that were settled before ``before``; the journal keeps that they were told.

    Those of alarms that still stand stay: they are how it is known that these were told. Returns how many.
    """
    return t.db.execute(
        "DELETE FROM outbox WHERE settled < ? AND state IN ('sent', 'unsent', 'folded') AND over = 1 "
        "AND point NOT IN (SELECT id FROM points WHERE shown = 1)",
        (before,),
    ).rowcount


def counts(t: Transaction) -> dict[str, int]:
    """How many notifications are in each state."""
    return dict(t.db.execute("SELECT state, count(*) FROM outbox GROUP BY state"))
