"""What other settings would have done: a machine's history replayed with them, against what crews found.

The pipeline returns the same results for the same readings, however they come; so a replay of the readings
that came after a proposal is what the proposal would have said had it run beside ("in the shadow").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Frame, Verdict, VerdictKind
from streams.settings import Settings

DAY = 86_400_000
#: An alarm so long before a fault's own still counts as a warning of it.
EARLY = 7 * DAY


@dataclass(frozen=True, slots=True)
class Span:
    """One alarm of a replay; ``end`` None = it lasts at the replay's end. Event times."""

    machine: str
    kind: AlarmKind
    onset: int
    raised: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A confirmed fault and whether the replay warned of it; ``lead`` in ms before the alarm then (negative =
    later), None = it did not warn."""

    verdict: Verdict
    lead: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A replay judged by what crews found.

    ``alarms`` of ``days`` × ``machines``, without those during planned work; ``false`` fall where crews spoke
    of a false alarm, ``unjudged`` where nobody said anything.
    """

    days: float
    machines: int
    alarms: int
    a_day: float
    false: int
    unjudged: int
    faults: tuple[Fault, ...]

    @property
    def caught(self) -> int:
        """Confirmed faults that were warned of."""
        return sum(fault.lead is not None for fault in self.faults)


def replay(
    settings: Settings,
    machine: str,
    frames: Iterable[Frame],
    seen: Callable[[int], None] = lambda readings: None,
) -> list[Span]:
    """The alarms that one machine's ``frames`` give with ``settings``, from a fresh model on."""
    pipeline = Pipeline(settings)
    raised: dict[str, AlarmEvent] = {}
    spans: list[Span] = []
    for frame in frames:
        for event in pipeline.process([frame]).alarms:
            if event.phase is AlarmPhase.RAISED:
                raised[event.id] = event
            elif (begin := raised.pop(event.id, None)) is not None:
                spans.append(Span(machine, begin.kind, begin.onset, begin.time, event.time))
        seen(len(frame))
    spans += [Span(machine, one.kind, one.onset, one.time, None) for one in raised.values()]
    return sorted(spans, key=lambda one: (one.raised, one.kind))


def judge(
    spans: Sequence[Span],
    verdicts: Sequence[Verdict],
    *,
    start: int,
    end: int,
    machines: int,
    early: int = EARLY,
) -> Judged:
    """Judge the alarms raised from ``start`` until ``end`` (event time) by ``verdicts`` on the same machines.

    Sensor faults (`AlarmKind.QUALITY`) are not alarms of the machine: they count as alarms, and warn of
    nothing.
    """
    said = {kind: [verdict for verdict in verdicts if verdict.kind is kind] for kind in VerdictKind}
    counted = [
        span
        for span in spans
        if start <= span.raised < end and not any(_meets(span, v) for v in said[VerdictKind.PLANNED_WORK])
    ]
    faults = [one for one in said[VerdictKind.FAULT] if one.end >= start and one.start < end]
    false = sum(any(_meets(one, v) for v in said[VerdictKind.FALSE_ALARM]) for one in counted)
    judged_spans = sum(any(_meets(one, v) for v in verdicts) for one in counted)
    days = max(end - start, 1) / DAY
    return Judged(
        days=days,
        machines=machines,
        alarms=len(counted),
        a_day=len(counted) / days,
        false=false,
        unjudged=len(counted) - judged_spans,
        faults=tuple(Fault(fault, _lead(fault, spans, early)) for fault in faults),
    )


def _meets(span: Span, verdict: Verdict) -> bool:
    return (
        span.machine == verdict.machine
        and span.onset <= verdict.end
        and (span.end is None or span.end >= verdict.start)
    )


def _lead(fault: Verdict, spans: Sequence[Span], early: int) -> int | None:
    """How long before the fault's own alarm the replay first warned of it."""
    warnings = [
        span.raised
        for span in spans
        if span.machine == fault.machine
        and span.kind is not AlarmKind.QUALITY
        and fault.start - early <= span.raised <= fault.end
        and (span.end is None or span.end >= fault.start)
    ]
    return fault.start - min(warnings) if warnings else None
