"""A file's schema, one step a version: a file of an older version is brought up to date when it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing


def migrate(db: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Run the missing steps, each whole or not at all. Two programs may start at once."""
    for number, step in enumerate(steps, start=1):
        with closing(db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                if cursor.execute("PRAGMA user_version").fetchone()[0] < number:
                    for statement in _statements(step):
                        cursor.execute(statement)
                    cursor.execute(f"PRAGMA user_version = {number}")
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise


def _statements(script: str) -> list[str]:
    """Split a script: `executescript` would commit the transaction around it."""
    found: list[str] = []
    current = ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
