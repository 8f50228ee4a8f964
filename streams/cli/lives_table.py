"""Remaining lives as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from streams.remaining_life import Remaining


def lives_table(told: Sequence[Remaining], title: str, age: str, left: str) -> Table:
    """A row a machine; ``age`` and ``left`` head the columns of its age and of what remains."""
    table = Table(title=title)
    for column in ("machine", age, left, "from", "to"):
        table.add_column(column, justify="left" if column == "machine" else "right")
    for one in told:
        table.add_row(
            one.machine, f"{one.age:g}", f"{one.remaining:.0f}", f"{one.low:.0f}", f"{one.high:.0f}"
        )
    return table
