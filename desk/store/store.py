"""The desk in one SQLite file: the journal, what follows from it, and transactions over both."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

import msgspec

from connectors.sqlite.files import StoreError
from connectors.sqlite.steps import migrate
from desk.rules import journal
from desk.rules.desk import Known
from desk.rules.journal import Action, CmmsOrder, Entry, decode_entry, encode_entry
from desk.rules.life import Shelf
from desk.rules.point import Point, apply
from desk.rules.scope import Scope
from desk.rules.suppression import Window
from desk.rules.views import card_of, rank
from desk.store.on_call import put_on_call
from desk.store.orders import put_order
from desk.store.rationalisation import put_rationalisation
from desk.store.schema import DESK, PROJECTED, PROJECTIONS, open_desk, version_of
from pipeline.records import AlarmEvent, AlarmPhase, Verdict

_pack = msgspec.msgpack.Encoder().encode
decode_point = msgspec.msgpack.Decoder(Point).decode
_event = msgspec.msgpack.Decoder(AlarmEvent).decode
_verdict = msgspec.msgpack.Decoder(Verdict).decode
_window = msgspec.msgpack.Decoder(Window).decode


class DeskStore:
    """Opens ``path``; all writing goes through `writing`, all reading through `reading`.

    Safe to use from several threads and by several processes: state is read in the transaction that
    changes it, and kept nowhere else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        before = version_of(path)
        self._db = open_desk(path)
        self._reader = open_desk(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._lock, self._read_lock = RLock(), RLock()
        self._after: list[Callable[[list[Entry]], None]] = []
        if 0 < before < PROJECTED:
            self.rebuild()

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._read_lock:
            self._db.close()
            self._reader.close()

    def after_commit(self, call: Callable[[list[Entry]], None]) -> None:
        """Call ``call`` with the new entries after each commit, in the thread that wrote."""
        self._after.append(call)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction: on disk when the block ends, undone when it raises. Raises `StoreError`."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"{self.path} cannot be written: {error}. Free the disk, or end what holds it."
                ) from error
            transaction = Transaction(self._db)
            try:
                yield transaction
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        if transaction.written:
            for call in self._after:
                call(transaction.written)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One consistent view of the file."""
        with self._read_lock:
            self._reader.execute("BEGIN")
            try:
                yield Transaction(self._reader)
            finally:
                self._reader.execute("COMMIT")

    def rebuild(self) -> int:
        """Make everything that follows from the journal again; returns the number of entries."""
        with self.writing() as t:
            for table in PROJECTIONS:
                t.db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            count = 0
            for count, (body,) in enumerate(  # noqa: B007
                t.db.execute("SELECT body FROM journal ORDER BY seq").fetchall(), start=1
            ):
                t.project(decode_entry(body))
        return count


@dataclass(frozen=True, slots=True)
class LinkedOrder:
    """A maintenance system's order, who linked it to an alarm, and when (ms UTC)."""

    order: CmmsOrder
    by: str
    at: int


