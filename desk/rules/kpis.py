"""How well the alarm system serves its crew: the measures of ISA-18.2 (clause 16), from the journal alone.

Alarms count at the time of the event, so that a backlog which comes in today is no flood of today; how long
an answer took counts from when the desk announced the alarm.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from desk.rules.journal import Action, Entry
from desk.rules.life import parse_life
from desk.rules.point import waits
from desk.rules.recurrence import raised_priority
from pipeline.priority import Priority
from pipeline.records import VerdictKind

TEN_MINUTES = 600_000
DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class BadActor:
    """An alarm point that was announced often; ``share`` of all alarms of the period."""

    point: str
    machine: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Kpis:
    """Measures of one period for one scope. None where there is nothing to measure.

    ``alarms`` were announced; ``a_day`` the same per day, ``budget`` what a crew can handle. ``peak`` is the
    most in any ten minutes. A flood begins with a ten-minute interval of more than ten alarms and ends with
    one of fewer than five: ``flood_time`` and ``flood_alarms`` are the shares of time and of alarms in one.
    ``chattering`` points were latched; ``stale`` alarms stood longer than the limit at the period's end.
    Times to acknowledge are in seconds, of the alarms of the period that were acknowledged in it.
    ``false_share`` is the share of false alarms among the verdicts on alarms.
    """

    start: int
    end: int
    alarms: int
    a_day: float
    budget: float
    peak: int
    flood_time: float
    flood_alarms: float
    chattering: int
    stale: int
    bad_actors: tuple[BadActor, ...]
    priorities: dict[Priority, int]
    acknowledged: int
    ack_median: float | None
    ack_p90: float | None
    verdicts: dict[VerdictKind, int]
    false_share: float | None


def kpis(
    entries: Iterable[Entry],
    *,
    start: int,
    end: int,
    budget: float,
    flood: int = 10,
    stale: int = 0,
    priorities: Mapping[str, Priority] | None = None,
) -> Kpis:
    """Measure the ``entries`` (in order) of ``start`` .. ``end`` (event time); others are ignored.

    ``priorities`` returns the priority of points whose raise lies before the period. ``stale`` is counted by
    the caller, who knows what stands.
    """
    announced: list[tuple[int, str, str]] = []
    asked_at: dict[str, int] = {}
    known = dict(priorities or {})
    mix: Counter[Priority] = Counter()
    taken: list[float] = []
    latched: set[str] = set()
    said: dict[str, VerdictKind] = {}
    for entry in entries:
        if not start <= entry.time < end:
            continue
        if entry.event is not None and entry.action is Action.RAISE:
            known[entry.point] = raised_priority(entry.event.severity, entry.criticality, entry.raised)
        if entry.action is Action.LATCH:
            latched.add(entry.point)
        if entry.verdict is not None and entry.verdict.alarm is not None:
            said[entry.verdict.alarm] = entry.verdict.kind
        if not entry.point or entry.before == entry.after:
            continue
        before, after = waits(parse_life(entry.before)), waits(parse_life(entry.after))
        if after and not before:
            announced.append((entry.time, entry.point, entry.machine))
            asked_at[entry.point] = entry.at
            mix[known.get(entry.point, Priority.LOW)] += 1
        elif before and not after and (asked := asked_at.pop(entry.point, None)) is not None:
            acknowledged = entry.action in (Action.ACKNOWLEDGE, Action.CLOSE)
            taken += [(entry.at - asked) / 1000] * acknowledged
    times = sorted(time for time, _, _ in announced)
    flood_time, flood_alarms = floods(times, start, end, flood)
    verdicts = Counter(said.values())
    return Kpis(
        start=start,
        end=end,
        alarms=len(announced),
        a_day=len(announced) * DAY / max(end - start, 1),
        budget=budget,
        peak=peak(times),
        flood_time=flood_time,
        flood_alarms=flood_alarms,
        chattering=len(latched),
        stale=stale,
        bad_actors=_bad_actors(announced),
        priorities={priority: mix[priority] for priority in Priority},
        acknowledged=len(taken),
        ack_median=quantile(taken, 0.5),
        ack_p90=quantile(taken, 0.9),
        verdicts={kind: verdicts[kind] for kind in VerdictKind},
        false_share=verdicts[VerdictKind.FALSE_ALARM] / len(said) if said else None,
    )


def peak(times: Iterable[int], span: int = TEN_MINUTES) -> int:
    """The most of ``times`` (ascending) within any ``span``.

    >>> peak([0, 500_000, 599_999, 600_000])
    3
    """
    most, recent = 0, deque[int]()
    for time in times:
        recent.append(time)
        while recent[0] <= time - span:
            recent.popleft()
        most = max(most, len(recent))
    return most


def floods(times: Iterable[int], start: int, end: int, limit: int) -> tuple[float, float]:
    """Shares of time and of alarms in flood (ISA-18.2: over ten in ten minutes, until under five).

    >>> floods([*range(0, 11)] + [700_000] * 6, 0, 1_800_000, 10)
    (0.6666666666666666, 1.0)
    """
    counts = Counter((time - start) // TEN_MINUTES for time in times)
    total = sum(counts.values())
    intervals = -(-(end - start) // TEN_MINUTES)
    inside, time, alarms = False, 0, 0
    for interval in range(intervals) if counts else ():
        count = counts[interval]
        inside = count > limit or (inside and count >= max(limit // 2, 1))
        if inside:
            time += 1
            alarms += count
    return (time / intervals if intervals else 0.0), (alarms / total if total else 0.0)


def quantile(values: list[float], share: float) -> float | None:
    """The value that ``share`` of ``values`` do not exceed, interpolated; None of nothing.

    >>> quantile([1.0, 2.0, 4.0], 0.5)
    2.0
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _bad_actors(announced: list[tuple[int, str, str]]) -> tuple[BadActor, ...]:
    counts = Counter(point for _, point, _ in announced)
    machines = {point: machine for _, point, machine in announced}
    top = sorted(counts.items(), key=lambda pair: (-pair[1], machines[pair[0]], pair[0]))[:10]
    return tuple(BadActor(point, machines[point], count, count / len(announced)) for point, count in top)
