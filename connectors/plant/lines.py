"""On which line of a TOML file a key stands: errors name it, and the parser does not tell."""

from __future__ import annotations

import re
import tomllib

from pipeline.plant import Path

_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")


def line_of(text: str, path: Path) -> int:
    """The line (from 1) where ``path`` stands, else that of the nearest table around it.

    >>> toml = '[[machines]]\\nid = "a"\\n[[machines]]\\nid = "b"\\n[machines.sensors.t]\\nwarn = 1\\n'
    >>> line_of(toml, ("machines", 1, "sensors", "t", "warn")), line_of(toml, ("machines", 1, "line"))
    (6, 3)
    """
    table: Path = ()
    counts: dict[Path, int] = {}
    best, longest = 1, -1
    for number, line in enumerate(text.split("\n"), 1):
        header, key = _HEADER.fullmatch(line.rstrip("\r")), _KEY.match(line)
        if header is not None:
            names = _parts(header[2])
            if names is None:
                continue
            table = _within(names[:-1], counts)
            place = (*table, names[-1])
            if header[1] == "[[":
                counts[place] = counts.get(place, -1) + 1
                place = (*place, counts[place])
            elif place in counts:
                place = (*place, counts[place])
            table = found = place
        elif key is not None and (inner := _parts(key[1])) is not None:
            found = (*table, *inner)
        else:
            continue
        common = len(found) if path[: len(found)] == found else -1
        if common > longest:
            best, longest = number, common
    return best


def _within(names: list[str], counts: dict[Path, int]) -> Path:
    """The table of ``names``, within the last element of each array of tables on the way."""
    place: Path = ()
    for name in names:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place])
    return place


def _parts(dotted: str) -> list[str] | None:
    """``a."b.c".d`` in parts; None when it is no key."""
    try:
        found = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return None
    parts: list[str] = []
    while isinstance(found, dict):
        ((name, found),) = found.items()
        parts.append(name)
    return parts
