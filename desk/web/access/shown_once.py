"""Links and keys that are shown once: to whom they were made for, until they say that they have them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from desk.access.store import new_token

#: This many sessions' secrets are held at most.
_SESSIONS = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret on show, for ``name``; ``key`` names the text beside it. ``ends`` in ms UTC, 0 = never."""

    id: str
    key: str
    name: str
    value: str
    ends: int = 0


class ShownOnce:
    """Secrets by session, in memory alone: they outlast a reload of the page, and not the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: OrderedDict[str, list[Shown]] = OrderedDict()

    def add(self, session: str, key: str, name: str, value: str, ends: int = 0) -> None:
        """Show ``value`` to ``session`` from now on."""
        with self._lock:
            self._held.setdefault(session, []).append(Shown(new_token()[:12], key, name, value, ends))
            self._held.move_to_end(session)
            while len(self._held) > _SESSIONS:
                self._held.popitem(last=False)

    def of(self, session: str) -> list[Shown]:
        """What is on show for ``session``, the newest first."""
        with self._lock:
            return self._held.get(session, [])[::-1]

    def dismiss(self, session: str, id: str) -> None:
        """They have it."""
        with self._lock:
            left = [one for one in self._held.get(session, []) if one.id != id]
            self._held.pop(session, None)
            if left:
                self._held[session] = left
