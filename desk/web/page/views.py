"""What the templates show, made from what the store holds: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from connectors.base.history import MachineNow
from pipeline.assessment import Assessment, Standing, assess
from pipeline.records import Floats, State

#: Ranges offered on the machine page, in ms; 0 = all there is.
SPANS = (900_000, 3_600_000, 21_600_000, 86_400_000, 604_800_000, 2_592_000_000, 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A machine at its latest reading, and how it stands when all is taken together."""

    now: MachineNow
    found: Assessment


@dataclass(frozen=True, slots=True)
class Card:
    """One machine on the fleet page; ``spark`` is its trend as the points of an SVG line."""

    now: MachineNow
    found: Assessment
    unit: str
    spark: str


@dataclass(frozen=True, slots=True)
class Line:
    """The machines of one line, worst first."""

    place: str
    name: str
    cards: list[Card]


@dataclass(frozen=True, slots=True)
class Area:
    """The lines of one area, worst first."""

    place: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet page: how many machines are in each state, and those that are shown."""

    areas: list[Area]
    counts: dict[State, int]
    total: int
    found: int
    shown: int


def judge(
    machines: Iterable[MachineNow], standing: Mapping[str, Sequence[Standing]], often: int
) -> list[Judged]:
    """Each machine with what stands against it."""
    return [
        Judged(
            one,
            assess(
                one.state,
                one.health,
                standing.get(one.machine, ()),
                open_alarms=one.open_alarms,
                often=often,
            ),
        )
        for one in machines
    ]


def badness(one: Judged) -> tuple[int, int, float, str]:
    """Sorts the worst first: alarm, suspect, normal, learning; the higher priority; less health; name."""
    rank = {State.ALARM: 0, State.SUSPECT: 1, State.NORMAL: 2, State.LEARNING: 3}[one.found.state]
    health = 100.0 if one.now.health is None else one.now.health
    return rank, -(one.found.priority or 0), health, one.now.machine


def choose(
    machines: Sequence[Judged], query: str, most: int, called: Callable[[str], str] = str
) -> tuple[list[Judged], int]:
    """The worst ``most`` machines whose name contains ``query``, and how many there are in all.

    ``called`` returns what people call a machine, which is searched too.
    """
    wanted = query.strip().lower()
    found = [
        one
        for one in machines
        if wanted in one.now.machine.lower() or wanted in called(one.now.machine).lower()
    ]
    found.sort(key=badness)
    return found[:most], len(found)


def fleet_view(
    machines: Sequence[Judged], shown: Sequence[Judged], found: int, trends: Mapping[str, Floats]
) -> Fleet:
    """Group ``shown`` (worst first) by area and line; each group stands where its worst machine would."""
    areas: dict[str, dict[str, Line]] = {}
    for one in shown:
        machine = one.now
        line_place, _, unit = machine.machine.rpartition("/")
        area_place, _, line = line_place.rpartition("/")
        lines = areas.setdefault(area_place, {})
        cards = lines.setdefault(line, Line(line_place, line, [])).cards
        cards.append(Card(machine, one.found, unit, spark(trends.get(machine.machine))))
    counts = dict.fromkeys((State.ALARM, State.SUSPECT, State.NORMAL, State.LEARNING), 0)
    for each in machines:
        counts[each.found.state] += 1
    return Fleet(
        [Area(place, list(lines.values())) for place, lines in areas.items()],
        counts,
        len(machines),
        found,
        len(shown),
    )


def spark(values: Floats | None, width: float = 100.0, height: float = 24.0) -> str:
    """Values of 0..100 as the points of an SVG polyline.

    >>> spark(np.array([100.0, 50.0, 0.0]), 10, 20)
    '0.0,1.0 5.0,10.0 10.0,19.0'
    """
    if values is None or len(values) < 2:
        return ""
    x = np.linspace(0, width, len(values))
    y = 1 + (height - 2) * (1 - np.clip(values, 0, 100) / 100)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Range:
    """The stretch of event time that the charts show; ``span`` is one of `SPANS`, None = freely chosen.

    With a span the charts move on as readings come.
    """

    start: int
    end: int
    span: int | None
    alarm: str | None = None


def span_range(machine: MachineNow, span: int) -> Range:
    """The last ``span`` ms of a machine's readings."""
    start = machine.first if span == 0 else max(machine.first, machine.last - span)
    return Range(start, machine.last, span)


def useful_spans(machine: MachineNow) -> list[int]:
    """Those of `SPANS` that show different things: none longer than all there is."""
    length = machine.last - machine.first
    return [span for span in SPANS if span == 0 or span < length]
