"""A machine's name: enterprise/site/area/line/machine, the levels of ISA-95; plants' own names made such."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

LEVELS = ("enterprise", "site", "area", "line", "machine")

#: What stands for the levels that a source does not name.
DEFAULT_LEVELS = ("plant", "site", "area", "line")

# No wildcard of MQTT (+ #), no separator of line protocol or CSV, no control character: the same name
# has to stand as a topic level, a tag value and a file name.
_LEVEL = re.compile(r"[\w~][\w .:@()~-]{0,62}", re.UNICODE)
_MOST = 63
_ESCAPED = re.compile(r"(?:~[0-9A-F]{2})+")
_CUT = re.compile(r"~~[0-9a-f]{8}$")


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


@lru_cache(maxsize=1 << 16)
def safe_level(text: str) -> str:
    """One level of a name, of whatever characters, as an id; `display_name` is the way back.

    What an id cannot hold becomes ``~`` and two hexadecimal digits for each of its bytes (UTF-8); an id that
    would be too long is cut and ends in ``~~`` and eight digits of its hash.

    >>> safe_level("#1 Pump"), safe_level("펌프 3")
    ('~231 Pump', '펌프 3')

    Raises ValueError for a name that is empty or has control characters.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if not text or not text.isprintable():
        raise ValueError(f"machine level {text[:80]!r} is empty or has characters that cannot be printed")
    if not _LEVEL.fullmatch(text):  # an id stays as it is
        text = "".join(
            c if re.match(r"[\w .:@()-]", c) and (i or c.isalnum() or c == "_") else _escape(c)
            for i, c in enumerate(text)
        )
    if len(text) > _MOST:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        kept = re.sub(r"~[0-9A-F]?$", "", text[: _MOST - 10])
        text = f"{kept}~~{digest}"
    return text


def _escape(character: str) -> str:
    return "".join(f"~{byte:02X}" for byte in character.encode())


@lru_cache(maxsize=1 << 16)
def machine_name(name: str, levels: Sequence[str] = DEFAULT_LEVELS) -> str:
    """The five-level id of a machine that its source calls ``name``.

    ``levels`` (enterprise, site, area, line) stand before a name that has fewer: a tuple of at most four. A
    name with a slash that has not five levels is one machine's own name: ``levels`` says where it stands.

    >>> machine_name("P&ID-7"), machine_name("a/b/c/d/e")
    ('plant/site/area/line/P~26ID-7', 'a/b/c/d/e')

    Raises ValueError for a name that is empty or has control characters.
    """
    parts = name.split("/")
    if len(parts) == len(LEVELS) and all(part.strip() for part in parts):
        return "/".join(safe_level(part) for part in parts)
    return level_name([*levels, *DEFAULT_LEVELS[len(levels) :], name])


def level_name(parts: Sequence[str], levels: Sequence[str] = DEFAULT_LEVELS) -> str:
    """The five-level id of a machine whose levels are known, the machine itself last.

    Those that are missing in front are taken from ``levels``; more than five become one machine's name.

    >>> level_name(["line-2", "press/7"], ("acme", "gwangju", "body"))
    'acme/gwangju/body/line-2/press~2F7'
    """
    own = list(parts)
    if len(own) > len(LEVELS):
        own = [*own[:4], "/".join(own[4:])]
    front = [*levels, *DEFAULT_LEVELS[len(levels) :]][: len(LEVELS) - len(own)]
    return "/".join(safe_level(part) for part in [*front, *own])


@lru_cache(maxsize=1 << 16)
def display_name(machine: str) -> str:
    """A machine's id, or one level of it, as its plant writes it.

    >>> display_name("P~26ID-7"), display_name("a/b/c/d/press-07")
    ('P&ID-7', 'a/b/c/d/press-07')
    """
    if "~" not in machine:
        return machine
    return "/".join(_displayed(level) for level in machine.split("/"))


def _displayed(level: str) -> str:
    level = _CUT.sub("…", level)
    return _ESCAPED.sub(
        lambda found: bytes.fromhex(found[0].replace("~", "")).decode(errors="replace"), level
    )
