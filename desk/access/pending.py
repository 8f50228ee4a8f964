"""Who has shown the first of two factors, and has to show the second within a few minutes."""

from __future__ import annotations

from collections.abc import Callable

from desk.access.accounts import Accounts
from desk.access.roles import Account
from desk.access.store import AccessStore, digest, new_token

_FOR = 600_000  # ms


class Pending:
    """Sign-ins whose password was right and whose second factor is outstanding."""

    def __init__(self, store: AccessStore, accounts: Accounts) -> None:
        self.store, self.accounts = store, accounts
        self.clock: Callable[[], int] = accounts.clock

    def begin(self, account: Account) -> str:
        """The token that the browser holds meanwhile."""
        token, now = new_token(), self.clock()
        with self.store.writing() as db:
            db.execute("DELETE FROM challenges WHERE ends<?", (now,))
            db.execute(
                "INSERT INTO challenges VALUES (?,'second',?,x'',?)", (digest(token), account.id, now + _FOR)
            )
        return token

    def of(self, token: str) -> Account | None:
        """Whose password was right; None when that is too long ago, or never was."""
        query = "SELECT account FROM challenges WHERE token=? AND purpose='second' AND ends>=?"
        with self.store.reading() as db:
            row = db.execute(query, (digest(token), self.clock())).fetchone()
        account = self.accounts.get(row[0]) if row else None
        return None if account is None or account.disabled else account

    def end(self, token: str) -> None:
        """The second factor was shown too."""
        with self.store.writing() as db:
            db.execute("DELETE FROM challenges WHERE token=?", (digest(token),))
