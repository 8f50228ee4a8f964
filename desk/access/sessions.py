"""Sessions of people who signed in, and how often one may try to."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account
from desk.access.store import AccessStore, digest, new_token
from desk.settings.access import AccessSettings

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
#: Tries from one network address, in parts of an account's: a hall may share one.
_SHARED = 10


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. ``csrf`` stands in every form, and a foreign page cannot read it."""

    account: Account
    csrf: str

    def vouches(self, token: str) -> bool:
        """Whether ``token`` came from one of our own forms."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, store: AccessStore, accounts: Accounts, settings: AccessSettings) -> None:
        self.store, self.accounts, self.settings = store, accounts, settings
        self.clock: Callable[[], int] = accounts.clock

    def begin(self, account: Account) -> str:
        """A new session; the token is what the cookie holds. Old ones that are over are removed."""
        token, now = new_token(), self.clock()
        with self.store.writing() as db:
            db.execute("DELETE FROM sessions WHERE seen<? OR made<?", self._over(now))
            db.execute(
                "INSERT INTO sessions VALUES (?,?,?,?,?)", (digest(token), account.id, new_token(), now, now)
            )
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie, unless it is over or its account disabled."""
        now = self.clock()
        with self.store.reading() as db:
            row = db.execute(
                "SELECT account, csrf, made, seen FROM sessions WHERE token=?", (digest(token),)
            ).fetchone()
        idle, longest = self._over(now)
        if row is None or row[3] < idle or row[2] < longest:
            return None
        try:
            account = self.accounts.get(row[0])
        except AccessError:
            return None
        if account.disabled:
            return None
        if now - row[3] > _MINUTE:
            with self.store.writing() as db:
                db.execute("UPDATE sessions SET seen=? WHERE token=?", (now, digest(token)))
        return Session(account, row[1])

    def _over(self, now: int) -> tuple[int, int]:
        return now - round(self.settings.idle * _HOUR), now - round(self.settings.longest * _HOUR)

    def end(self, token: str) -> None:
        """Sign out."""
        with self.store.writing() as db:
            db.execute("DELETE FROM sessions WHERE token=?", (digest(token),))

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Begin a session for a name and password. Raises as `prove`."""
        return self.begin(self.prove(name, password, address))

    def prove(self, name: str, password: str, address: str) -> Account:
        """Whose name and password these are. Raises `AccessError`, the same whichever is wrong."""
        subjects = {f"account:{name.lower()[:64]}": 1, f"address:{address}": _SHARED}
        self._may_try(subjects)
        account = self.accounts.verify(name, password)
        if account is None:
            raise AccessError("sign.in.wrong")
        person, hall = subjects
        with self.store.writing() as db:
            db.execute("DELETE FROM attempts WHERE subject=?", (person,))
            db.execute(
                "DELETE FROM attempts WHERE rowid=(SELECT max(rowid) FROM attempts WHERE subject=?)", (hall,)
            )
        return account

    def _may_try(self, subjects: dict[str, int]) -> None:
        """Note a try before it is known how it ends: tries at the same time count each other."""
        now = self.clock()
        since = now - round(self.settings.wait * _MINUTE)
        with self.store.writing() as db:
            db.execute("DELETE FROM attempts WHERE at<?", (since,))
            for subject, share in subjects.items():
                query = "SELECT count(*) FROM attempts WHERE subject=?"
                if db.execute(query, (subject,)).fetchone()[0] >= self.settings.attempts * share:
                    raise AccessError("sign.in.wait")
            db.executemany("INSERT INTO attempts VALUES (?,?)", [(subject, now) for subject in subjects])
