"""Configurations against each other; each set is judged by the one that the other sets choose.

A figure on the sets that a configuration was chosen by says little. Here every set is left out once: the
other sets choose among the variants, and only the left-out set's figures count.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from pipeline.settings import ClassSettings
from streams.evaluation.figures import EventFigures, event_figures
from streams.evaluation.recording import Recording
from streams.evaluation.report import BenchError, Cell, Report, Table, Watch
from streams.evaluation.sets import pooled, replay_sets

#: False-alarm episodes per machine-day that a variant may have at most on the sets that choose.
MOST_FALSE = 0.05

Figures = Mapping[str, EventFigures]


def read_variants(path: Path) -> dict[str, ClassSettings]:
    """Class settings by name: a table each of a TOML file, as ``[slow.alarm]`` with ``on_delay = 60``.

    Raises BenchError, naming the variant and the setting.
    """
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
        found = {name: ClassSettings.model_validate(table) for name, table in tables.items()}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BenchError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not found:
        raise BenchError(f"{path} holds no variant. Write a table of settings for each, as [slow.alarm].")
    return {"default": ClassSettings(), **found}


def choose(figures: Mapping[str, Figures], sets: Sequence[str]) -> str:
    """The variant that ``sets`` choose.

    Among those with at most `MOST_FALSE` false episodes per machine-day the one with the highest mean of
    events caught (pooled share) and VUS-PR; without any such, the one with the fewest false episodes.
    """

    def rank(variant: str) -> tuple[bool, float]:
        found = pooled([figures[variant][name] for name in sets])
        quiet = found.false_a_day <= MOST_FALSE
        caught = found.caught / found.events if found.events else 0.0
        return quiet, (caught + found.vus) / 2 if quiet else -found.false_a_day

    return max(figures, key=rank)  # the first of equals


def compare_variants(
    title: str, sets: Mapping[str, Sequence[Recording]], variants: Mapping[str, ClassSettings], watch: Watch
) -> Report:
    """Every variant on every set, and each set by the variant that the others choose."""
    figures: dict[str, Figures] = {}
    for variant, settings in variants.items():

        def shown(what: str, done: int, total: int, variant: str = variant) -> None:
            watch(f"{what}: {variant}", done, total)

        def preset(_: Recording, settings: ClassSettings = settings) -> ClassSettings:
            return settings

        outcomes = replay_sets(sets, preset, shown)
        figures[variant] = {name: event_figures(found) for name, found in outcomes.items()}
    report = Report(title)
    rows: list[tuple[Cell, ...]] = []
    for variant, found in figures.items():
        every = pooled(found.values())
        rows.append((variant, every.caught, every.false, every.false_a_day, 100 * every.worst, every.vus))
    columns = ("variant", "caught", "false", "a day", "worst alarm %", "mean VUS-PR")
    report.tables.append(Table("Every variant on all sets", columns, rows))
    report.tables.append(_left_out(figures))
    report.notes.append(
        f"Each set is judged by the variant that the other sets choose: at most {MOST_FALSE} false episodes "
        "per machine-day there, then the most events caught and the highest VUS-PR."
    )
    return report


def _left_out(figures: Mapping[str, Figures]) -> Table:
    names = list(next(iter(figures.values())))
    rows: list[tuple[Cell, ...]] = []
    judged: list[EventFigures] = []
    for name in names:
        chosen = choose(figures, [other for other in names if other != name])
        found = figures[chosen][name]
        judged.append(found)
        events = found.events + found.learned
        rows.append(
            (name, chosen, events, found.caught, found.false_episodes, found.false_a_day, found.vus_pr)
        )
    every = pooled(judged)
    rows.append(("all", "", every.events, every.caught, every.false, every.false_a_day, every.vus))
    columns = ("left out", "chosen by the others", "events", "caught", "false", "a day", "VUS-PR")
    return Table("Each set left out once", columns, rows)
