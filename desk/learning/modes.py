"""The desk's failure-mode classifiers, one a tenant and machine class: each confirmed fault teaches one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from desk.advice.advisor import Advisor
from desk.advice.likelihood import joined
from desk.rules.journal import Action, Entry
from desk.rules.modes import FailureModes, fit, worth_naming
from desk.rules.scope import Scope
from desk.service.desk import Desk
from desk.store.store import Transaction
from pipeline.cause import Cause
from pipeline.machine import parse_machine
from pipeline.records import AlarmEvent, VerdictKind
from pipeline.spreading.examples import Example, decode_examples, encode_examples, features

KIND = "modes"
#: This many versions are kept; older ones are forgotten.
KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version: who made it when, whether it is active or retired, and of how many faults it is made.

    ``pinned``: a person chose it, and newer ones do not replace it.
    """

    version: int
    at: int
    by: str
    role: str
    note: str
    pinned: bool
    examples: int


class ModeBook:
    """Learns from the desk's verdicts and names likely modes on its alarms.

    What one tenant's crews say teaches that tenant's classifier alone; what is learned elsewhere comes in
    by `adopt` (pipeline/spreading/prior.py). The latest version is active, unless a person chose another
    (`activate`).
    """

    def __init__(self, desk: Desk, advisor: Advisor | None = None) -> None:
        """``advisor``: says by the catalogue what is likely before any crew has; None = nothing."""
        self.desk, self.advisor = desk, advisor
        self._lock = Lock()
        self._models: dict[str, FailureModes] = {}
        desk.modes = self.name
        desk.subscribe(self._heard)

    def name(self, event: AlarmEvent) -> tuple[tuple[str, float], ...]:
        """The likely failure modes of a raised alarm."""
        key = _key(event.machine, event.machine_class)
        with self._lock:
            model = self._models.get(key)
        if model is None:
            with self.desk.store.reading() as r:
                model = fit(_active(r, key))
            with self._lock:
                self._models[key] = model
        catalogue = self.advisor.likely(event) if self.advisor else {}
        if not catalogue:
            return model.likely(features(event))
        return worth_naming(joined(catalogue, model.weights(features(event))))

    def versions(self, tenant: str, machine_class: str) -> list[ModelVersion]:
        """The versions of one classifier, the newest first."""
        with self.desk.store.reading() as r:
            rows = r.db.execute(
                "SELECT version, at, by, role, note, pinned, body FROM models WHERE kind = ? AND name = ? "
                "ORDER BY version DESC",
                (KIND, f"{tenant}/{machine_class}"),
            ).fetchall()
        return [
            ModelVersion(
                version=version,
                at=at,
                by=by,
                role=role,
                note=note,
                pinned=bool(pinned),
                examples=len(decode_examples(body)),
            )
            for version, at, by, role, note, pinned, body in rows
        ]

    def examples(self, tenant: str, machine_class: str) -> tuple[Example, ...]:
        """What the active version was made of."""
        with self.desk.store.reading() as r:
            return _active(r, f"{tenant}/{machine_class}")

    def activate(self, tenant: str, machine_class: str, version: int, *, by: str) -> None:
        """Let ``version`` name modes from now on: a roll-back, or forward again. Raises LookupError.

        Verdicts go on making new versions; those are active only after the newest was chosen again.
        """
        key = f"{tenant}/{machine_class}"
        with self.desk.store.writing() as t:
            newest = _newest(t, key)
            known = t.db.execute(
                "SELECT 1 FROM models WHERE kind = ? AND name = ? AND version = ?", (KIND, key, version)
            ).fetchone()
            if known is None:
                raise LookupError(f"There is no version {version} of {key}; the newest is {newest}.")
            pinned, at = version != newest, self.desk.clock()
            t.db.execute(
                "UPDATE models SET role = 'retired', pinned = 0 WHERE kind = ? AND name = ?", (KIND, key)
            )
            t.db.execute(
                "UPDATE models SET role = 'active', pinned = ? WHERE kind = ? AND name = ? AND version = ?",
                (pinned, KIND, key, version),
            )
            t.append(
                Entry(
                    at=at,
                    time=at,
                    by=by,
                    action=Action.TUNE,
                    machine=f"{tenant}/class/{machine_class}",
                    cause=Cause("modes.pinned" if pinned else "modes.newest"),
                    version=version,
                    role="active",
                )
            )
        with self._lock:
            self._models.pop(key, None)

    def adopt(
        self, tenant: str, machine_class: str, examples: Sequence[Example], *, by: str, note: str
    ) -> int:
        """Begin with what was learned elsewhere; own verdicts come on top. Returns the new version."""
        key = f"{tenant}/{machine_class}"
        with self.desk.store.writing() as t:
            merged = _merged(_latest(t, key), examples)
            version = _keep(t, key, merged, at=self.desk.clock(), by=by, note=note)
        with self._lock:
            self._models.pop(key, None)
        return version

    def _heard(self, entries: list[Entry]) -> None:
        """Learn again after a fault is confirmed, or a verdict on one is changed, in ``entries``."""
        keys: dict[str, str] = {}
        for entry in entries:
            if entry.verdict is not None and entry.verdict.alarm is not None:
                keys[_key(entry.machine, entry.verdict.machine_class)] = entry.by
        for key, by in keys.items():
            self._learn(key, by)

    def _learn(self, key: str, by: str) -> None:
        tenant, _, machine_class = key.rpartition("/")
        with self.desk.store.writing() as t:
            before = _latest(t, key)
            own = _own(t, tenant, machine_class)
            said = {verdict for verdict, _ in own}
            overruled = _overruled(t, tenant)
            kept = [one for one in before if one.verdict not in said and one.verdict not in overruled]
            merged = _merged(kept, [example for _, example in own])
            if list(before) == merged:
                return
            _keep(t, key, merged, at=self.desk.clock(), by=by, note="")
        with self._lock:
            self._models.pop(key, None)


