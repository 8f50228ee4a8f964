"""How every SQLite file of Yeji is opened: whose it is, which version, and brought up to date."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from connectors.sqlite.owner import own_alone
from connectors.sqlite.steps import migrate


class StoreError(Exception):
    """The file cannot be used as what it should be; the message says why and what to do."""


class NewerStoreError(StoreError):
    """The file was written by a newer Yeji than this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """One kind of file.

    ``application_id`` stands in the file's header and says whose it is; ``what`` is what it is called, as
    "the desk's store"; ``steps`` are SQL, one entry a version: the step from the version before it, never
    edited once released. ``first`` are pragmas that take effect only before the first table, ``pragmas``
    those of each connection. ``private``: nobody but its owner may read it.
    """

    application_id: int
    what: str
    steps: tuple[str, ...]
    first: tuple[str, ...] = ()
    pragmas: tuple[str, ...] = ()
    private: bool = False

    @property
    def version(self) -> int:
        """The version that this code writes (PRAGMA user_version)."""
        return len(self.steps)

    def open(self, path: Path, patience: float = 30.0) -> sqlite3.Connection:
        """Open ``path`` for reading and writing; create it, or bring it up to `version`.

        ``patience``: seconds to wait for another writer. Raises `NewerStoreError` for a newer file and
        `StoreError` for one of another program.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.private and not path.exists():
            own_alone(path)
        db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            self.check(db, path)
            if self.private:
                own_alone(path)
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for pragma in (*self.first, f"application_id = {self.application_id}"):
                    db.execute(f"PRAGMA {pragma}")
            for pragma in ("journal_mode = WAL", "synchronous = FULL", *self.pragmas):
                db.execute(f"PRAGMA {pragma}")
            migrate(db, self.steps)
        except sqlite3.DatabaseError as error:
            db.close()
            raise self.unreadable(path, error) from error
        except BaseException:
            db.close()
            raise
        return db

    def check(self, db: sqlite3.Connection, path: Path) -> None:
        """Raise `StoreError` for a file of another program, and `NewerStoreError` for one of a newer Yeji."""
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and owner != self.application_id:
            raise StoreError(f"{path} is an SQLite file of another kind, not {self.what}. Give another path.")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > self.version:
            raise NewerStoreError(
                f"{path} was written by a newer Yeji (version {version} of {self.what}; this one knows "
                f"{self.version}). Upgrade this Yeji, or give another path; the file was not touched."
            )

    def unreadable(self, path: Path, error: sqlite3.Error) -> StoreError:
        """What is raised when SQLite itself cannot read it."""
        return StoreError(
            f"{path} cannot be opened as {self.what}: {error}. Correct the path, or move the file away."
        )
