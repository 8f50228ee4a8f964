"""The review of an alarm system (ISA-18.2): each alarm that came, how often, how long, and what it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from desk.rules.point import point_id
from pipeline.priority import Priority, priority_of
from pipeline.records import AlarmEvent, Verdict, VerdictKind


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One alarm point in a period: its worst event, how often it came, what crews found.

    ``standing`` its condition lasts; ``longest`` ms of one occurrence. ``found`` counts verdicts by kind.
    """

    point: str
    event: AlarmEvent
    priority: Priority
    criticality: int
    count: int
    standing: bool
    longest: int
    found: Mapping[VerdictKind, int] = field(default_factory=dict)

    @property
    def false(self) -> bool:
        """Whether most of what was judged was a false alarm: it wants another setting."""
        return 2 * self.found.get(VerdictKind.FALSE_ALARM, 0) > sum(self.found.values())


def review(
    occurrences: Iterable[tuple[AlarmEvent, int | None]],
    verdicts: Iterable[Verdict],
    criticality: Mapping[str, int],
    now: int,
) -> list[Reviewed]:
    """The points of ``occurrences`` (event, when it ended; None = it lasts), the most frequent first.

    ``criticality`` is that of each machine class. Points that came equally often stand by priority and name.
    """
    events: dict[str, list[tuple[AlarmEvent, int | None]]] = {}
    for event, ended in occurrences:
        events.setdefault(point_id(event), []).append((event, ended))
    said: dict[str, VerdictKind] = {}
    for verdict in sorted(verdicts, key=lambda one: one.at):
        if verdict.alarm is not None:  # the latest word on each alarm
            said[verdict.alarm] = verdict.kind
    found = []
    for point, several in events.items():
        worst = max((event for event, _ in several), key=lambda one: (one.severity, one.score))
        level = criticality.get(worst.machine_class, 2)
        found.append(
            Reviewed(
                point=point,
                event=worst,
                priority=priority_of(worst.severity, level),
                criticality=level,
                count=len(several),
                standing=any(ended is None for _, ended in several),
                longest=max((now if ended is None else ended) - event.onset for event, ended in several),
                found=Counter(said[event.id] for event, _ in several if event.id in said),
            )
        )
    return sorted(found, key=lambda one: (-one.count, -one.priority, one.event.machine, one.point))
