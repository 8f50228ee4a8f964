"""Reads back what `SqliteSink` wrote, while it goes on writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import msgspec
import numpy as np

from connectors.base.buckets import Buckets, thin
from connectors.base.history import (
    Alarm,
    History,
    HistoryUnavailableError,
    MachineNow,
    RejectedCount,
    RejectedInput,
    Series,
)
from connectors.sqlite.chunks import COLUMNS, Chunk, decode, merge
from connectors.sqlite.schema import open_reader
from pipeline.records import AlarmEvent, Floats, Prognosis, Reason, State

#: A trend is made from at least so many of a machine's latest readings.
_TREND = 720
_EVER = 2**62
_event = msgspec.msgpack.Decoder(AlarmEvent).decode
_NOW = (
    "SELECT name, class, first, last, state, score, health, "
    "(SELECT count(*) FROM alarms a WHERE a.machine=m.name AND a.cleared IS NULL) FROM machines m"
)


class SqliteHistory(History):
    """The store at ``path``, opened read-only: a writer is never held up."""

    def __init__(self, path: Path) -> None:
        """Raises `connectors.sqlite.files.StoreError` when there is no such store."""
        self.path = path
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = [open_reader(path)]
        self._watch = open_reader(path)
        self._trends: dict[str, tuple[int, int, Floats]] = {}
        self._closed = False

    def close(self) -> None:
        """Close every connection; those in use close when they are done."""
        with self._lock:
            self._closed = True
            for db in [*self._idle, self._watch]:
                db.close()
            self._idle.clear()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, with one view of the file throughout."""
        with self._lock:
            db = self._idle.pop() if self._idle else None
        db = db or open_reader(self.path)
        try:
            db.execute("BEGIN")
            yield db
        except sqlite3.Error as error:
            raise HistoryUnavailableError(
                f"{self.path} cannot be read: {error}. Check the disk, and that the file is still there."
            ) from error
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            with self._lock:
                if self._closed:
                    db.close()
                else:
                    self._idle.append(db)

    def version(self) -> object:
        """SQLite's own count of other connections' commits."""
        with self._lock:
            if self._closed:
                raise HistoryUnavailableError(f"{self.path} was closed.")
            return self._watch.execute("PRAGMA data_version").fetchone()[0]

    # -- machines

    def fleet(self) -> list[MachineNow]:
        """Every machine, by name."""
        with self._reading() as db:
            return [_now(row) for row in db.execute(f"{_NOW} ORDER BY name")]

    def machine(self, machine: str) -> MachineNow | None:
        """One machine; None = never seen."""
        with self._reading() as db:
            row = db.execute(f"{_NOW} WHERE name=?", (machine,)).fetchone()
            return None if row is None else _now(row)

    def trends(self, machines: Sequence[str], points: int = 48) -> Mapping[str, Floats]:
        """The health of each machine's last 720 readings or more, oldest first."""
        found: dict[str, Floats] = {}
        with self._reading() as db:
            for machine in machines:
                row = db.execute("SELECT id, last FROM machines WHERE name=?", (machine,)).fetchone()
                if row is None:
                    continue
                known = self._trends.get(machine)
                if known is None or known[:2] != (row[1], points):
                    known = self._trends[machine] = (row[1], points, self._trend(db, row[0], points))
                if len(known[2]):
                    found[machine] = known[2]
        return found

    def _trend(self, db: sqlite3.Connection, machine: int, points: int) -> Floats:
        times, healths, n = [], [], 0
        query = "SELECT time, health FROM chunks WHERE machine=? ORDER BY stop DESC"
        for time, health in db.execute(query, (machine,)):
            times.append(np.frombuffer(time, "<i8"))
            healths.append(np.frombuffer(health, "<f8"))
            n += len(times[-1])
            if n >= _TREND:
                break
        if not times:
            return np.empty(0)
        order = np.argsort(np.concatenate(times), kind="stable")
        return thin(np.concatenate(healths)[order][-_TREND:], points)

    def series(self, machine: str, start: int, end: int, points: int = 600) -> Series:
        """The readings with start <= time <= end: themselves where they are few, else in buckets."""
        with self._reading() as db:
            where = "WHERE c.machine=(SELECT id FROM machines WHERE name=?) AND stop>=? AND start<=?"
            which = (machine, start, end)
            layouts = {
                layout: tuple(msgspec.json.decode(sensors, type=list[str]))
                for layout, sensors in db.execute(
                    "SELECT id, sensors FROM layouts WHERE id IN "  # noqa: S608 - no input in the text
                    f"(SELECT layout FROM chunks c {where}) ORDER BY id DESC",
                    which,
                )
            }
            sensors = tuple(dict.fromkeys(name for names in layouts.values() for name in names))
            n = db.execute(f"SELECT total(n) FROM chunks c {where}", which).fetchone()[0]  # noqa: S608
            rows = db.execute(f"SELECT layout, {COLUMNS} FROM chunks c {where} ORDER BY start", which)  # noqa: S608
            parts: Iterator[tuple[tuple[str, ...], Chunk]] = (
                (layouts[layout], decode(blobs, len(layouts[layout]))) for layout, *blobs in rows
            )
            if not n:
                return Buckets(start, end, points, ()).series(machine)
            if n <= 4 * points:  # few chunks overlap the ends: at worst a little is read for nothing
                exact = _exact(machine, start, end, sensors, parts)
                if len(exact) <= points:
                    return exact
                parts = iter([(sensors, _as_chunk(exact))])
            buckets = Buckets(start, end, points, sensors)
            for names, chunk in parts:
                buckets.add(chunk.time, names, chunk.values, chunk.score, chunk.health, chunk.state)
            return buckets.series(machine)

    # -- alarms and prognosis

    def alarms(
        self,
        *,
        open: bool | None = None,
        machine: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 100,
    ) -> list[Alarm]:
        """Alarms, newest onset first."""
        conditions: list[str] = []
        values: list[object] = []
        if open is not None:
            conditions.append(f"cleared IS {'' if open else 'NOT '}NULL")
        if machine is not None:
            conditions.append("machine=?")
            values.append(machine)
        if start is not None:
            conditions.append("(cleared IS NULL OR latest>=?)")
            values.append(start)
        if end is not None:
            conditions.append("onset<=?")
            values.append(end)
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        query = f"SELECT raised, cleared FROM alarms {where}ORDER BY onset DESC, id LIMIT ?"  # noqa: S608
        with self._reading() as db:
            return [_alarm(*row) for row in db.execute(query, (*values, limit))]

    def alarm(self, id: str) -> Alarm | None:
        """One alarm; None = unknown."""
        with self._reading() as db:
            row = db.execute("SELECT raised, cleared FROM alarms WHERE id=?", (id,)).fetchone()
            return None if row is None else _alarm(*row)

    def prognosis(self, machine: str) -> Prognosis | None:
        """The latest prognosis of a machine."""
        return next(iter(self.prognoses(machine, 0, _EVER, 1)), None)

    def prognoses(self, machine: str, start: int, end: int, limit: int = 500) -> list[Prognosis]:
        """The prognoses made from ``start`` to ``end``, oldest first; the latest ``limit``."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT machine, class, time, health, threshold, remaining, low, high FROM prognoses "
                "WHERE machine=? AND time BETWEEN ? AND ? ORDER BY time DESC LIMIT ?",
                (machine, start, end, limit),
            ).fetchall()
        return [Prognosis(*row) for row in reversed(rows)]

    # -- rejected input

    def rejections(self, limit: int = 100) -> list[RejectedInput]:
        """The latest rejections, newest first."""
        with self._reading() as db:
            rows = db.execute(
                'SELECT received, reason, detail, machine, sensor, readings, topic, "partition", "offset", '
                "size, substr(original, 1, 2000) FROM rejections ORDER BY received DESC, id DESC LIMIT ?",
                (limit,),
            )
            return [RejectedInput(row[0], Reason(row[1]), *row[2:]) for row in rows]

    def rejection_counts(self) -> list[RejectedCount]:
        """How often there was each reason, most frequent first."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT reason, count(*), sum(readings), max(received) FROM rejections "
                "GROUP BY reason ORDER BY 2 DESC, 1"
            )
            return [RejectedCount(Reason(reason), *rest) for reason, *rest in rows]


