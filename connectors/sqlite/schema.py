"""The SQLite file's tables, its version, and how a file is opened and brought up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from connectors.sqlite.files import FileKind, StoreError

#: "yeji" in ASCII: says in the file's header whose file it is (PRAGMA application_id).
APPLICATION_ID = 0x79656A69

# One entry a version: the step from the version before it. Steps are never edited once released.
_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE layouts (
        id INTEGER PRIMARY KEY,
        sensors TEXT NOT NULL UNIQUE              -- JSON array of sensor names, in column order
    );
    CREATE TABLE machines (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        class TEXT NOT NULL,
        layout INTEGER NOT NULL REFERENCES layouts (id),   -- of its latest reading
        first INTEGER NOT NULL,                   -- event times, ms UTC
        last INTEGER NOT NULL,
        score REAL,                               -- of its latest reading; NULL while learning
        health REAL,
        state INTEGER NOT NULL
    );
    -- Readings in columns: one row holds up to thousands of readings of one machine. No two rows hold
    -- the same (machine, time). Small columns come first: SQLite reads a row's pages only as far as the
    -- last column asked for.
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        machine INTEGER NOT NULL REFERENCES machines (id),
        start INTEGER NOT NULL,
        stop INTEGER NOT NULL,                    -- event times of its first and last reading
        n INTEGER NOT NULL,
        level INTEGER NOT NULL,                   -- connectors.sqlite.chunks.level(n)
        layout INTEGER NOT NULL REFERENCES layouts (id),
        time BLOB NOT NULL,                       -- (n,) little-endian int64, ms UTC
        score BLOB NOT NULL,                      -- (n,) little-endian float64, as the next two
        health BLOB NOT NULL,
        state BLOB NOT NULL,                      -- (n,) uint8
        "values" BLOB NOT NULL,                   -- (n, k) float64 in row order
        contributions BLOB NOT NULL               -- (s, k) float32 of the s readings SUSPECT or in ALARM
    );
    CREATE INDEX chunks_by_time ON chunks (machine, stop, start, n);
    CREATE INDEX chunks_small ON chunks (machine, level, layout) WHERE level < 3;
    CREATE TABLE alarms (
        id TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        onset INTEGER NOT NULL,
        latest INTEGER NOT NULL,                  -- event time of the newest of the two events
        raised BLOB,                              -- AlarmEvent as MessagePack; NULL = only CLEARED was seen
        cleared BLOB                              -- NULL = open
    );
    CREATE INDEX alarms_by_machine ON alarms (machine, onset);
    CREATE INDEX alarms_by_time ON alarms (onset);
    CREATE INDEX alarms_open ON alarms (onset) WHERE cleared IS NULL;
    CREATE TABLE prognoses (
        machine TEXT NOT NULL,
        time INTEGER NOT NULL,
        class TEXT NOT NULL,
        health REAL NOT NULL,
        threshold REAL NOT NULL,
        remaining REAL,                           -- hours; NULL = not within the horizon
        low REAL,
        high REAL,
        PRIMARY KEY (machine, time)
    ) WITHOUT ROWID;
    CREATE TABLE rejections (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,              -- connectors.sqlite.store.rejection_digest: kept once
        received INTEGER NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        machine TEXT,
        sensor TEXT,
        readings INTEGER NOT NULL,
        topic TEXT NOT NULL,
        "partition" INTEGER NOT NULL,
        "offset" INTEGER NOT NULL,
        size INTEGER NOT NULL,                    -- of the whole original; at most 1 MB of it is kept
        original BLOB NOT NULL
    );
    CREATE INDEX rejections_by_time ON rejections (received);
    CREATE TABLE snapshots (
        machine TEXT PRIMARY KEY,
        data BLOB NOT NULL                        -- pipeline.snapshots.snapshot's bytes
    );
    CREATE TABLE positions (
        source TEXT PRIMARY KEY,
        count INTEGER NOT NULL,                   -- how far it was read: what the snapshots stand for
        detail TEXT NOT NULL                      -- the source's own business
    );
    """,
)

#: Yeji's store of results. Larger pages suit rows of many kB.
STORE = FileKind(
    application_id=APPLICATION_ID,
    what="a store of results",
    steps=_STEPS,
    first=("page_size = 16384", "auto_vacuum = INCREMENTAL"),
    pragmas=("foreign_keys = ON",),
)

VERSION = STORE.version


def open_writer(path: Path, patience: float = 30.0) -> sqlite3.Connection:
    """Open ``path`` for writing, as `FileKind.open`."""
    return STORE.open(path, patience)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open ``path`` read-only. Raises `StoreError` when there is none, or it is of another version."""
    if not path.is_file():
        raise StoreError(f"{path} is no file. Start `yeji run` first, or correct the path (--data).")
    db = sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?mode=ro",
        uri=True,
        timeout=30,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        STORE.check(db, path)
        if (version := db.execute("PRAGMA user_version").fetchone()[0]) < VERSION:
            raise StoreError(
                f"{path} has version {version} of the store and this Yeji reads {VERSION}. "
                "Start `yeji run` once on it: it brings the file up to date."
            )
    except sqlite3.DatabaseError as error:
        db.close()
        raise STORE.unreadable(path, error) from error
    except BaseException:
        db.close()
        raise
    return db
