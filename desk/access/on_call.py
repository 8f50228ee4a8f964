"""What people give for being on call: an e-mail address, and a key with which a calendar is subscribed to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account
from desk.access.store import AccessStore, digest, new_token

_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[^\s@,;:<>()\[\]\\\"]+")


class OnCallAccess:
    """Addresses and calendar keys of accounts."""

    def __init__(self, store: AccessStore, accounts: Accounts) -> None:
        self.store, self.accounts = store, accounts

    def address(self, account: Account) -> str:
        """The address of an account, "" for none."""
        return self.addresses([account.name]).get(account.name, "")

    def addresses(self, names: Iterable[str]) -> dict[str, str]:
        """The addresses of accounts that may sign in, by account name."""
        wanted = set(names)
        query = "SELECT name, email FROM contacts JOIN accounts ON id = account WHERE disabled = 0"
        with self.store.reading() as db:
            return {name: email for name, email in db.execute(query) if name in wanted}

    def set_address(self, account: Account, address: str) -> None:
        """Another address, or none. Raises `AccessError`."""
        address = address.strip()
        if address and (len(address) > 200 or not _ADDRESS.fullmatch(address)):
            raise AccessError("on.call.address.wrong")
        with self.store.writing() as db:
            db.execute("DELETE FROM contacts WHERE account = ?", (account.id,))
            if address:
                db.execute("INSERT INTO contacts (account, email) VALUES (?,?)", (account.id, address))

    def new_key(self, account: Account) -> str:
        """A new key for subscribing; the one before is of no use any more. Shown this once."""
        token = new_token()
        with self.store.writing() as db:
            db.execute("DELETE FROM calendar_keys WHERE account = ?", (account.id,))
            db.execute(
                "INSERT INTO calendar_keys (token, account, made) VALUES (?,?,?)",
                (digest(token), account.id, self.accounts.clock()),
            )
        return token

    def end_key(self, account: Account) -> None:
        """Nobody subscribes any more."""
        with self.store.writing() as db:
            db.execute("DELETE FROM calendar_keys WHERE account = ?", (account.id,))

    def has_key(self, account: Account) -> bool:
        """Whether there is a key."""
        with self.store.reading() as db:
            query = "SELECT 1 FROM calendar_keys WHERE account = ?"
            return db.execute(query, (account.id,)).fetchone() is not None

    def by_key(self, token: str) -> Account | None:
        """Whose key it is, as long as they may sign in."""
        with self.store.reading() as db:
            query = "SELECT account FROM calendar_keys WHERE token = ?"
            row = db.execute(query, (digest(token),)).fetchone()
        account = self.accounts.get(row[0]) if row else None
        return account if account is not None and not account.disabled else None