def _now(row: tuple[str, str, int, int, int, float | None, float | None, int]) -> MachineNow:
    name, machine_class, first, last, state, score, health, alarms = row
    return MachineNow(
        machine=name,
        machine_class=machine_class,
        first=first,
        last=last,
        state=State(state),
        score=score,
        health=health,
        open_alarms=alarms,
    )


def _alarm(raised: bytes | None, cleared: bytes | None) -> Alarm:
    end = None if cleared is None else _event(cleared)
    begin = end if raised is None else _event(raised)
    assert begin is not None  # noqa: S101 - a row is written with one of the two
    return Alarm(begin, end)


def _exact(
    machine: str,
    start: int,
    end: int,
    sensors: tuple[str, ...],
    parts: Iterator[tuple[tuple[str, ...], Chunk]],
) -> Series:
    """The readings themselves, with NaN for sensors that were not there at the time."""
    chunks = []
    for names, chunk in parts:
        chunk = chunk.select((chunk.time >= start) & (chunk.time <= end))
        values = np.full((len(chunk), len(sensors)), np.nan)
        values[:, [sensors.index(name) for name in names]] = chunk.values
        nothing = np.zeros((len(chunk), len(sensors)), dtype=np.float32)
        chunks.append(Chunk(chunk.time, chunk.score, chunk.health, chunk.state, values, nothing))
    whole = _folded(merge(chunks))
    x = whole.values
    ones = np.ones(len(whole), dtype=np.int64)
    return Series(
        machine=machine,
        start=start,
        end=end,
        step=0,
        sensors=sensors,
        time=whole.time,
        low=x,
        mean=x,
        high=x,
        score=whole.score,
        health=whole.health,
        state=whole.state,
        count=ones,
    )


def _folded(chunk: Chunk) -> Chunk:
    """One row a time: values that came later stand in rows of their own, without a score."""
    first = np.concatenate(([True], chunk.time[1:] != chunk.time[:-1]))
    if first.all():
        return chunk
    group = np.cumsum(first) - 1
    out = chunk.select(first)
    values, score, health, state = out.values.copy(), out.score.copy(), out.health.copy(), out.state.copy()
    for row in np.flatnonzero(~first).tolist():
        to = group[row]
        values[to] = np.where(np.isnan(values[to]), chunk.values[row], values[to])
        score[to] = chunk.score[row] if np.isnan(score[to]) else score[to]
        health[to] = chunk.health[row] if np.isnan(health[to]) else health[to]
        state[to] = max(state[to], chunk.state[row])
    return Chunk(out.time, score, health, state, values, out.contributions)


def _as_chunk(series: Series) -> Chunk:
    nothing = np.zeros(series.mean.shape, dtype=np.float32)
    return Chunk(series.time, series.score, series.health, series.state, series.mean, nothing)
