"""Versions of machine classes' settings: proposed, in the shadow, active, retired. None is ever lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from desk.rules.journal import Action, Entry
from desk.store.store import DeskStore, Transaction
from pipeline.cause import Cause

KIND = "tuning"


class TuningError(Exception):
    """A version cannot be used so; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedVersion:
    """One version of a class's changes; ``changes`` by dotted name, against `yeji.toml`.

    ``role``: proposed, shadow, active or retired. ``at`` is when it came into that role (ms UTC).
    """

    version: int
    at: int
    by: str
    role: str
    note: str
    changes: dict[str, Any]


class TuningBook:
    """Keeps versions in the desk's store; each step is in its journal."""

    def __init__(self, store: DeskStore) -> None:
        self.store = store

    def versions(self, machine_class: str) -> list[TunedVersion]:
        """All versions, the newest first."""
        with self.store.reading() as r:
            return _versions(r, machine_class)

    def classes(self) -> list[str]:
        """Classes with versions."""
        with self.store.reading() as r:
            query = "SELECT DISTINCT name FROM models WHERE kind = ? ORDER BY name"
            return [name for (name,) in r.db.execute(query, (KIND,))]

    def active(self, machine_class: str) -> TunedVersion | None:
        """The promoted version; None = as in `yeji.toml`."""
        return next((version for version in self.versions(machine_class) if version.role == "active"), None)

    def propose(
        self, machine_class: str, changes: Mapping[str, Any], *, at: int, by: str, note: str = ""
    ) -> TunedVersion:
        """Keep ``changes`` as a new version; the same changes again are the version they were."""
        with self.store.writing() as t:
            for one in _versions(t, machine_class):
                if one.changes == dict(changes):
                    return one
            version = 1 + max((one.version for one in _versions(t, machine_class)), default=0)
            t.db.execute(
                "INSERT INTO models (kind, name, version, at, by, role, note, body) VALUES (?,?,?,?,?,?,?,?)",
                (KIND, machine_class, version, at, by, "proposed", note, msgspec.json.encode(dict(changes))),
            )
            _journal(t, machine_class, version, "proposed", at, by, note)
        return TunedVersion(version=version, at=at, by=by, role="proposed", note=note, changes=dict(changes))

    def shadow(self, machine_class: str, version: int, *, at: int, by: str) -> TunedVersion:
        """From now on, `yeji tune report` judges it by what comes."""
        return self._move(machine_class, version, "shadow", at, by)

    def promote(self, machine_class: str, version: int, *, at: int, by: str) -> TunedVersion:
        """Make it the active one; the one before is retired."""
        return self._move(machine_class, version, "active", at, by)

    def roll_back(self, machine_class: str, *, at: int, by: str) -> TunedVersion | None:
        """Retire the active version; the one that was active before it is active again.

        None = there was none before: the class is as in `yeji.toml`. Raises `TuningError` if none is active.
        """
        with self.store.writing() as t:
            known = _versions(t, machine_class)
            now = next((one for one in known if one.role == "active"), None)
            if now is None:
                raise TuningError(f"Nothing is promoted for class {machine_class!r}.")
            before = _active_before(t, machine_class, now.version)
            _set(t, machine_class, now.version, "retired", at, by, cause=Cause("tuning.rolled-back"))
            _activated(t, machine_class, now.version, None)
            if before is not None:
                entry = _set(t, machine_class, before, "active", at, by, cause=Cause("tuning.rolled-back-to"))
                _activated(t, machine_class, before, entry.seq)
        return self.active(machine_class)

    def _move(self, machine_class: str, version: int, role: str, at: int, by: str) -> TunedVersion:
        with self.store.writing() as t:
            known = {one.version: one for one in _versions(t, machine_class)}
            if version not in known:
                names = ", ".join(map(str, sorted(known))) or "none"
                raise TuningError(f"Class {machine_class!r} has no version {version}; it has {names}.")
            if role == "active":
                for one in known.values():
                    if one.role == "active" and one.version != version:
                        _set(t, machine_class, one.version, "retired", at, by)
            entry = _set(t, machine_class, version, role, at, by)
            if role == "active":
                _activated(t, machine_class, version, entry.seq)
        return next(one for one in self.versions(machine_class) if one.version == version)


def _versions(t: Transaction, machine_class: str) -> list[TunedVersion]:
    rows = t.db.execute(
        "SELECT version, at, by, role, note, body FROM models WHERE kind = ? AND name = ? "
        "ORDER BY version DESC",
        (KIND, machine_class),
    )
    return [
        TunedVersion(
            version=version,
            at=at,
            by=by,
            role=role,
            note=note,
            changes=msgspec.json.decode(body, type=dict[str, Any]),
        )
        for version, at, by, role, note, body in rows
    ]


def _set(
    t: Transaction,
    machine_class: str,
    version: int,
    role: str,
    at: int,
    by: str,
    cause: Cause | None = None,
) -> Entry:
    t.db.execute(
        "UPDATE models SET role = ?, at = ?, by = ? WHERE kind = ? AND name = ? AND version = ?",
        (role, at, by, KIND, machine_class, version),
    )
    return _journal(t, machine_class, version, role, at, by, cause=cause)


def _journal(
    t: Transaction,
    machine_class: str,
    version: int,
    role: str,
    at: int,
    by: str,
    note: str = "",
    cause: Cause | None = None,
) -> Entry:
    return t.append(
        Entry(
            at=at,
            time=at,
            by=by,
            action=Action.TUNE,
            machine=f"class/{machine_class}",
            version=version,
            role=role,
            why=note,
            cause=cause,
        )
    )


def _activated(t: Transaction, machine_class: str, version: int, entry: int | None) -> None:
    """Note which journal entry made ``version`` active; None = it was rolled back."""
    t.db.execute(
        "UPDATE models SET activated = ? WHERE kind = ? AND name = ? AND version = ?",
        (entry, KIND, machine_class, version),
    )


def _active_before(t: Transaction, machine_class: str, version: int) -> int | None:
    """Which version was active before ``version``, of those that were not rolled back."""
    row = t.db.execute(
        "SELECT version FROM models WHERE kind = ? AND name = ? AND activated < "
        "(SELECT activated FROM models WHERE kind = ? AND name = ? AND version = ?) "
        "ORDER BY activated DESC LIMIT 1",
        (KIND, machine_class, KIND, machine_class, version),
    ).fetchone()
    return None if row is None else int(row[0])
