"""A machine's name: enterprise/site/area/line/machine, the levels of ISA-95."""

from __future__ import annotations

import re
from dataclasses import dataclass

LEVELS = ("enterprise", "site", "area", "line", "machine")

# No wildcard of MQTT (+ #), no separator of line protocol or CSV, no control character: the same name
# has to stand as a topic level, a tag value and a file name.
_LEVEL = re.compile(r"[\w][\w .:@()~-]{0,62}", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Place:
    """The five levels of one machine's name."""

    enterprise: str
    site: str
    area: str
    line: str
    machine: str

    @property
    def tenant(self) -> str:
        """Who owns the machine: the first two levels, as `gwangju/ggm`."""
        return f"{self.enterprise}/{self.site}"


def parse_machine(name: str) -> Place:
    """Split a machine's name into its levels.

    >>> parse_machine("gwangju/ggm/body/press-line-2/press-07").tenant
    'gwangju/ggm'

    Raises ValueError, with the remedy, when it has not five levels of allowed characters.
    """
    levels = name.split("/")
    if len(levels) != len(LEVELS):
        raise ValueError(
            f"machine {name[:200]!r} has {len(levels)} levels; write {'/'.join(LEVELS)}, "
            "for example gwangju/ggm/body/press-line-2/press-07"
        )
    for title, level in zip(LEVELS, levels, strict=True):
        if not _LEVEL.fullmatch(level) or level != level.strip():
            raise ValueError(
                f"machine {name[:200]!r}: {title} {level[:80]!r} is empty, too long (63 at most) or has a "
                "character other than letters, digits, space and . : @ ( ) ~ _ -"
            )
    return Place(*levels)
