"""The shift report: what the shift was handed, what happened in it, and what it hands on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from desk.rules.journal import ACCESS, SYSTEM, Action, Entry
from desk.rules.kpis import Kpis
from desk.rules.suppression import Window
from desk.rules.views import AlarmView
from pipeline.records import Verdict, VerdictKind


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """One period (event time) of one scope.

    ``head`` is the journal's last hash: noted elsewhere, it proves the journal.
    ``acts`` are what people did; ``raised`` the entries of alarms that began; ``open`` what stands now.
    """

    start: int
    end: int
    kpis: Kpis
    raised: tuple[Entry, ...]
    acts: tuple[Entry, ...]
    verdicts: tuple[Verdict, ...]
    open: tuple[AlarmView, ...]
    stale: tuple[AlarmView, ...]
    shelved: tuple[AlarmView, ...]
    windows: tuple[Window, ...]
    unsent: tuple[Entry, ...]
    head: str


def shift_report(
    entries: Iterable[Entry], measures: Kpis, standing: list[AlarmView], windows: list[Window], head: bytes
) -> ShiftReport:
    """Put the report together from the period's ``entries`` and what stands on the desk."""
    entries = [one for one in entries if measures.start <= one.time < measures.end]
    planned = {_span(one.window) for one in entries if one.window is not None}
    # what a window tells the models of each machine under it stands in the window itself
    entries = [one for one in entries if one.verdict is None or _span(one.verdict) not in planned]
    flat = [one for lead in standing for one in (lead, *lead.members)]
    return ShiftReport(
        start=measures.start,
        end=measures.end,
        kpis=measures,
        raised=tuple(
            sorted((one for one in entries if one.action is Action.RAISE), key=lambda one: one.time)
        ),
        acts=tuple(one for one in entries if one.by != SYSTEM and one.action not in ACCESS),
        verdicts=tuple(one.verdict for one in entries if one.verdict is not None),
        open=tuple(one for one in flat if not one.muted),
        stale=tuple(one for one in flat if one.stale),
        shelved=tuple(one for one in flat if one.muted),
        windows=tuple(windows),
        unsent=tuple(one for one in entries if one.action is Action.UNSENT),
        head=head.hex(),
    )


def _span(one: Window | Verdict) -> tuple[int, int, str, bool]:
    """What a window and the verdicts that it made have in common."""
    by_window = isinstance(one, Window) or (one.alarm is None and one.kind is VerdictKind.PLANNED_WORK)
    return one.start, one.end, one.by, by_window
