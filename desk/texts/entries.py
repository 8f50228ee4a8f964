"""What a journal entry says in words, besides its action."""

from __future__ import annotations

from desk.rules.journal import Entry
from desk.rules.on_call import OnCallChange, Rota, Swap
from desk.texts.catalogue import Texts


def remark(t: Texts, entry: Entry) -> str:
    """What Yeji itself has to say of ``entry``: a version's role, who was to be told by what, a cause."""
    parts = []
    if entry.version:
        parts.append(t("version", version=entry.version, role=t(f"version.{entry.role}")))
    if entry.notified is not None:
        told = entry.notified
        line = t("notified", kind=t(f"notification.{told.kind}"), crew=told.crew, channel=told.channel)
        parts.append(f"{line} ({', '.join(told.to)})" if told.to else line)
    if entry.order is not None:
        parts.append(" ".join(part for part in (entry.order.number, entry.order.url) if part))
    if entry.work is not None:
        parts.append(f"#{entry.work.number} {entry.work.title}")
    if entry.on_call is not None:
        parts.append(_of_calendar(t, entry.on_call))
    if (record := entry.rationalisation) is not None:
        state = "removed" if record.removed else "approved" if record.approved else "proposed"
        parts.append(f"{t(f'rationalisation.{state}')}: {record.cause or record.place}")
    if entry.cause is not None:
        parts.append(t.cause(entry.cause))
    return ": ".join(parts)


def _of_calendar(t: Texts, change: OnCallChange) -> str:
    if isinstance(change, Rota):
        return f"{change.name}: {', '.join(change.people) or t('on.call.ended')}"
    if isinstance(change, Swap):
        return f"{t(f'swap.{change.state}')}: {change.giver} → {change.taker}"
    return f"{change.name}: {len(change.days) + len(change.duties) or t('on.call.ended')}"


def words(t: Texts, entry: Entry) -> str:
    """`remark`, and what a person wrote."""
    return "; ".join(part for part in (remark(t, entry), entry.why) if part)
