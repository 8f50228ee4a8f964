"""Run every method over the recordings of a set, and lay their figures side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detectors.batch import Bools
from pipeline.settings import ClassSettings
from streams.evaluation.draw import trace_plot
from streams.evaluation.figures import event_figures
from streams.evaluation.nulls import null_methods
from streams.evaluation.plain_river import river_methods
from streams.evaluation.recording import Outcome, Recording, runs
from streams.evaluation.replay import replay
from streams.evaluation.report import BenchError, Cell, Report, Table, Watch

OURS = "Yeji"

#: The set's own metrics of one method: column names, and the cells for its outcomes.
Official = Callable[[Sequence[Outcome]], tuple[Cell, ...]]

_COLUMNS = (
    "method",
    "events",
    "caught",
    "standing",
    "delay",
    "p90",
    "before",
    "false",
    "a day",
    "alarm %",
    "VUS-PR",
)
_LEGEND = (
    "caught: an alarm begins within the event. standing: already in alarm at onset, a miss. delay, p90: "
    "seconds from onset to alarm, median and 90th percentile. before: false episodes before a recording's "
    "first event. false: episodes that begin outside events; a day: a machine-day of healthy time. "
    "alarm %: share of healthy time in alarm."
)


def compare(
    title: str,
    recordings: Sequence[Recording],
    preset: Callable[[Recording], ClassSettings],
    watch: Watch,
    official: Official | None = None,
    official_columns: tuple[str, ...] = (),
) -> Report:
    """The report of a labelled set: Yeji set up with ``preset``, null detectors, plain River."""
    if not recordings:
        raise BenchError("There is no recording to run on.")

    def warmup(one: Recording) -> int:
        return preset(one).warmup_for(len(one.sensors))

    methods: dict[str, Callable[[Recording], Outcome]] = {
        OURS: lambda one: replay(one, preset(one)),
        **null_methods(recordings, warmup),
        **river_methods(warmup, lambda one: preset(one).alarm),
    }
    outcomes: dict[str, list[Outcome]] = {}
    total = sum(len(recording) for recording in recordings)
    for name, method in methods.items():
        outcomes[name] = []
        done = 0
        for one in recordings:
            watch(name, done, total)
            outcomes[name].append(method(one))
            done += len(one)
        watch(name, total, total)
    report = Report(title)
    rows: list[tuple[Cell, ...]] = [_row(name, found) for name, found in outcomes.items()]
    report.tables.append(Table("What a crew feels", _COLUMNS, rows))
    if official is not None:
        rows = [(name, *official(found)) for name, found in outcomes.items()]
        report.tables.append(Table("The set's own metric", ("method", *official_columns), rows))
    report.tables.append(_each(outcomes[OURS]))
    report.tables.append(_reliability(outcomes[OURS]))
    report.notes.append(_LEGEND)
    report.plots = [trace_plot(found) for found in outcomes[OURS]]
    return report


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[Cell, ...]:
    found = event_figures(outcomes)
    return (
        name,
        found.events,
        found.caught,
        found.standing,
        found.delay_median,
        found.delay_p90,
        found.before,
        found.false_episodes,
        found.false_a_day,
        100 * found.healthy_in_alarm,
        found.vus_pr,
    )


def _each(outcomes: Sequence[Outcome]) -> Table:
    """Yeji, recording by recording."""
    rows: list[tuple[Cell, ...]] = []
    for outcome in outcomes:
        found = event_figures([outcome])
        mean = float(np.nanmean(outcome.score)) if outcome.judged.any() else None
        rows.append(
            (
                outcome.recording.name,
                len(outcome.recording),
                found.events,
                found.caught,
                found.standing,
                found.delay_median,
                found.false_episodes,
                100 * found.healthy_in_alarm,
                mean,
            )
        )
    columns = (
        "recording",
        "readings",
        "events",
        "caught",
        "standing",
        "delay",
        "false",
        "alarm %",
        "mean score",
    )
    return Table(f"{OURS}, recording by recording", columns, rows)


def _reliability(outcomes: Sequence[Outcome]) -> Table:
    """How often healthy readings reach a score, beside how often they should: is the score calibrated?

    Healthy are the judged readings outside events that are no part of an alarm that began in one.
    """
    scores = [
        outcome.score[outcome.judged & ~outcome.recording.labels & ~_aftermath(outcome)]
        for outcome in outcomes
    ]
    healthy = np.concatenate(scores)
    rows: list[tuple[Cell, ...]] = []
    for level in (0.5, 0.9, 0.99, 0.999, 0.9999):
        share = float(np.mean(healthy >= level)) if len(healthy) else None
        rows.append((f"{level:g}", 100 * (1 - level), None if share is None else 100 * share))
    return Table("Reliability: healthy readings that reach a score", ("score", "should, %", "do, %"), rows)


def _aftermath(outcome: Outcome) -> Bools:
    """(n,) readings of alarms that began within an event and outlast it."""
    inside = outcome.recording.labels
    after = np.zeros(len(inside), dtype=bool)
    for start, stop in runs(outcome.alarm).tolist():
        after[start:stop] = inside[start]
    return after
