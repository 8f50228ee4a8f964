"""Several labelled sets with one configuration: a row per set, one pooled figure, and healthy machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.batch import Ints
from pipeline.settings import ClassSettings
from streams.evaluation.draw import trace_plot
from streams.evaluation.figures import EventFigures, event_figures
from streams.evaluation.healthy import healthy_recordings
from streams.evaluation.recording import Outcome, Recording
from streams.evaluation.replay import replay
from streams.evaluation.report import Cell, Report, Table, Watch
from streams.evaluation.rivals import at_no_more_false, isolation_forest, learned, t_squared

OURS, T2, FOREST = "Yeji", "frozen EWMA-T²", "isolation forest"

Preset = Callable[[Recording], ClassSettings]

_LEGEND = (
    "One configuration for all sets, one causal pass. caught: an alarm begins within the event; standing: in "
    "alarm at its onset, a miss; learned: the whole event lies in what the method learned, a miss too. "
    "false: episodes that begin outside events; a day: per machine-day of healthy time. T² and isolation "
    "forest are frozen after a fifth of each recording; their threshold, one per set, is told the labels: "
    "the lowest with no more false episodes than Yeji. VUS-PR needs no threshold. AUC: how often a true "
    "alarm has a higher severity than a false one."
)


@dataclass(frozen=True, slots=True)
class Pooled:
    """Figures of one method over sets; ``vus`` is the mean of the sets', ``worst`` the highest share."""

    events: int
    caught: int
    false: int
    days: float
    worst: float
    vus: float

    @property
    def false_a_day(self) -> float:
        """False-alarm episodes a machine-day of healthy time."""
        return self.false / self.days if self.days else float("nan")


def pooled(figures: Iterable[EventFigures]) -> Pooled:
    """One figure out of the sets'."""
    figures = list(figures)
    volumes = [figure.vus_pr for figure in figures if figure.vus_pr == figure.vus_pr]
    shares = [
        figure.healthy_in_alarm for figure in figures if figure.healthy_in_alarm == figure.healthy_in_alarm
    ]
    return Pooled(
        sum(figure.events + figure.learned for figure in figures),
        sum(figure.caught for figure in figures),
        sum(figure.false_episodes for figure in figures),
        sum(figure.healthy_days for figure in figures),
        max(shares, default=float("nan")),
        float(np.mean(volumes)) if volumes else float("nan"),
    )


def compare_sets(title: str, sets: Mapping[str, Sequence[Recording]], preset: Preset, watch: Watch) -> Report:
    """Yeji with ``preset`` on every set, beside T² and isolation forest at no more false episodes."""
    ours = replay_sets(sets, preset, watch)
    figures: dict[str, dict[str, EventFigures]] = {OURS: {}, T2: {}, FOREST: {}}
    for at, (name, recordings) in enumerate(sets.items()):
        watch(f"{T2}, {FOREST}", at, len(sets))
        figures[OURS][name] = event_figures(ours[name])
        # No more false episodes than Yeji, counted where the rivals judge too.
        outside = [one.raised[~one.recording.labels[one.raised]] for one in ours[name]]
        most = sum(int((late >= learned(one)).sum()) for late, one in zip(outside, recordings, strict=True))
        for rival, method in ((T2, t_squared), (FOREST, isolation_forest)):
            scores = [method(one) for one in recordings]
            found = at_no_more_false(recordings, scores, preset(recordings[0]).alarm, most)
            figures[rival][name] = event_figures(found)
    watch(f"{T2}, {FOREST}", len(sets), len(sets))
    report = Report(title)
    report.tables.append(
        Table("One configuration on every set", _COLUMNS, [*map(_row, sets, figures[OURS].values())])
    )
    report.tables.append(_rivals(figures))
    report.tables.append(
        Table("All sets", _POOLED, [_pooled(name, found.values()) for name, found in figures.items()])
    )
    outcomes = [one for found in ours.values() for one in found]
    report.tables.append(_severity(outcomes))
    report.tables.append(_healthy(preset, watch))
    report.notes.append(_LEGEND)
    report.plots = [trace_plot(outcome) for outcome in outcomes]
    return report