class Transaction:
    """What can be read and written within one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.written: list[Entry] = []
        self._head: tuple[int, bytes] | None = None

    # -- the journal

    def append(self, entry: Entry) -> Entry:
        """Write ``entry`` at the journal's end and into all that follows from it."""
        seq, previous = self._head or self.head()
        entry = msgspec.structs.replace(entry, seq=seq + 1)
        body = encode_entry(entry)
        hashed = journal.seal(previous, body)
        self.db.execute(
            "INSERT INTO journal (seq, at, action, machine, point, alarm, body, hash) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (entry.seq, entry.at, entry.action, entry.machine, entry.point, entry.alarm, body, hashed),
        )
        self._head = entry.seq, hashed
        self.project(entry)
        self.written.append(entry)
        return entry

    def has_client(self, client: str) -> bool:
        """Whether an act with this id (`Sent.key`) was done already."""
        return self.db.execute("SELECT 1 FROM journal WHERE client = ?", (client,)).fetchone() is not None

    def head(self) -> tuple[int, bytes]:
        """The last entry's number and hash."""
        row = self.db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, journal.GENESIS)

    def rows(self) -> Iterator[tuple[int, bytes, bytes]]:
        """The whole journal for `desk.rules.journal.verify`.

        Raises `JournalError` where a row's own columns say other than its sealed body.
        """
        query = "SELECT seq, body, hash, at, action, machine, point, alarm FROM journal ORDER BY seq"
        for seq, body, hashed, *columns in self.db.execute(query):
            entry = decode_entry(body)
            if columns != [entry.at, entry.action, entry.machine, entry.point, entry.alarm]:
                raise journal.JournalError(f"Entry {seq}: its row was changed after it was written.")
            yield seq, body, hashed

    def entries(
        self,
        scope: Scope,
        *,
        machine: str | None = None,
        alarm: str | None = None,
        after: int = 0,
        since: int | None = None,
        until: int | None = None,
        before: int | None = None,
        actions: Sequence[str] = (),
        by: str | None = None,
        text: str | None = None,
        limit: int = 1000,
        newest_first: bool = False,
    ) -> list[Entry]:
        """Entries within ``scope``; ``since`` .. ``until`` are event times, ``after`` and ``before`` numbers.

        ``by`` is who did it, ``text`` a part of what they wrote or of the machine's name.
        """
        like = None if text is None else f"%{escaped(text)}%"
        conditions, parameters = _where(
            scope,
            ("seq > ?", after),
            ("seq < ?", before),
            ("json_extract(CAST(body AS TEXT), '$.by') = ?", by),
            (
                "(machine || ' ' || ifnull(json_extract(CAST(body AS TEXT), '$.why'), '') "
                "|| ' ' || ifnull(json_extract(CAST(body AS TEXT), '$.verdict.failure_mode'), '') "
                "|| ' ' || ifnull(json_extract(CAST(body AS TEXT), '$.verdict.comment'), '')) "
                "LIKE ? ESCAPE '\\'",
                like,
            ),
            ("machine = ?", machine),
            ("alarm = ?", alarm),
            ("time >= ?", since),
            ("time < ?", until),
        )
        if actions:
            conditions += f" AND action IN ({', '.join('?' * len(actions))})"
            parameters += actions
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT body FROM journal WHERE {conditions} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        return [decode_entry(body) for (body,) in self.db.execute(query, (*parameters, limit))]

    def changes_of_orders(self, after: int, limit: int = 10_000) -> list[Entry]:
        """The entries of work orders after number ``after``, in their order."""
        query = "SELECT body FROM journal WHERE seq > ? AND action LIKE 'order-%' ORDER BY seq LIMIT ?"
        return [decode_entry(body) for (body,) in self.db.execute(query, (after, limit))]

    # -- what follows from it

    def project(self, entry: Entry) -> None:
        """Bring the projections up to ``entry``."""
        if entry.point:
            self._put(apply(self.point(entry.point), entry))
        if entry.event is not None and entry.action in (Action.RAISE, Action.CLEAR):
            self._occurrence(entry.point, entry.event)
        if entry.verdict is not None:
            verdict = entry.verdict
            self.db.execute(
                "INSERT OR REPLACE INTO verdicts (id, machine, alarm, at, body) VALUES (?,?,?,?,?)",
                (verdict.id, verdict.machine, verdict.alarm, verdict.at, _pack(verdict)),
            )
        if entry.order is not None:
            order = entry.order
            self.db.execute(
                "INSERT OR REPLACE INTO work_orders (alarm, machine, number, url, by, at) "
                "VALUES (?,?,?,?,?,?)",
                (entry.alarm, entry.machine, order.number, order.url, entry.by, entry.at),
            )
        if entry.work is not None:
            put_order(self.db, entry)
        if entry.on_call is not None:
            put_on_call(self.db, entry.on_call)
        if entry.rationalisation is not None:
            put_rationalisation(self.db, entry.rationalisation)
        if entry.window is not None:
            window = entry.window
            self.db.execute(
                'INSERT OR REPLACE INTO windows (id, place, start, "end", body) VALUES (?,?,?,?,?)',
                (window.id, window.place, window.start, window.end, _pack(window)),
            )
        if entry.action is Action.DOWN:
            self.db.execute(
                "INSERT OR REPLACE INTO down (machine, since, by, why) VALUES (?,?,?,?)",
                (entry.machine, entry.at, entry.by, entry.why),
            )
        if entry.action is Action.UP:
            self.db.execute("DELETE FROM down WHERE machine = ?", (entry.machine,))

    def _put(self, point: Point) -> None:
        life = point.life
        watched = life.latched or life.suppressed or life.shelf is Shelf.TIMED
        self.db.execute(
            "INSERT INTO points (id, machine, line, shown, watched, priority, body, card, rank, onset, kind, "
            "cause, sensor, state) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT (id) DO UPDATE SET shown=excluded.shown, watched=excluded.watched, "
            "priority=excluded.priority, body=excluded.body, card=excluded.card, rank=excluded.rank, "
            "onset=excluded.onset, state=excluded.state",
            (
                point.id,
                point.machine,
                point.line,
                point.shown,
                watched,
                int(point.priority),
                _pack(point),
                card_of(point),
                rank(point),
                point.onset,
                point.kind,
                point.code,
                point.sensor or "",
                life.state,
            ),
        )

    def _occurrence(self, point: str, event: AlarmEvent) -> None:
        cleared = event.phase is AlarmPhase.CLEARED
        self.db.execute(
            "INSERT INTO occurrences (id, point, machine, onset, ended, raised, cleared) "
            "VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT (id) DO UPDATE SET raised=coalesce(raised, excluded.raised), "
            "ended=coalesce(excluded.ended, ended), cleared=max(cleared, excluded.cleared)",
            (
                event.id,
                point,
                event.machine,
                event.onset,
                event.time if cleared else None,
                None if cleared else _pack(event),
                cleared,
            ),
        )

    def point(self, id: str) -> Point | None:
        """The point with this id."""
        row = self.db.execute("SELECT body FROM points WHERE id = ?", (id,)).fetchone()
        return decode_point(row[0]) if row else None

    def shown(self, scope: Scope) -> list[Point]:
        """The points that stand on the desk."""
        where, values = scope.sql("machine")
        query = f"SELECT body FROM points WHERE shown = 1 AND {where}"  # noqa: S608
        return [decode_point(body) for (body,) in self.db.execute(query, values)]

    def shown_on_line(self, line: str) -> list[Point]:
        """The points of one line that stand on the desk."""
        query = "SELECT body FROM points WHERE shown = 1 AND line = ?"
        return [decode_point(body) for (body,) in self.db.execute(query, (line,))]

    def shown_of_cause(self, kind: str, cause: str) -> list[Point]:
        """The points of one kind and cause that stand on the desk."""
        query = "SELECT body FROM points WHERE shown = 1 AND kind = ? AND cause = ?"
        return [decode_point(body) for (body,) in self.db.execute(query, (kind, cause))]

    def timed(self) -> list[Point]:
        """The points that time may change."""
        query = (
            "SELECT body FROM points WHERE shown = 1 "
            "UNION ALL SELECT body FROM points WHERE watched = 1 AND shown = 0"
        )
        return [decode_point(body) for (body,) in self.db.execute(query)]

    def points(self, scope: Scope, machine: str) -> list[Point]:
        """All points of one machine."""
        where, values = scope.sql("machine")
        query = f"SELECT body FROM points WHERE machine = ? AND {where} ORDER BY id"  # noqa: S608
        return [decode_point(body) for (body,) in self.db.execute(query, (machine, *values))]

    def frequent(self, scope: Scope, since: int, least: int) -> list[Point]:
        """The points that were raised ``least`` times or more since ``since`` (event time)."""
        where, values = scope.sql("machine")
        query = (
            f"SELECT body FROM points WHERE {where} AND id IN (SELECT point FROM occurrences "  # noqa: S608
            "WHERE onset > ? AND raised IS NOT NULL GROUP BY point HAVING count(*) >= ?)"
        )
        return [decode_point(body) for (body,) in self.db.execute(query, (*values, since, least))]

    def machines(self, scope: Scope) -> list[str]:
        """Every machine that the desk has heard of."""
        where, values = scope.sql("machine")
        query = f"SELECT DISTINCT machine FROM points WHERE {where} ORDER BY machine"  # noqa: S608
        return [name for (name,) in self.db.execute(query, values)]

    def known(self, alarm: str) -> Known:
        """Which events of an occurrence have come."""
        row = self.db.execute(
            "SELECT raised IS NOT NULL, cleared FROM occurrences WHERE id = ?", (alarm,)
        ).fetchone()
        return Known(bool(row[0]), bool(row[1])) if row else Known()

    def occurrence(self, alarm: str) -> tuple[str, str] | None:
        """(point, machine) of an occurrence."""
        row = self.db.execute("SELECT point, machine FROM occurrences WHERE id = ?", (alarm,)).fetchone()
        return (row[0], row[1]) if row else None

    def work_order(self, alarm: str) -> LinkedOrder | None:
        """The work order that an alarm led to."""
        query = "SELECT number, url, by, at FROM work_orders WHERE alarm = ?"
        row = self.db.execute(query, (alarm,)).fetchone()
        return LinkedOrder(CmmsOrder(row[0], row[1]), row[2], row[3]) if row else None

    def occurrences(
        self,
        scope: Scope,
        *,
        machine: str | None = None,
        alarm: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
    ) -> list[tuple[AlarmEvent, int | None]]:
        """(raise, when its condition ended) of occurrences, the newest onset first, in event time."""
        conditions, parameters = _where(
            scope, ("machine = ?", machine), ("id = ?", alarm), ("onset >= ?", since), ("onset < ?", until)
        )
        query = (
            f"SELECT raised, ended FROM occurrences WHERE raised IS NOT NULL AND {conditions} "  # noqa: S608
            "ORDER BY onset DESC, id LIMIT ?"
        )
        return [(_event(raised), ended) for raised, ended in self.db.execute(query, (*parameters, limit))]

    def verdicts(
        self, scope: Scope, *, machine: str | None = None, alarm: str | None = None, limit: int = 1000
    ) -> list[Verdict]:
        """Verdicts, the newest first."""
        conditions, parameters = _where(scope, ("machine = ?", machine), ("alarm = ?", alarm))
        query = f"SELECT body FROM verdicts WHERE {conditions} ORDER BY at DESC, id LIMIT ?"  # noqa: S608
        return [_verdict(body) for (body,) in self.db.execute(query, (*parameters, limit))]

    def windows(self, *, open_after: int) -> list[Window]:
        """The maintenance windows that end later than ``open_after``."""
        query = 'SELECT body FROM windows WHERE "end" > ? ORDER BY start, id'
        return [_window(body) for (body,) in self.db.execute(query, (open_after,))]

    def window(self, id: str) -> Window | None:
        """One maintenance window."""
        row = self.db.execute("SELECT body FROM windows WHERE id = ?", (id,)).fetchone()
        return _window(row[0]) if row else None

    def down(self) -> dict[str, int]:
        """The machines that are down, and since when."""
        return dict(self.db.execute("SELECT machine, since FROM down"))

    # -- in and out

    def offsets(self, topic: str) -> dict[int, int]:
        """The last offset taken in, by partition."""
        return dict(self.db.execute('SELECT "partition", "offset" FROM offsets WHERE topic = ?', (topic,)))

    def keep_offset(self, topic: str, partition: int, offset: int) -> None:
        """Remember ``offset`` as taken in, unless a later one is."""
        self.db.execute(
            'INSERT INTO offsets (topic, "partition", "offset") VALUES (?,?,?) '
            'ON CONFLICT (topic, "partition") DO UPDATE SET "offset" = max("offset", excluded."offset")',
            (topic, partition, offset),
        )

    def unpublished(self, limit: int = 100) -> list[Verdict]:
        """Verdicts that have not gone out to the models, the oldest first."""
        gone = "SELECT verdict FROM published"
        query = f"SELECT body FROM verdicts WHERE id NOT IN ({gone}) ORDER BY at, id LIMIT ?"  # noqa: S608
        return [_verdict(body) for (body,) in self.db.execute(query, (limit,))]

    def publish_again(self, since: int) -> None:
        """Send the verdicts that went out after ``since`` once more: the models know them by id."""
        self.db.execute("DELETE FROM published WHERE at > ?", (since,))

    def mark_published(self, verdict: str, at: int) -> None:
        """The models have it."""
        self.db.execute("INSERT OR IGNORE INTO published (verdict, at) VALUES (?,?)", (verdict, at))


