"""Which rejected messages an operator means."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from connectors.kafka.rejected import Rejected, TakenAgain, read_rejected
from connectors.kafka.settings import KafkaSettings
from streams.operator_error import OperatorError

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Choice:
    """All that a rejection has to meet. Patterns are as in a shell; empty = any. Times are ms UTC.

    ``messages``: these alone, when there are any.
    """

    machine: str = ""
    sensor: str = ""
    reasons: frozenset[str] = frozenset()
    since: int = 0
    until: int = 1 << 62
    messages: frozenset[str] = frozenset()

    def holds(self, one: Rejected) -> bool:
        """Whether a rejection is meant."""
        return (
            self.since <= one.at < self.until
            and (not self.messages or one.message in self.messages)
            and (not self.reasons or one.reason in self.reasons)
            and (not self.machine or fnmatchcase(one.machine, self.machine))
            and (not self.sensor or fnmatchcase(one.sensor, self.sensor))
        )


@dataclass(slots=True)
class Overview:
    """The newest rejections that are meant, without bytes, all of them counted by reason, and the journal."""

    newest: deque[Rejected]
    reasons: Counter[str] = field(default_factory=Counter)
    taken: dict[str, TakenAgain] = field(default_factory=dict)


def overview(settings: KafkaSettings, choice: Choice, most: int | None = None) -> Overview:
    """Look through the topic. ``most``: so many of the newest are kept. Raises `KafkaError`."""
    found = Overview(deque())
    kept: list[Rejected] = []
    for one in read_rejected(settings, choice.since):
        if isinstance(one, TakenAgain):
            found.taken[one.message] = one
        elif choice.holds(one):
            found.reasons[one.reason] += 1
            kept.append(replace(one, value=None))
            if most is not None and len(kept) > 2 * most + 1000:
                kept = sorted(kept, key=lambda one: one.at)[-most:]
    kept.sort(key=lambda one: one.at)
    found.newest = deque(kept, most)
    return found


def journal(settings: KafkaSettings) -> dict[str, TakenAgain]:
    """What was taken again, by message, in the order of time. Raises `KafkaError`."""
    found = [one for one in read_rejected(settings) if isinstance(one, TakenAgain)]
    return {one.message: one for one in sorted(found, key=lambda one: one.at)}


def moment(text: str, now: int) -> int:
    """A time as an operator writes it: ISO 8601 (UTC, unless it says otherwise), or so long ago.

    >>> moment("2h", now=7_200_000), moment("1970-01-02", now=0)
    (0, 86400000)

    Raises `OperatorError`.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - round(float(ago[1]) * _SECONDS[ago[2]] * 1000)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(f"{text!r} is no time: write 2h, 30m, 7d, or 2026-01-31T05:00.") from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
