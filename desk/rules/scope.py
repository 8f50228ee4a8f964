"""Whose machines a call may see: a tenant, an area, a line, or all. Every call of the desk asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """The machines under any of ``places``, each the first levels of a machine's name.

    There is no default: code that forgets whom it works for does not run. `NOTHING` sees no machine.

    >>> body = Scope.of("gwangju/ggm/body")
    >>> body.allows("gwangju/ggm/body/line-2/press-07"), body.allows("gwangju/ggm/bodyshop/l/m")
    (True, False)
    """

    places: tuple[str, ...]
    everything: bool = False

    @classmethod
    def of(cls, *places: str) -> Scope:
        """The machines under these places. ValueError for an empty one: say `EVERYTHING` if that is meant."""
        cleaned = tuple(place.strip("/") for place in places)
        if not all(cleaned):
            raise ValueError("a place of a scope is empty; name at least a tenant's first level")
        return cls(cleaned)

    def allows(self, machine: str) -> bool:
        """Whether ``machine`` (or a place: an area, a line) lies within."""
        return self.everything or any(within(machine, place) for place in self.places)

    def narrowed(self, places: Iterable[str]) -> Scope:
        """What lies both in this scope and under ``places``.

        >>> Scope.of("a/b").narrowed(["a", "a/b/c", "x/y"]).places
        ('a/b', 'a/b/c')
        """
        found: list[str] = []
        for place in places:
            if self.allows(place):
                found.append(place)
            else:
                found += [own for own in self.places if within(own, place)]
        return Scope(tuple(dict.fromkeys(found)))

    def sql(self, column: str) -> tuple[str, tuple[str, ...]]:
        """The same as a condition of SQL on ``column`` (a name, never input) and its parameters.

        >>> Scope.of("a/b").sql("machine")
        ('(machine = ? OR (machine >= ? AND machine < ?))', ('a/b', 'a/b/', 'a/b0'))
        """
        if self.everything:
            return "1", ()
        if not self.places:
            return "0", ()
        parts: list[str] = []
        values: list[str] = []
        for place in self.places:
            parts.append(f"({column} = ? OR ({column} >= ? AND {column} < ?))")
            values += [place, f"{place}/", f"{place}0"]  # "0" follows "/" in ASCII
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})", tuple(values)


#: All tenants: for the desk's own work, never for a person who is not its administrator.
EVERYTHING = Scope((), everything=True)
#: No machine at all.
NOTHING = Scope(())


def within(machine: str, place: str) -> bool:
    """Whether ``machine`` is ``place`` or lies under it."""
    return machine == place or machine.startswith(f"{place}/")