def escaped(text: str) -> str:
    """``text`` as a part of a pattern of LIKE with the escape ``\\``."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return text


def _where(scope: Scope, *wanted: tuple[str, str | int | None]) -> tuple[str, list[str | int]]:
    """The scope and every condition whose value is given, as SQL with its parameters."""
    where, values = scope.sql("machine")
    given = [(condition, value) for condition, value in wanted if value is not None]
    return " AND ".join([where, *(condition for condition, _ in given)]), [*values, *(v for _, v in given)]


def check_journal(path: Path, heads: list[bytes]) -> tuple[int, bytes]:
    """Verify the journal in ``path``. Raises `desk.rules.journal.JournalError`, `StoreError`."""
    if not path.is_file():
        raise StoreError(f"{path} is no file. Start `yeji desk` first, or correct the path (--data).")
    store = DeskStore(path)
    try:
        with store.reading() as t:
            found = journal.verify(t.rows(), heads)
            check_projections(t)
            return found
    finally:
        store.close()


def check_projections(t: Transaction) -> None:
    """Hold what the file says of alarms, verdicts and work against what its journal gives.

    A verdict that was changed beside the journal, or a journal that was emptied under what followed from it,
    is found so. Raises `desk.rules.journal.JournalError`.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, DESK.steps)
        again = Transaction(db)
        for (body,) in t.db.execute("SELECT body FROM journal ORDER BY seq"):
            again.project(decode_entry(body))
        for table in PROJECTIONS:
            query = f"SELECT * FROM {table} ORDER BY 1"  # noqa: S608 - our own names
            kept, made = t.db.execute(query).fetchall(), db.execute(query).fetchall()
            if kept != made:
                raise journal.JournalError(
                    f"The table {table} does not follow from the journal: {_difference(kept, made)}. "
                    "`yeji journal rebuild` makes it anew from the journal."
                )
        if not t.head()[0] and any(
            t.db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
            for table in ("offsets", "published", "outbox", "models")
        ):
            raise journal.JournalError(
                "The journal is empty, and what followed from it is not: it was emptied."
            )


def _difference(kept: list[tuple[object, ...]], made: list[tuple[object, ...]]) -> str:
    """Where two tables differ, by their first column."""
    there, due = {row[0]: row for row in kept}, {row[0]: row for row in made}
    if more := there.keys() - due.keys():
        return f"{len(more)} rows too many, {min(map(str, more))} among them"
    if less := due.keys() - there.keys():
        return f"{len(less)} rows are missing, {min(map(str, less))} among them"
    changed = [str(name) for name, row in there.items() if row != due[name]]
    return f"{len(changed)} rows were changed, {min(changed, default='')} among them"
