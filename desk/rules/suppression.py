"""Suppression by design (ISA-18.2, 12.4): what keeps a machine's alarms from people, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from desk.rules.scope import within


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """Planned work on everything under ``place`` from ``start`` until ``end`` (ms UTC, end excluded)."""

    id: str
    place: str
    start: int
    end: int
    by: str
    why: str = ""

    def open_at(self, now: int) -> bool:
        """Whether work is going on at ``now``."""
        return self.start <= now < self.end


def parents_of(machine: str, parents: Mapping[str, str]) -> list[str]:
    """The machines without which ``machine`` cannot run, the nearest first.

    ``parents`` maps a pattern of machine names to the machine that all of these hang on.

    >>> parents_of("a/b/c/l1/robot", {"a/b/c/l1/*": "a/b/c/l1/drive", "a/b/c/*": "a/b/c/hall/power"})
    ['a/b/c/l1/drive', 'a/b/c/hall/power']
    """
    found: list[str] = []
    todo = [machine]
    while todo:
        here = todo.pop(0)
        for pattern, parent in parents.items():
            if parent != machine and parent not in found and fnmatchcase(here, pattern):
                found.append(parent)
                todo.append(parent)
    return found


def reasons(
    machine: str, *, windows: Iterable[Window], down: Iterable[str], parents: Mapping[str, str], now: int
) -> tuple[str, ...]:
    """Why the alarms of ``machine`` are suppressed at ``now``; empty = they are not.

    >>> reasons("a/b/c/d/e", windows=[Window("w1", "a/b/c", 0, 10, "kim")], down=[], parents={}, now=5)
    ('window:w1',)
    """
    down = set(down)
    above = parents_of(machine, parents)
    found = [f"down:{one}" for one in above if one in down]
    for window in windows:
        if window.open_at(now) and any(within(one, window.place) for one in (machine, *above)):
            found.append(f"window:{window.id}")
    return tuple(sorted(found))
