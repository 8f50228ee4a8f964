"""Remaining life of machines in use, from runs to failure: of a table, or as crews' verdicts end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.csv.runs import RunsFileError, read_runs
from detectors.remaining_life.model import LEAST_RUNS, RemainingLife
from detectors.remaining_life.run_features import Run


@dataclass(frozen=True, slots=True)
class Remaining:
    """One machine at its latest reading; all in the unit of its age."""

    machine: str
    age: float
    remaining: float
    low: float
    high: float


def remaining_of(
    history: Path, now: Path, cap: float, coverage: float, operating: Sequence[str] | None = None
) -> list[Remaining]:
    """Every machine of ``now``, the soonest to fail first. Raises RunsFileError.

    ``operating`` names the sensors that say what a machine is asked to do; None = they are found.
    """
    sensors, runs = read_runs(history)
    current, machines = read_runs(now)
    if current != sensors:
        missing = [name for name in sensors if name not in current] or ["none, but the order differs"]
        raise RunsFileError(f"{now} has other sensors than {history}; missing: {', '.join(missing)}")
    whole = [one.run for one in runs if len(one.run.age) > 1]
    if len(whole) < LEAST_RUNS:
        raise RunsFileError(f"{history} holds {len(whole)} runs to failure; {LEAST_RUNS} or more are needed")
    try:
        columns = columns_of(operating, sensors)
    except ValueError as error:
        raise RunsFileError(f"{history}: {error}") from error
    return remaining_after(whole, {one.machine: one.run for one in machines}, cap, coverage, columns)


def columns_of(names: Sequence[str] | None, sensors: Sequence[str]) -> list[int] | None:
    """Where the ``names`` stand among the ``sensors``; None when none are named. Raises ValueError."""
    if not names:
        return None
    unknown = [name for name in names if name not in sensors]
    if unknown:
        raise ValueError(f"no sensor {', '.join(unknown)}; there are {', '.join(sensors)}")
    return sorted({list(sensors).index(name) for name in names})


def remaining_after(
    lives: Sequence[Run],
    now: Mapping[str, Run],
    cap: float,
    coverage: float,
    operating: Sequence[int] | None = None,
) -> list[Remaining]:
    """Every machine of ``now`` (its life so far), learned from whole ``lives``; the soonest to fail first.

    ``lives`` are `LEAST_RUNS` or more, in the order in which they ended. ``operating`` are the columns that
    say what a machine is asked to do; None = they are found.
    """
    model = RemainingLife(cap=cap, coverage=coverage, operating=operating)
    model.learn_history(list(lives))
    found = []
    for machine, run in now.items():
        estimate = model.follow().update(run.age, run.x)
        found.append(
            Remaining(
                machine,
                float(run.age[-1]),
                float(estimate.remaining[-1]),
                float(estimate.low[-1]),
                float(estimate.high[-1]),
            )
        )
    return sorted(found, key=lambda machine: (machine.remaining, machine.machine))
