"""What a bench found: tables and plots, made apart from how they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: rows of cells under columns. None = does not apply; floats are shown with 3 digits."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot file: ``draw`` gets an empty matplotlib Figure."""

    name: str
    draw: Callable[[Any], None]


@dataclass(slots=True)
class Report:
    """Everything that one bench run prints and draws; ``notes`` are sentences under the tables."""

    title: str
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Watch(Protocol):
    """Told how far a bench run has come: shows it."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of ``what`` are done."""


class BenchError(Exception):
    """The data cannot be used; the message says which file, why, and what was expected."""


def shown(cell: Cell) -> str:
    """A cell as text.

    >>> shown(None), shown(0.81649), shown(3), shown(70000.0)
    ('–', '0.816', '3', '70000')
    """
    if cell is None or cell != cell:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return str(cell)
