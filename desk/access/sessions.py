"""Sessions of people who signed in."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account
from desk.access.store import AccessStore, digest, new_token
from desk.rules.journal import Action
from desk.settings.access import AccessSettings

_MINUTE = 60_000
_HOUR = 60 * _MINUTE


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. ``csrf`` stands in every form, and a foreign page cannot read it.

    ``fresh``: they proved who they are a short while ago. ``id`` names the session without opening it.
    """

    account: Account
    csrf: str
    fresh: bool = False
    id: str = ""

    def vouches(self, token: str) -> bool:
        """Whether ``token`` came from one of our own forms."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its owner sees it in the list; times in ms UTC."""

    id: str
    made: int
    seen: int
    address: str
    agent: str


class Sessions:
    """Begins, finds, lists and ends sessions."""

    def __init__(self, store: AccessStore, accounts: Accounts, settings: AccessSettings) -> None:
        self.store, self.accounts, self.settings = store, accounts, settings
        self.clock: Callable[[], int] = accounts.clock

    def begin(self, account: Account, address: str = "", agent: str = "") -> str:
        """A new session; the token is what the cookie holds. Old ones that are over are removed."""
        token, now = new_token(), self.clock()
        with self.store.writing() as db:
            db.execute("DELETE FROM sessions WHERE seen<? OR made<?", self._over(now))
            db.execute(
                "INSERT INTO sessions (token, account, csrf, made, seen, proved, address, agent) "
                "VALUES (?,?,?,?,?,?,?,?)",
                (digest(token), account.id, new_token(), now, now, now, address[:60], agent[:200]),
            )
        self.accounts.log_action(Action.SIGN_IN, account, address=address)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie, unless it is over or its account disabled."""
        now = self.clock()
        with self.store.reading() as db:
            row = db.execute(
                "SELECT account, csrf, made, seen, proved FROM sessions WHERE token=?", (digest(token),)
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
        fresh = now - row[4] <= round(self.settings.fresh * _MINUTE)
        return Session(account, row[1], fresh, digest(token).hex())

    def proved(self, token: str) -> None:
        """Its owner has just proved again who they are."""
        with self.store.writing() as db:
            db.execute("UPDATE sessions SET proved=? WHERE token=?", (self.clock(), digest(token)))

    def _over(self, now: int) -> tuple[int, int]:
        return now - round(self.settings.idle * _HOUR), now - round(self.settings.longest * _HOUR)

    def all(self, account: Account) -> list[OpenSession]:
        """The sessions of ``account`` that are open, the latest used first."""
        idle, longest = self._over(self.clock())
        with self.store.reading() as db:
            rows = db.execute(
                "SELECT token, made, seen, address, agent FROM sessions "
                "WHERE account=? AND seen>=? AND made>=? ORDER BY seen DESC",
                (account.id, idle, longest),
            )
            return [OpenSession(token.hex(), *rest) for token, *rest in rows]

    def end(self, token: str) -> None:
        """Sign out."""
        session = self.find(token)
        with self.store.writing() as db:
            db.execute("DELETE FROM sessions WHERE token=?", (digest(token),))
        if session is not None:
            self.accounts.log_action(Action.SIGN_OUT, session.account)

    def end_of(self, account: Account, *, id: str = "", but: str = "", by: str = "") -> int:
        """End the session ``id`` of ``account``, or (no id) all of them ``but`` one; returns how many."""
        with self.store.writing() as db:
            ended = [one.id for one in self.all(account) if (one.id == id if id else True) and one.id != but]
            db.executemany("DELETE FROM sessions WHERE token=?", [(bytes.fromhex(one),) for one in ended])
        for _ in ended:
            self.accounts.log_action(Action.SESSION_ENDED, account, by)
        return len(ended)
