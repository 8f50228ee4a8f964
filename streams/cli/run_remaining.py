"""What `yeji remaining` does: lives out of stored readings and the desk's verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from connectors.base.history import Series
from desk.rules.scope import EVERYTHING
from detectors.remaining_life.model import LEAST_RUNS
from detectors.remaining_life.run_features import Run
from pipeline.layout import align
from pipeline.records import Floats, Verdict, VerdictKind
from pipeline.spreading.lives import lives_of
from streams.cli.errors import CommandError
from streams.cli.run_tune import opened
from streams.remaining_life import Remaining, columns_of, remaining_after

#: A machine's history is looked at in about so many means: a life is long, and wear is slow.
_POINTS = 4000
_HOUR = 3_600_000.0
_ENDS = (VerdictKind.FAULT, VerdictKind.PLANNED_WORK)


def remaining_of_class(
    machine_class: str,
    data: Path | None,
    store: Path | None,
    influx: bool,
    cap: float,
    coverage: float,
    operating: Sequence[str] | None = None,
) -> tuple[list[Remaining], int]:
    """Every machine of the class, the soonest to fail first, and from how many lives it was learned.

    ``operating`` names the sensors that say what a machine is asked to do; None = they are found. Raises
    CommandError when the class has no machine or too few lives, or a sensor named is not of all of them.
    """
    with opened(data, store, influx) as (settings, book, history):
        fleet = [one for one in history.fleet() if settings.class_of(one.machine) == machine_class]
        if not fleet:
            raise CommandError(f"There is no machine of class {machine_class!r} (see --store and --influx).")
        with book.store.reading() as r:
            verdicts = {one.machine: r.verdicts(EVERYTHING, machine=one.machine) for one in fleet}
        series = {
            one.machine: history.series(one.machine, one.first, one.last, points=_POINTS) for one in fleet
        }
    sensors = _common(list(series.values()))
    if not sensors:
        raise CommandError(f"The machines of class {machine_class!r} have no sensor in common.")
    try:
        columns = columns_of(operating, sensors)
    except ValueError as error:
        raise CommandError(f"Machines of class {machine_class!r}: {error}") from error
    lives: list[Run] = []
    now: dict[str, Run] = {}
    for machine, one in series.items():
        x = align(one.mean, one.sensors, sensors)
        lives += lives_of(one.time, x, verdicts[machine])
        current = _current(one, x, verdicts[machine])
        if current is not None:
            now[machine] = current
    if len(lives) < LEAST_RUNS:
        raise CommandError(
            f"Crews have confirmed the end of {len(lives)} lives of class {machine_class!r}; {LEAST_RUNS} or "
            "more are needed. Close alarms on the desk with what was found, or learn from a table: yeji life."
        )
    return remaining_after(lives, now, cap, coverage, columns), len(lives)


def _common(series: list[Series]) -> tuple[str, ...]:
    """The sensors that every machine has."""
    shared = set(series[0].sensors)
    for one in series[1:]:
        shared &= set(one.sensors)
    return tuple(sorted(shared))


def _current(series: Series, x: Floats, verdicts: list[Verdict]) -> Run | None:
    """The machine's life since its latest repair, in hours; None when nothing came since."""
    start = (
        max((verdict.end for verdict in verdicts if verdict.kind in _ENDS), default=int(series.time[0]) - 1)
        + 1
    )
    inside = series.time >= start
    if not inside.any():
        return None
    return Run((series.time[inside] - start) / _HOUR, np.ascontiguousarray(x[inside]))
