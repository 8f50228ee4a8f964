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
    entries = [entry for entry in entries if measures.start <= entry.time < measures.end]
    planned = {_span(entry.window) for entry in entries if entry.window is not None}
    # what a window tells the models of each machine under it stands in the window itself
    entries = [entry for entry in entries if entry.verdict is None or _span(entry.verdict) not in planned]
    flat = [one for lead in standing for one in (lead, *lead.members)]
    return ShiftReport(
        start=measures.start,
        end=measures.end,
        kpis=measures,
        raised=tuple(
            sorted((entry for entry in entries if entry.action is Action.RAISE), key=lambda one: one.time)
        ),
        acts=tuple(entry for entry in entries if entry.by != SYSTEM and entry.action not in ACCESS),
        verdicts=tuple(entry.verdict for entry in entries if entry.verdict is not None),
        open=tuple(one for one in flat if not one.muted),
        stale=tuple(one for one in flat if one.stale),
        shelved=tuple(one for one in flat if one.muted),
        windows=tuple(windows),
        unsent=tuple(entry for entry in entries if entry.action is Action.UNSENT),
        head=head.hex(),
    )


def _span(one: Window | Verdict) -> tuple[int, int, str, bool]:
    """What a window and the verdicts that it made have in common."""
    by_window = isinstance(one, Window) or (one.alarm is None and one.kind is VerdictKind.PLANNED_WORK)
    return one.start, one.end, one.by, by_window
