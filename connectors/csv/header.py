"""Where a file's table begins: lines above the header, the header itself, and a row of units below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from connectors.csv.times import recognise
from connectors.csv.words import missing

UNNAMED = "column-"
#: This many lines may stand above the header.
_MOST_ABOVE = 100


@dataclass(frozen=True, slots=True)
class Head:
    """``names`` of the columns; ``skip``: records before the first row; ``units`` as the file says them."""

    names: tuple[str, ...]
    skip: int
    has_header: bool
    units: tuple[str, ...] = ()
    above: int = 0


def find_head(rows: list[list[str]], is_number: Callable[[str], bool]) -> Head:
    """The head of a table whose first records are ``rows``."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    above = 0
    if width > 1:
        most = min(len(rows) - 1, _MOST_ABOVE)
        while above < most and not _fits(rows[above], width, first=above == 0):
            above += 1
        if above == most:
            above = 0
    first, body = rows[above], rows[above + 1 :]
    filled = [cell for cell in first if cell.strip()]
    has_header = not filled or not all(is_number(cell) or _is_time(cell) for cell in filled)
    if has_header and body and len(first) + 1 == width:
        # Either each row ends in a delimiter, or the header leaves the row numbers' name out (R, pandas).
        open_end = all(not row[-1].strip() for row in body if len(row) == width)
        first = [*first, ""] if open_end else ["", *first]
    units: tuple[str, ...] = ()
    if has_header and len(body) > 1 and _is_units(body, len(first), is_number):
        units = tuple(cell.strip() for cell in body[0])
    return Head(_names(first, has_header), above + has_header + bool(units), has_header, units, above)


def _fits(row: list[str], width: int, *, first: bool) -> bool:
    return len(row) == width or (first and len(row) + 1 == width)


def _is_time(cell: str) -> bool:
    return recognise([cell], UTC) is not None


def _is_units(body: list[list[str]], width: int, is_number: Callable[[str], bool]) -> bool:
    """Whether the first row below the header holds texts alone, and the next ones numbers."""
    first = [cell for cell in body[0] if cell.strip()]
    if len(body[0]) != width or not first or any(_filled_number(cell, is_number) for cell in first):
        return False
    if any(_is_time(cell) for cell in first):
        return False
    below = [row for row in body[1:20] if len(row) == width]
    numeric = sum(sum(_filled_number(cell, is_number) for cell in row) for row in below)
    return bool(below) and numeric >= len(below) * max(1, width // 2)


def _filled_number(cell: str, is_number: Callable[[str], bool]) -> bool:
    return not missing(cell) and is_number(cell)


def _names(first: list[str], has_header: bool) -> tuple[str, ...]:
    names: list[str] = []
    for number, cell in enumerate(first, start=1):
        name = " ".join(cell.split()) if has_header else ""
        name = "".join(c for c in name if c.isprintable())[:120] or f"{UNNAMED}{number}"
        names.append(name if name not in names else f"{name}-{number}")
    return tuple(names)
