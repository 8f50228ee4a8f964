"""The SQLite file of accounts, sessions and keys: apart from the journal, which others may read."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from connectors.sqlite.files import FileKind

#: "yjac" in ASCII (PRAGMA application_id).
APPLICATION_ID = 0x796A6163

# One entry a version: the step from the version before it. Steps are never edited once released.
_STEPS = (
    """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    shown TEXT NOT NULL,
    role INTEGER NOT NULL,
    places TEXT NOT NULL,               -- JSON array
    password TEXT,                      -- argon2id; NULL = none yet, or signs in elsewhere
    external TEXT UNIQUE,               -- issuer and subject of an OIDC account
    disabled INTEGER NOT NULL DEFAULT 0,
    made INTEGER NOT NULL
);
CREATE TABLE sessions (
    token BLOB PRIMARY KEY,             -- SHA-256 of what the cookie holds
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    made INTEGER NOT NULL,
    seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account);
CREATE TABLE links (
    token BLOB PRIMARY KEY,             -- SHA-256 of what the link holds
    account INTEGER REFERENCES accounts (id) ON DELETE CASCADE,   -- NULL = makes the first administrator
    ends INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,         -- SHA-256 of the API key
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    places TEXT NOT NULL,
    made INTEGER NOT NULL,
    by TEXT NOT NULL,
    used INTEGER
);
CREATE TABLE attempts (
    subject TEXT NOT NULL,              -- an account's name, or a network address
    at INTEGER NOT NULL
);
CREATE INDEX attempts_by_subject ON attempts (subject, at);
CREATE TABLE work_orders (
    alarm TEXT PRIMARY KEY, number TEXT NOT NULL, url TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
    """,
    # Work orders are the desk's: whoever opens both moves them (`AccessStore.move_work_orders`).
    "ALTER TABLE work_orders RENAME TO work_orders_to_move;",
    """
ALTER TABLE sessions ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;   -- when its owner last proved to be that
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';      -- the browser, as it calls itself
CREATE TABLE devices (
    token BLOB PRIMARY KEY,             -- SHA-256 of a cookie: somebody signed in to the account there before
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE totp (
    account INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,               -- base32 (RFC 6238)
    confirmed INTEGER NOT NULL,         -- its owner has shown a code of it
    last INTEGER NOT NULL               -- the time step of the last code that was used: none is used twice
);
CREATE TABLE recovery (
    code BLOB PRIMARY KEY,              -- SHA-256 of account and code
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE passkeys (
    id BLOB PRIMARY KEY,                -- credential id (WebAuthn)
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    public_key BLOB NOT NULL,
    uses INTEGER NOT NULL,              -- the authenticator's own counter
    name TEXT NOT NULL,
    made INTEGER NOT NULL,
    used INTEGER
) WITHOUT ROWID;
CREATE INDEX passkeys_by_account ON passkeys (account);
CREATE TABLE challenges (
    token BLOB PRIMARY KEY,             -- SHA-256 of what the cookie holds
    purpose TEXT NOT NULL,              -- second, register, passkey
    account INTEGER REFERENCES accounts (id) ON DELETE CASCADE,
    challenge BLOB NOT NULL,
    ends INTEGER NOT NULL
) WITHOUT ROWID;
""",
    """
CREATE TABLE contacts (
    account INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    email TEXT NOT NULL                 -- where whoever is on call is told
);
CREATE TABLE calendar_keys (
    token BLOB PRIMARY KEY,             -- SHA-256 of what the address of a subscribed calendar holds
    account INTEGER NOT NULL UNIQUE REFERENCES accounts (id) ON DELETE CASCADE,
    made INTEGER NOT NULL
) WITHOUT ROWID;
""",
)
ACCESS = FileKind(
    application_id=APPLICATION_ID,
    what="the desk's accounts",
    steps=_STEPS,
    pragmas=("foreign_keys = ON",),
    private=True,
)


class AccessStore:
    """Opens ``path``, readable by its owner alone. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Raises `StoreError` for a file that is not ours, or newer than this Yeji."""
        self.path = path
        self._lock = RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = ACCESS.open(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; undone when the block raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def move_work_orders(self, put: Callable[[list[tuple[str, str, str, str, int]]], None]) -> None:
        """Hand over (alarm, number, address, by, at) of what version 1 kept here; it is removed after."""
        with self.writing() as db:
            columns = "alarm, number, url, by, at"
            rows = db.execute(f"SELECT {columns} FROM work_orders_to_move ORDER BY at, alarm").fetchall()  # noqa: S608
            if rows:
                put(rows)
                db.execute("DELETE FROM work_orders_to_move")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The file as it is."""
        with self._lock:
            yield self._db


def new_token() -> str:
    """256 random bits for a cookie, a link or a key."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token: who reads the file cannot use what is in it."""
    return hashlib.sha256(token.encode()).digest()
