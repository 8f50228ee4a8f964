"""The catalogues of failure modes as each plant has changed them: versions are the journal's own entries."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from desk.advice.advisor import Advice, Advisor
from desk.advice.catalogue import AdviceEdit, Catalogue, built_in, with_modes
from desk.advice.sentence import Course
from desk.rules.journal import Action, Entry, decode_entry
from desk.rules.routing import OWN
from desk.rules.scope import Scope, within
from desk.rules.views import AlarmView
from desk.store.store import DeskStore
from pipeline.settings import PipelineSettings

_QUERY = "SELECT body FROM journal WHERE action = 'advice' ORDER BY seq"


class AdviceBook:
    """Which catalogues hold where. A change holds for everything under its place; a nearer place wins.

    Changes are entries of the journal (`Action.ADVICE`), so each version is kept with who, when and why.
    """

    def __init__(self, store: DeskStore, settings: PipelineSettings) -> None:
        self.store = store
        self.advisor = Advisor(settings, self.catalogues)
        self._lock = Lock()
        self._edits: list[tuple[str, AdviceEdit]] | None = None
        self._made: dict[tuple[str, ...], Mapping[str, Catalogue]] = {}
        store.after_commit(self._heard)

    def catalogues(self, machine: str) -> Mapping[str, Catalogue]:
        """The catalogues that hold for ``machine`` (or a place), by name."""
        edits = self._all()
        places = tuple(sorted({place for place, _ in edits if within(machine, place)}, key=_depth))
        if not places:
            return built_in()
        with self._lock:
            made = self._made.get(places)
        if made is None:
            changed: dict[str, list[AdviceEdit]] = {}
            for place in places:  # the nearest last
                for at, edit in edits:
                    if at == place:
                        changed.setdefault(edit.catalogue, []).append(edit)
            made = {
                name: with_modes(one, [(edit.key, edit.mode) for edit in changed.get(name, ())])
                for name, one in built_in().items()
            }
            with self._lock:
                self._made[places] = made
        return made

    def advise(self, alarm: AlarmView, now: int, language: str, trend: str = "") -> Advice | None:
        """What to do about ``alarm`` as it stands at ``now`` (ms UTC); None for what is no machine's.

        ``trend`` is where its value goes (`desk.advice.trend.trend`), if that is known.
        """
        if within(alarm.machine, OWN):
            return None
        grows = alarm.recurrence is not None and (alarm.recurrence.growth or 0.0) > 1.0
        main = max(alarm.contributions, key=lambda one: one.share, default=None)
        if grows and not trend:
            low = main is not None and (main.deviation or 0.0) < 0
            trend = "down" if low or alarm.event.code.startswith("low") else "up"
        course = Course(max(0, now - alarm.onset) if alarm.active else 0, alarm.active, trend)
        return self.advisor.advise(alarm.event, alarm.modes, course, language)

    def versions(self, scope: Scope, catalogue: str, key: str) -> list[Entry]:
        """The changes of one mode within ``scope``, the newest first."""
        with self.store.reading() as r:
            entries = [decode_entry(body) for (body,) in r.db.execute(_QUERY)]
        return [
            entry
            for entry in reversed(entries)
            if entry.advice is not None
            and (entry.advice.catalogue, entry.advice.key) == (catalogue, key)
            and scope.allows(entry.machine)
        ]

    def _all(self) -> list[tuple[str, AdviceEdit]]:
        with self._lock:
            if self._edits is not None:
                return self._edits
        with self.store.reading() as r:
            entries = [decode_entry(body) for (body,) in r.db.execute(_QUERY)]
        found = [(entry.machine, entry.advice) for entry in entries if entry.advice is not None]
        with self._lock:
            self._edits, self._made = found, {}
        return found

    def _heard(self, entries: list[Entry]) -> None:
        if any(entry.action is Action.ADVICE for entry in entries):
            with self._lock:
                self._edits = None


def _depth(place: str) -> tuple[int, str]:
    return place.count("/"), place
