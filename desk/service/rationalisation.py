"""The plant's rationalised alarms (ISA-18.2): agreed on, approved, and found for an alarm."""

from __future__ import annotations

import msgspec

from desk.rules.desk import RefusedError
from desk.rules.journal import Action, Entry
from desk.rules.rationalisation import (
    WORDS,
    Rationalisation,
    find_rationalisation,
    rationalisation_id,
)
from desk.rules.scope import Scope
from desk.service.desk import Desk, NotFoundError
from desk.store.rationalisation import rationalisation, rationalisations, rationalisations_above
from desk.store.store import Transaction
from pipeline.records import AlarmEvent


class RationalisationList:
    """Rationalised alarms of a desk. Changes are entries of the journal; ``by`` and `Scope` as for `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def all(self, scope: Scope) -> list[Rationalisation]:
        """Every record of places within ``scope``."""
        with self.desk.store.reading() as r:
            return rationalisations(r.db, scope)

    def holding(self, scope: Scope) -> list[Rationalisation]:
        """Every record that may hold for a machine within ``scope``: those of wider places too."""
        with self.desk.store.reading() as r:
            found = {rationalisation.id: rationalisation for rationalisation in rationalisations(r.db, scope)}
            for place in scope.places:
                found |= {one.id: one for one in rationalisations_above(r.db, place)}
        return list(found.values())

    def one(self, scope: Scope, id: str) -> Rationalisation:
        """One record."""
        with self.desk.store.reading() as r:
            return self._find(r, scope, id)

    def of(self, event: AlarmEvent) -> Rationalisation | None:
        """What was agreed on for the point of ``event``, which the caller may see."""
        with self.desk.store.reading() as r:
            return find_rationalisation(rationalisations_above(r.db, event.machine), event)

    def put(self, scope: Scope, wanted: Rationalisation, *, by: str) -> Rationalisation:
        """Agree on ``wanted``, in place of what was for the same points; it waits for approval."""
        place = wanted.place.strip("/")
        if not place or not scope.allows(place):
            raise NotFoundError(f"There is no {place!r} in what you may see.")
        texts = {name: getattr(wanted, name).strip()[:WORDS] for name in ("cause", "consequence", "response")}
        if not all(texts.values()):
            raise RefusedError("rationalisation-empty")
        if not 0 < wanted.minutes <= 100_000:
            raise RefusedError("rationalisation-minutes")
        now = self.desk.clock()
        key = (wanted.machine_class, wanted.kind, wanted.sensor, wanted.code)
        made = msgspec.structs.replace(
            wanted,
            id=rationalisation_id(place, *key),
            place=place,
            changed_by=by,
            changed_at=now,
            approved_by="",
            approved_at=None,
            **texts,
        )
        with self.desk.store.writing() as t:
            self._tell(t, made, by)
        return made

    def approve(self, scope: Scope, id: str, *, by: str) -> Rationalisation:
        """It holds as it stands."""
        with self.desk.store.writing() as t:
            known = self._find(t, scope, id)
            if known.approved:
                raise RefusedError("rationalisation-approved", by=known.approved_by)
            made = msgspec.structs.replace(known, approved_by=by, approved_at=self.desk.clock())
            self._tell(t, made, by)
        return made

    def remove(self, scope: Scope, id: str, *, by: str) -> None:
        """Nothing is agreed on for these points any more."""
        with self.desk.store.writing() as t:
            known = self._find(t, scope, id)
            gone = msgspec.structs.replace(known, cause="", approved_by="", approved_at=None)
            self._tell(t, gone, by)

    def _find(self, t: Transaction, scope: Scope, id: str) -> Rationalisation:
        found = rationalisation(t.db, id)
        if found is None or not scope.allows(found.place):
            raise NotFoundError("There is no such record.")
        return found

    def _tell(self, t: Transaction, made: Rationalisation, by: str) -> None:
        now = self.desk.clock()
        action = Action.RATIONALISE
        t.append(Entry(at=now, time=now, by=by, action=action, machine=made.place, rationalisation=made))
