"""What happens to accounts, sessions and keys, as the journal keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desk.access.roles import ALL
from desk.rules.journal import Action
from desk.rules.routing import OWN

#: Where it stands in the journal when it is of no one place.
NOWHERE = f"{OWN}/access"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvent:
    """Somebody (``by``) did something with an account or key of the name ``about``.

    ``place`` is where it stands in the journal: who may see that place sees the entry. ``address`` is the
    network address that it came from, ``role`` and ``places`` what the account or key has now.
    """

    action: Action
    by: str
    about: str
    place: str = NOWHERE
    address: str = ""
    role: str = ""
    places: tuple[str, ...] = ()


#: Takes what happened; called before it can be used.
Record = Callable[[AccessEvent], None]


def place_of(places: Sequence[str]) -> str:
    """The place that an account's entries stand at: what all its places have in common.

    >>> place_of(["a/b/c", "a/b/d"]), place_of(["a/b"]), place_of(["a/b", "x/y"]), place_of(["*"])
    ('a/b', 'a/b', 'yeji/desk/access', 'yeji/desk/access')
    """
    if not places or ALL in places:
        return NOWHERE
    common = []
    for levels in zip(*(place.split("/") for place in places), strict=False):
        if len(set(levels)) > 1:
            break
        common.append(levels[0])
    return "/".join(common) or NOWHERE


def nobody(event: AccessEvent) -> None:
    """Takes it and keeps nothing: for tests and tools without a journal."""
