"""How far each person has come in the training: one row a person and lesson, in a file of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from connectors.sqlite.files import StoreError
from connectors.sqlite.steps import migrate

#: "yjtr" in ASCII (PRAGMA application_id).
APPLICATION_ID = 0x796A7472

_STEPS = (
    """
    CREATE TABLE attempts (
        who TEXT NOT NULL,                  -- the account's name
        lesson TEXT NOT NULL,
        started INTEGER NOT NULL,           -- of the latest try; wall clock, ms UTC
        tries INTEGER NOT NULL,
        looked TEXT NOT NULL,               -- JSON: alarm of the lesson -> practice time, ms
        answer TEXT NOT NULL,
        answered INTEGER NOT NULL,
        passed INTEGER,                     -- when it was passed first
        minutes REAL,                       -- of the lesson, then
        PRIMARY KEY (who, lesson)
    ) WITHOUT ROWID;
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The latest try of a lesson; ``passed`` and ``minutes`` are those of the first try that was right."""

    who: str
    lesson: str
    started: int
    tries: int
    looked: dict[str, int] = field(default_factory=dict)
    answer: str = ""
    answered: int = 0
    passed: int | None = None
    minutes: float | None = None


class Progress:
    """The file of attempts. Raises `StoreError` when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute("PRAGMA journal_mode = WAL")
            migrate(self._db, _STEPS)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(
                f"{path} cannot be opened: {error}. Move it away; lessons begin anew."
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def of(self, who: str) -> dict[str, Attempt]:
        """One person's attempts, by lesson."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM attempts WHERE who = ?", (who,)).fetchall()
        return {row[1]: _attempt(row) for row in rows}

    def begin(self, who: str, lesson: str, at: int) -> Attempt:
        """A new try; what was passed before stays passed."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO attempts VALUES (?,?,?,1,'{}','',0,NULL,NULL) ON CONFLICT (who, lesson) DO "
                "UPDATE SET started=excluded.started, tries=tries+1, looked='{}', answer='', answered=0",
                (who, lesson, at),
            )
        return self.of(who)[lesson]

    def look(self, who: str, lesson: str, alarm: str, at: int) -> None:
        """An alarm's machine was looked at; the first time counts."""
        with self._writing() as db:
            row = db.execute("SELECT looked FROM attempts WHERE who=? AND lesson=?", (who, lesson)).fetchone()
            looked = {alarm: at} | json.loads(row[0])
            db.execute(
                "UPDATE attempts SET looked=? WHERE who=? AND lesson=?", (json.dumps(looked), who, lesson)
            )

    def answer(self, who: str, lesson: str, answer: str, at: int) -> None:
        """The question was answered; the first answer counts."""
        with self._writing() as db:
            db.execute(
                "UPDATE attempts SET answer=?, answered=? WHERE who=? AND lesson=? AND answered=0",
                (answer, at, who, lesson),
            )

    def passed(self, who: str, lesson: str, at: int, minutes: float) -> None:
        """The lesson is passed; again changes nothing."""
        with self._writing() as db:
            db.execute(
                "UPDATE attempts SET passed=?, minutes=? WHERE who=? AND lesson=? AND passed IS NULL",
                (at, minutes, who, lesson),
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise


def _attempt(row: tuple[object, ...]) -> Attempt:
    who, lesson, started, tries, looked, answer, answered, passed, minutes = row
    return Attempt(
        who=str(who),
        lesson=str(lesson),
        started=int(str(started)),
        tries=int(str(tries)),
        looked=json.loads(str(looked)),
        answer=str(answer),
        answered=int(str(answered)),
        passed=None if passed is None else int(str(passed)),
        minutes=None if minutes is None else float(str(minutes)),
    )
