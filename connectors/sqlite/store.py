"""Results into one SQLite file: the embedded default, with nothing to install or to start."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from connectors.base.contract import Sink, SinkUnavailableError
from connectors.sqlite.chunks import COLUMNS, FANOUT, FULL, Chunk, decode, level, merge
from connectors.sqlite.schema import open_writer
from connectors.sqlite.settings import SqliteSinkSettings
from pipeline.records import AlarmEvent, AlarmPhase, Prognosis, Rejection, Results, Scored

#: So much of a rejected message is kept.
MAX_ORIGINAL = 1_000_000
_DAY = 86_400_000
_encode = msgspec.msgpack.Encoder().encode
_INSERT = (
    f"INSERT INTO chunks (machine, start, stop, n, level, layout, {COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
)


@dataclass(slots=True)
class _Machine:
    """What the writer remembers of a machine, so that it need not ask the file."""

    id: int
    last: int
    #: how many chunks there are of (level, layout), while small
    small: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """How far ``source`` was read: its first ``count`` items. ``detail`` is the source's own business."""

    source: str
    count: int
    detail: str = ""


class SqliteSink(Sink):
    """Writes results to ``path``; each `write` is one transaction, on disk when it returns.

    A result that comes again replaces itself, however the batches were split: readings are known by
    machine and time, alarms by id, prognoses by machine and time, rejections by `rejection_digest`.
    ``keep_days``: readings older than that, measured back from the newest reading, are removed; so are
    cleared alarms, prognoses and rejections. ``patience``: seconds to wait for another writer to finish.

    Model snapshots go into the same file and, with the source's position, into the same transaction: a
    file never holds a snapshot without the results that were found on the way to it. Results written
    after the last position are found again by reading the source on from there.
    """

    def __init__(self, path: Path, *, keep_days: float | None = None, patience: float = 30.0) -> None:
        self.path = path
        self.patience = patience
        self.keep = None if keep_days is None else round(keep_days * _DAY)
        self._db: sqlite3.Connection | None = None
        self._machines: dict[str, _Machine] = {}
        self._layouts: dict[tuple[str, ...], int] = {}
        self._version = -1
        self._pruned: int | None = None

    def setup(self) -> None:
        """Open the file, or create it. Raises `connectors.sqlite.files.StoreError`."""
        if self._db is None:
            self._db = open_writer(self.path, self.patience)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._forget()

    def write(
        self,
        results: Results,
        *,
        snapshots: Mapping[str, bytes] | None = None,
        position: Position | None = None,
    ) -> None:
        """Write ``results``, the ``snapshots`` (machine: bytes) and the ``position``, all or nothing."""
        self.setup()
        db = self._db
        assert db is not None  # noqa: S101 - `setup` opened it
        try:
            db.execute("BEGIN IMMEDIATE")
            # Another process wrote: what we remember may be wrong.
            if (version := db.execute("PRAGMA data_version").fetchone()[0]) != self._version:
                self._forget()
                self._version = version
            self._readings(db, [one for one in results.scored if len(one)])
            for late in results.history:
                self._readings(db, [late])
            self._complements(db, results.complements)
            self._alarms(db, results.alarms)
            self._prognoses(db, results.prognoses)
            self._rejections(db, results.rejections)
            db.executemany("INSERT OR REPLACE INTO snapshots VALUES (?,?)", (snapshots or {}).items())
            if position is not None:
                db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?,?,?)",
                    (position.source, position.count, position.detail),
                )
            self._prune(db)
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back(db)
            raise SinkUnavailableError(
                f"{self.path} cannot be written: {error}. Free the disk, or end the other program that "
                "holds the file; nothing of this batch was written and it will be tried again."
            ) from error
        except BaseException:
            self._roll_back(db)
            raise

    def snapshots(self) -> Iterator[tuple[str, bytes]]:
        """Every machine's snapshot: what to restore before reading on from `position`."""
        self.setup()
        assert self._db is not None  # noqa: S101 - `setup` opened it
        yield from self._db.execute("SELECT machine, data FROM snapshots ORDER BY machine")

    def position(self, source: str) -> Position | None:
        """Where ``source`` stood when the snapshots were taken; None = it was never read."""
        self.setup()
        assert self._db is not None  # noqa: S101 - `setup` opened it
        row = self._db.execute("SELECT * FROM positions WHERE source=?", (source,)).fetchone()
        return None if row is None else Position(*row)

    def _roll_back(self, db: sqlite3.Connection) -> None:
        self._forget()
        if db.in_transaction:
            db.execute("ROLLBACK")

    def _forget(self) -> None:
        self._machines.clear()
        self._layouts.clear()

    # -- readings

    def _readings(self, db: sqlite3.Connection, scored: Iterable[Scored]) -> None:
        rows: list[tuple[object, ...]] = []
        seen: dict[str, Scored] = {}
        for one in scored:
            layout = self._layout(db, one.sensors)
            machine = self._machine(db, one, layout)
            chunk = Chunk.of(one)
            first = int(chunk.time[0])
            if first <= machine.last or one.machine in seen:
                db.executemany(_INSERT, rows)
                rows.clear()
                self._make_way(db, machine, chunk)
            rows.append(_row(machine.id, layout, chunk))
            size = (level(len(chunk)), layout)
            if size[0] < FULL:
                machine.small[size] = machine.small.get(size, 0) + 1
            if int(chunk.time[-1]) >= machine.last:
                machine.last = int(chunk.time[-1])
                seen[one.machine] = one
        db.executemany(_INSERT, rows)
        db.executemany(
            "UPDATE machines SET class=?, layout=?, first=min(first,?), last=?, score=?, health=?, state=? "
            "WHERE id=? AND last<=?",
            [self._now(one) for one in seen.values()],
        )
        for name in {one.machine for one in scored}:
            self._compact(db, self._machines[name])

    def _complements(self, db: sqlite3.Connection, complements: Iterable[Scored]) -> None:
        """Values that were missing in readings: chunks of their own, which leave what was found as it is."""
        for complement in complements:
            layout = self._layout(db, complement.sensors)
            machine = self._machine(db, complement, layout)
            chunk = Chunk.of(complement)
            self._make_way(db, machine, chunk, layout)
            db.execute(_INSERT, _row(machine.id, layout, chunk))
            size = (level(len(chunk)), layout)
            if size[0] < FULL:
                machine.small[size] = machine.small.get(size, 0) + 1
            self._compact(db, machine)

    def _now(self, one: Scored) -> tuple[object, ...]:
        last = int(one.time[-1])
        return (
            one.machine_class,
            self._layouts[one.sensors],
            int(one.time[0]),
            last,
            float(one.score[-1]),
            float(one.health[-1]),
            int(one.state[-1]),
            self._machines[one.machine].id,
            last,
        )

    def _layout(self, db: sqlite3.Connection, sensors: tuple[str, ...]) -> int:
        known = self._layouts.get(sensors)
        if known is None:
            text = msgspec.json.encode(sensors).decode()
            db.execute("INSERT OR IGNORE INTO layouts (sensors) VALUES (?)", (text,))
            known = int(db.execute("SELECT id FROM layouts WHERE sensors=?", (text,)).fetchone()[0])
            self._layouts[sensors] = known
        return known

    def _machine(self, db: sqlite3.Connection, one: Scored, layout: int) -> _Machine:
        known = self._machines.get(one.machine)
        if known is not None:
            return known
        row = db.execute("SELECT id, last FROM machines WHERE name=?", (one.machine,)).fetchone()
        if row is None:
            first = int(one.time[0])
            cursor = db.execute(
                "INSERT INTO machines (name, class, layout, first, last, state) VALUES (?,?,?,?,?,0)",
                (one.machine, one.machine_class, layout, first, first - 1),
            )
            known = _Machine(int(cursor.lastrowid or 0), first - 1)
        else:
            known = _Machine(*row)
            counts = db.execute(
                "SELECT level, layout, count(*) FROM chunks WHERE machine=? AND level<3 "
                "GROUP BY level, layout",
                (known.id,),
            )
            known.small = {(size, kind): n for size, kind, n in counts}
        self._machines[one.machine] = known
        return known

    def _make_way(
        self, db: sqlite3.Connection, machine: _Machine, chunk: Chunk, only: int | None = None
    ) -> None:
        """Take the readings that ``chunk`` brings again out of the chunks (of layout ``only``) with them."""
        db.execute("UPDATE machines SET first=min(first, ?) WHERE id=?", (int(chunk.time[0]), machine.id))
        found = db.execute(
            f"SELECT c.id, l.id, l.sensors, {COLUMNS} FROM chunks c JOIN layouts l ON l.id=c.layout "  # noqa: S608
            "WHERE machine=? AND stop>=? AND start<=?",
            (machine.id, int(chunk.time[0]), int(chunk.time[-1])),
        ).fetchall()
        for row, layout, sensors, *blobs in found:
            if only is not None and layout != only:
                continue
            old = decode(blobs, len(msgspec.json.decode(sensors)))
            keep = ~np.isin(old.time, chunk.time)
            if keep.all():
                continue
            db.execute("DELETE FROM chunks WHERE id=?", (row,))
            size = (level(len(old)), layout)
            if size in machine.small:
                machine.small[size] -= 1
            if keep.any():
                rest = old.select(keep)
                db.execute(_INSERT, _row(machine.id, layout, rest))
                size = (level(len(rest)), layout)
                if size[0] < FULL:
                    machine.small[size] = machine.small.get(size, 0) + 1

    def _compact(self, db: sqlite3.Connection, machine: _Machine) -> None:
        """Merge chunks that have become many, as an LSM tree does: few rows to read, little written twice."""
        for size in range(FULL):
            for layout in [kind for (s, kind), n in machine.small.items() if s == size and n >= FANOUT]:
                rows = db.execute(
                    f"SELECT c.id, l.sensors, {COLUMNS} FROM chunks c JOIN layouts l ON l.id=c.layout "  # noqa: S608
                    "WHERE machine=? AND level=? AND layout=? AND level<3 ORDER BY start",
                    (machine.id, size, layout),
                ).fetchall()
                machine.small[size, layout] = 0
                width = len(msgspec.json.decode(rows[0][1]))
                merged = merge([decode(blobs, width) for _, _, *blobs in rows])
                db.executemany("DELETE FROM chunks WHERE id=?", [(row[0],) for row in rows])
                db.execute(_INSERT, _row(machine.id, layout, merged))
                above = (level(len(merged)), layout)
                if above[0] < FULL:
                    machine.small[above] = machine.small.get(above, 0) + 1

    # -- the rest

    def _alarms(self, db: sqlite3.Connection, alarms: Iterable[AlarmEvent]) -> None:
        for alarm in alarms:
            column = "raised" if alarm.phase is AlarmPhase.RAISED else "cleared"
            db.execute(
                f"INSERT INTO alarms (id, machine, onset, latest, {column}) VALUES (?,?,?,?,?) "  # noqa: S608
                f"ON CONFLICT (id) DO UPDATE SET {column}=excluded.{column}, "
                "latest=max(latest, excluded.latest)",
                (alarm.id, alarm.machine, alarm.onset, alarm.time, _encode(alarm)),
            )

    def _prognoses(self, db: sqlite3.Connection, prognoses: Iterable[Prognosis]) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO prognoses "
            "(machine, time, class, health, threshold, remaining, low, high) VALUES (?,?,?,?,?,?,?,?)",
            [
                (p.machine, p.time, p.machine_class, p.health, p.threshold, p.remaining, p.low, p.high)
                for p in prognoses
            ],
        )

    def _rejections(self, db: sqlite3.Connection, rejections: Iterable[Rejection]) -> None:
        db.executemany(
            "INSERT OR IGNORE INTO rejections (digest, received, reason, detail, machine, sensor, readings, "
            'topic, "partition", "offset", size, original) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)',
            [
                (
                    rejection_digest(r),
                    r.received,
                    r.reason.value,
                    r.detail,
                    r.machine,
                    r.sensor,
                    r.readings,
                    r.topic,
                    r.partition,
                    r.offset,
                    len(r.original),
                    r.original[:MAX_ORIGINAL],
                )
                for r in rejections
            ],
        )

    def _prune(self, db: sqlite3.Connection) -> None:
        """Remove what is too old, each time that event time has moved on by a hundredth of ``keep``."""
        if self.keep is None:
            return
        newest = db.execute("SELECT max(last) FROM machines").fetchone()[0]
        if newest is None or (self._pruned is not None and newest - self._pruned < self.keep // 100):
            return
        self._pruned = newest
        before = newest - self.keep
        removed = db.execute("DELETE FROM chunks WHERE stop<?", (before,)).rowcount
        db.execute("DELETE FROM alarms WHERE cleared IS NOT NULL AND latest<?", (before,))
        db.execute("DELETE FROM prognoses WHERE time<?", (before,))
        # Rejections are known by their arrival, which in a replay is no event time.
        db.execute(
            "DELETE FROM rejections WHERE received<(SELECT max(received) FROM rejections)-?", (self.keep,)
        )
        if removed:
            self._forget()
            db.execute("PRAGMA incremental_vacuum(1000)").fetchall()


def open_sink(settings: SqliteSinkSettings) -> SqliteSink:
    """The sink of ``[sinks.NAME]`` with kind = "sqlite"."""
    return SqliteSink(settings.path, keep_days=settings.keep_days)


def rejection_digest(one: Rejection) -> bytes:
    """What a rejection is known by: its place and content, or, where it has no place, its arrival too."""
    place = (one.topic, one.partition, one.offset) if one.offset >= 0 else one.received
    key = (place, one.reason.value, one.machine, one.sensor, one.detail, one.readings)
    return hashlib.blake2b(_encode(key) + one.original, digest_size=16).digest()


def _row(machine: int, layout: int, chunk: Chunk) -> tuple[object, ...]:
    n = len(chunk)
    return (machine, int(chunk.time[0]), int(chunk.time[-1]), n, level(n), layout, *chunk.blobs())
