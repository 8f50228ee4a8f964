"""The desk's SQLite file: its tables, its version, and how it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from connectors.sqlite.files import FileKind

#: "yjdk" in ASCII (PRAGMA application_id).
APPLICATION_ID = 0x796A646B

# One entry a version: the step from the version before it. Steps are never edited once released.
_STEPS: tuple[str, ...] = (
    """
    -- What happened. Everything under "projections" below follows from it and can be made anew.
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,                 -- the desk's clock, ms UTC
        action TEXT NOT NULL,
        machine TEXT NOT NULL,
        point TEXT NOT NULL,
        alarm TEXT NOT NULL,
        body BLOB NOT NULL,                  -- desk.rules.journal.encode_entry
        hash BLOB NOT NULL                   -- of the hash before and this body
    );
    CREATE INDEX journal_by_machine ON journal (machine, seq);
    CREATE INDEX journal_by_alarm ON journal (alarm, seq) WHERE alarm <> '';
    CREATE INDEX journal_by_point ON journal (point, seq) WHERE point <> '';
    CREATE INDEX journal_by_time ON journal (at, seq);
    CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_follows BEFORE INSERT ON journal
        WHEN NEW.seq <> (SELECT ifnull(max(seq), 0) + 1 FROM journal)
        BEGIN SELECT RAISE(ABORT, 'the journal has no holes and no second versions'); END;

    -- projections
    CREATE TABLE points (
        id TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        line TEXT NOT NULL,
        shown INTEGER NOT NULL,              -- stands on the desk
        watched INTEGER NOT NULL,            -- time alone may change it
        priority INTEGER NOT NULL,
        body BLOB NOT NULL                   -- desk.rules.point.Point
    );
    CREATE INDEX points_shown ON points (line, machine) WHERE shown = 1;
    CREATE INDEX points_watched ON points (id) WHERE watched = 1;
    CREATE INDEX points_by_machine ON points (machine);
    CREATE TABLE occurrences (
        id TEXT PRIMARY KEY,                 -- AlarmEvent.id
        point TEXT NOT NULL,
        machine TEXT NOT NULL,
        onset INTEGER NOT NULL,              -- event times
        ended INTEGER,
        raised BLOB,                         -- AlarmEvent; NULL = only its clear came
        cleared INTEGER NOT NULL
    );
    CREATE INDEX occurrences_by_machine ON occurrences (machine, onset);
    CREATE INDEX occurrences_by_time ON occurrences (onset);
    CREATE TABLE verdicts (
        id TEXT PRIMARY KEY,
        machine TEXT NOT NULL,
        alarm TEXT,
        at INTEGER NOT NULL,
        body BLOB NOT NULL                   -- pipeline.records.Verdict
    );
    CREATE INDEX verdicts_by_machine ON verdicts (machine, at);
    CREATE INDEX verdicts_by_alarm ON verdicts (alarm) WHERE alarm IS NOT NULL;
    CREATE TABLE windows (
        id TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX windows_by_end ON windows ("end");
    CREATE TABLE down (
        machine TEXT PRIMARY KEY, since INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
    ) WITHOUT ROWID;

    -- what went in and out, and is not in the journal
    CREATE TABLE offsets (
        topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL,
        PRIMARY KEY (topic, "partition")
    ) WITHOUT ROWID;
    CREATE TABLE published (verdict TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (
        id TEXT PRIMARY KEY,                 -- of the message: the same occasion gives the same id
        channel TEXT NOT NULL,
        crew TEXT NOT NULL,
        kind TEXT NOT NULL,                  -- desk.rules.routing.Kind
        state TEXT NOT NULL,                 -- waiting, sending, sent, unsent, folded (into a summary)
        made INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        settled INTEGER,                     -- when it was sent, given up or folded
        machine TEXT NOT NULL,
        point TEXT NOT NULL,
        announced INTEGER NOT NULL,          -- which announcement of the point
        over INTEGER NOT NULL,               -- that announcement is over, and whoever wants to know was told
        detail TEXT NOT NULL,                -- the last error
        body BLOB NOT NULL                   -- desk.rules.routing.Letter
    );
    CREATE INDEX outbox_waiting ON outbox (channel, made) WHERE state = 'waiting';
    CREATE INDEX outbox_sending ON outbox (channel) WHERE state = 'sending';
    CREATE INDEX outbox_by_crew ON outbox (crew, made);
    CREATE INDEX outbox_by_point ON outbox (point, made);
    CREATE INDEX outbox_not_over ON outbox (point) WHERE over = 0;
    CREATE TABLE channels (
        name TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,           -- in a row
        since INTEGER,                       -- of the first of them; NULL = it works
        next INTEGER NOT NULL,               -- not to be tried before
        detail TEXT NOT NULL,
        alarm BLOB                           -- the AlarmEvent that was raised for it, while it lasts
    ) WITHOUT ROWID;
    CREATE TABLE models (
        kind TEXT NOT NULL,                  -- what it is: modes, tuning, prior
        name TEXT NOT NULL,                  -- the machine class
        version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        role TEXT NOT NULL,                  -- active, shadow, retired
        note TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (kind, name, version)
    ) WITHOUT ROWID;
    """,
    """
    -- When it happened, beside when the desk wrote it: KPIs, report and filters go by the event's time.
    ALTER TABLE journal ADD COLUMN time INTEGER
        GENERATED ALWAYS AS (json_extract(CAST(body AS TEXT), '$.time')) VIRTUAL;
    CREATE INDEX journal_by_event ON journal (time, seq);
    -- What a page of the alarm list asks for without reading every point; `PROJECTED` follows.
    ALTER TABLE points ADD COLUMN card TEXT NOT NULL DEFAULT '';       -- desk.rules.views.card_of
    ALTER TABLE points ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;     -- desk.rules.views.rank
    ALTER TABLE points ADD COLUMN onset INTEGER NOT NULL DEFAULT 0;    -- event time
    ALTER TABLE points ADD COLUMN kind TEXT NOT NULL DEFAULT '';
    ALTER TABLE points ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE points ADD COLUMN sensor TEXT NOT NULL DEFAULT '';
    ALTER TABLE points ADD COLUMN state TEXT NOT NULL DEFAULT '';      -- desk.rules.life.AlarmState
    CREATE INDEX points_by_cause ON points (kind, cause) WHERE shown = 1;
    """,
    """
    ALTER TABLE outbox ADD COLUMN next INTEGER NOT NULL DEFAULT 0;     -- not to be tried before
    ALTER TABLE outbox ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;   -- tries after which it may be out
    """,
    """
    CREATE INDEX journal_of_advice ON journal (seq) WHERE action = 'advice';
    """,
    """
    -- Causes are codes with values (pipeline.cause.Cause as JSON); `detail` is what version 1 said in words.
    ALTER TABLE outbox ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE channels ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    -- A person chose this version, and newer ones do not replace it.
    ALTER TABLE models ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    -- Number of the journal's entry that made it active; NULL = it never was, or was rolled back.
    ALTER TABLE models ADD COLUMN activated INTEGER;
    -- Version 1 kept both in words.
    UPDATE models SET pinned = 1 WHERE kind = 'modes' AND role = 'active' AND note LIKE 'chosen by %';
    UPDATE models SET activated = (
        SELECT max(seq) FROM journal WHERE action = 'tune' AND machine = 'class/' || models.name
        AND json_extract(CAST(body AS TEXT), '$.why') || ':' LIKE 'version ' || models.version || ' active:%'
    ) WHERE kind = 'tuning';
    UPDATE models SET activated = NULL WHERE kind = 'tuning' AND activated < (
        SELECT max(seq) FROM journal WHERE action = 'tune' AND machine = 'class/' || models.name
        AND json_extract(CAST(body AS TEXT), '$.why') || ':' LIKE 'version ' || models.version || ' retired:%'
    );
    """,
    """
    CREATE TABLE work_orders (                                         -- a projection of the journal
        alarm TEXT PRIMARY KEY,              -- AlarmEvent.id
        machine TEXT NOT NULL,
        number TEXT NOT NULL,
        url TEXT NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- The id that a device gave an act: sent twice, it is done once.
    ALTER TABLE journal ADD COLUMN client TEXT
        GENERATED ALWAYS AS (json_extract(CAST(body AS TEXT), '$.client')) VIRTUAL;
    CREATE UNIQUE INDEX journal_by_client ON journal (client) WHERE client IS NOT NULL;
    """,
    """
    CREATE TABLE orders (                                              -- a projection of the journal
        id TEXT PRIMARY KEY,
        site TEXT NOT NULL,
        number INTEGER NOT NULL,             -- counts the orders of a site
        machine TEXT NOT NULL,
        title TEXT NOT NULL,
        alarm TEXT NOT NULL,                 -- AlarmEvent.id, '' = none
        state TEXT NOT NULL,                 -- desk.rules.work_orders.OrderState
        assignee TEXT NOT NULL,
        due INTEGER,
        priority INTEGER NOT NULL,
        requested INTEGER NOT NULL,
        seq INTEGER NOT NULL,                -- of the entry that it stands by
        body BLOB NOT NULL                   -- desk.rules.work_orders.WorkOrder
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX orders_by_number ON orders (site, number);
    CREATE INDEX orders_by_alarm ON orders (alarm) WHERE alarm <> '';
    CREATE INDEX orders_by_state ON orders (state, machine);
    """,
    """
    CREATE TABLE on_call (                                             -- a projection of the journal
        id TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        kind TEXT NOT NULL,                  -- rota, swap, calendar
        ends INTEGER,                        -- of a swap: when its duty is over
        body BLOB NOT NULL                   -- desk.rules.on_call.OnCallChange
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE rationalisation (                                     -- a projection of the journal
        id TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        body BLOB NOT NULL                   -- desk.rules.rationalisation.Rationalisation
    ) WITHOUT ROWID;
    CREATE INDEX rationalisation_by_place ON rationalisation (place);
    """,
)

#: The version whose projections have other columns than those before: such a file's are made again.
PROJECTED = 5

#: The desk's store. A long log is cut back once it is written.
DESK = FileKind(
    application_id=APPLICATION_ID,
    what="the desk's store",
    steps=_STEPS,
    pragmas=("journal_size_limit = 16777216",),
    private=True,
)

VERSION = DESK.version

#: Tables that follow from the journal alone.
PROJECTIONS = (
    "points",
    "occurrences",
    "verdicts",
    "windows",
    "down",
    "work_orders",
    "orders",
    "on_call",
    "rationalisation",
)


def open_desk(path: Path) -> sqlite3.Connection:
    """Open the desk's file for reading and writing, as `FileKind.open`."""
    return DESK.open(path)


def version_of(path: Path) -> int:
    """The version of the file as it is; 0 when there is none that can be read."""
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=30)) as db, suppress(sqlite3.DatabaseError):
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    return 0