def _key(machine: str, machine_class: str) -> str:
    try:
        tenant = parse_machine(machine).tenant
    except ValueError:
        tenant = machine
    return f"{tenant}/{machine_class}"


def _own(t: Transaction, tenant: str, machine_class: str) -> list[tuple[str, Example]]:
    """The tenant's confirmed faults of a class, each alarm by its latest verdict, the oldest first."""
    latest = {}
    for verdict in reversed(t.verdicts(Scope.of(tenant), limit=100_000)):
        if verdict.alarm is not None:
            latest[verdict.alarm] = verdict
    found = []
    for verdict in latest.values():
        if verdict.kind is VerdictKind.FAULT and verdict.machine_class == machine_class:
            rows = t.occurrences(Scope.of(tenant), alarm=verdict.alarm, limit=1)
            if rows:
                found.append((verdict.id, Example(features(rows[0][0]), verdict.failure_mode, verdict.id)))
    return found


def _overruled(t: Transaction, tenant: str) -> set[str]:
    """Verdicts that a later one on the same alarm has replaced."""
    seen: set[str] = set()
    old: set[str] = set()
    for verdict in t.verdicts(Scope.of(tenant), limit=100_000):  # newest first
        if verdict.alarm in seen:
            old.add(verdict.id)
        elif verdict.alarm is not None:
            seen.add(verdict.alarm)
    return old


def _merged(before: Sequence[Example], more: Sequence[Example]) -> list[Example]:
    known = {one.verdict for one in more}
    return [*(one for one in before if one.verdict not in known), *more]


def _newest(t: Transaction, key: str) -> int:
    query = "SELECT ifnull(max(version), 0) FROM models WHERE kind = ? AND name = ?"
    return int(t.db.execute(query, (KIND, key)).fetchone()[0])


def _latest(t: Transaction, key: str) -> tuple[Example, ...]:
    query = "SELECT body FROM models WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1"
    row = t.db.execute(query, (KIND, key)).fetchone()
    return decode_examples(row[0]) if row else ()


def _active(t: Transaction, key: str) -> tuple[Example, ...]:
    query = "SELECT body FROM models WHERE kind = ? AND name = ? AND role = 'active'"
    row = t.db.execute(query, (KIND, key)).fetchone()
    return decode_examples(row[0]) if row else ()


def _keep(t: Transaction, key: str, examples: Sequence[Example], *, at: int, by: str, note: str) -> int:
    """Write the next version; it is active unless a person chose an older one."""
    version = _newest(t, key) + 1
    pinned = t.db.execute(
        "SELECT 1 FROM models WHERE kind = ? AND name = ? AND role = 'active' AND pinned",
        (KIND, key),
    ).fetchone()
    role = "retired" if pinned else "active"
    if role == "active":
        t.db.execute("UPDATE models SET role = 'retired' WHERE kind = ? AND name = ?", (KIND, key))
    t.db.execute(
        "INSERT INTO models (kind, name, version, at, by, role, note, body) VALUES (?,?,?,?,?,?,?,?)",
        (KIND, key, version, at, by, role, note, encode_examples(examples)),
    )
    t.db.execute(
        "DELETE FROM models WHERE kind = ? AND name = ? AND version <= ? AND role <> 'active'",
        (KIND, key, version - KEPT),
    )
    return version