def replay_sets(
    sets: Mapping[str, Sequence[Recording]], preset: Preset, watch: Watch
) -> dict[str, list[Outcome]]:
    """What the pipeline finds in each recording of each set."""
    total, done = sum(len(one) for found in sets.values() for one in found), 0
    outcomes: dict[str, list[Outcome]] = {}
    for name, recordings in sets.items():
        outcomes[name] = []
        for recording in recordings:
            watch(OURS, done, total)
            outcomes[name].append(replay(recording, preset(recording)))
            done += len(recording)
    watch(OURS, total, total)
    return outcomes


_COLUMNS = (
    "set",
    "events",
    "caught",
    "standing",
    "learned",
    "delay, s",
    "false",
    "a day",
    "alarm %",
    "VUS-PR",
)
_POOLED = ("method", "events", "caught", "false", "a day", "worst alarm %", "mean VUS-PR")


def _row(name: str, found: EventFigures) -> tuple[Cell, ...]:
    return (
        name,
        found.events + found.learned,
        found.caught,
        found.standing,
        found.learned,
        found.delay_median,
        found.false_episodes,
        found.false_a_day,
        100 * found.healthy_in_alarm,
        found.vus_pr,
    )


def _rivals(figures: Mapping[str, Mapping[str, EventFigures]]) -> Table:
    """What each method catches at no more false episodes than Yeji."""
    columns = ["set"]
    for method in figures:
        columns += [f"{method}: caught", "false", "VUS-PR"]
    rows: list[tuple[Cell, ...]] = []
    for name in figures[OURS]:
        cells: list[Cell] = [name]
        for found in figures.values():
            cells += [found[name].caught, found[name].false_episodes, found[name].vus_pr]
        rows.append(tuple(cells))
    return Table("At no more false episodes", tuple(columns), rows)


def _pooled(name: str, figures: Iterable[EventFigures]) -> tuple[Cell, ...]:
    found = pooled(figures)
    return (name, found.events, found.caught, found.false, found.false_a_day, 100 * found.worst, found.vus)


def severity_auc(outcomes: Sequence[Outcome]) -> float:
    """How often a true alarm's severity is above a false one's, pooled; equal ones count half (AUC)."""
    true, false = _severities(outcomes)
    if not len(true) or not len(false):
        return float("nan")
    above = (true[:, None] > false).sum() + 0.5 * (true[:, None] == false).sum()
    return float(above / (len(true) * len(false)))


def _severities(outcomes: Sequence[Outcome]) -> tuple[Ints, Ints]:
    inside = [outcome.recording.labels[outcome.raised] for outcome in outcomes]
    true = [one.severity[within] for one, within in zip(outcomes, inside, strict=True)]
    false = [one.severity[~within] for one, within in zip(outcomes, inside, strict=True)]
    return np.concatenate(true), np.concatenate(false)


def _severity(outcomes: Sequence[Outcome]) -> Table:
    true, false = _severities(outcomes)
    rows: list[tuple[Cell, ...]] = [
        ("within events", len(true), *((true == level).sum().item() for level in range(1, 5))),
        ("outside", len(false), *((false == level).sum().item() for level in range(1, 5))),
        ("AUC", severity_auc(outcomes), None, None, None, None),
        ("raises an event caught", _raises(outcomes), None, None, None, None),
    ]
    return Table("Severity of alarms", ("alarms", "all", "1 low", "2", "3", "4 urgent"), rows)


def _raises(outcomes: Sequence[Outcome]) -> float:
    """Alarms that begin within events, for each event in which one begins."""
    raised = events = 0
    for outcome in outcomes:
        for start, stop in outcome.recording.events.tolist():
            begun = int(((outcome.raised >= start) & (outcome.raised < stop)).sum())
            raised += begun
            events += begun > 0
    return raised / events if events else float("nan")


def _healthy(preset: Preset, watch: Watch) -> Table:
    rows: list[tuple[Cell, ...]] = []
    made = healthy_recordings()
    for at, (kind, recordings) in enumerate(made.items()):
        watch("nothing wrong", at, len(made))
        outcomes = [replay(recording, preset(recording)) for recording in recordings]
        found = event_figures(outcomes)
        budget = found.healthy_days / preset(recordings[0]).alarm.budget
        rows.append(
            (
                kind,
                found.healthy_days,
                found.false_episodes,
                budget,
                found.false_a_day,
                100 * found.healthy_in_alarm,
            )
        )
    watch("nothing wrong", len(made), len(made))
    return Table("Nothing wrong", ("noise", "machine-days", "false", "budget", "a day", "alarm %"), rows)
