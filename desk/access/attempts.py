"""How often one may try to prove who one is, so that nobody can guess and no stranger can lock others out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from desk.access.accounts import AccessError, Accounts
from desk.access.log import NOWHERE, AccessEvent
from desk.access.roles import Account
from desk.access.store import AccessStore, digest, new_token
from desk.rules.journal import Action
from desk.settings.access import AccessSettings

_MINUTE = 60_000
#: Tries from one network address, and on one account from everywhere, in parts of `desk.access.attempts`.
_SHARED = 10


class Attempts:
    """Counts tries with a password or a code.

    A browser that somebody signed in with before (it holds a device's cookie) has tries of its own, as with
    OWASP's "device cookies": what strangers try on the account elsewhere does not count there. Tries from
    elsewhere count for the account at that address, for the address, and for the account altogether.
    """

    def __init__(self, store: AccessStore, accounts: Accounts, settings: AccessSettings) -> None:
        self.store, self.accounts, self.settings = store, accounts, settings
        self.clock: Callable[[], int] = accounts.clock

    def prove(self, name: str, password: str, address: str, device: str = "") -> Account:
        """Whose name and password these are. Raises `AccessError`, the same whichever is wrong."""
        known = self.accounts.named(name)
        subjects = self._subjects(name, known, address, device)
        self._try(subjects, known, name, address)
        account = self.accounts.verify(name, password)
        if account is None:
            self.failed(known, address)
            raise AccessError("sign.in.wrong")
        self._worked(subjects)
        return account

    def second(self, account: Account, address: str, check: Callable[[], bool]) -> None:
        """Whether ``check`` finds the second factor right; only who has the first comes here.

        Raises `AccessError`.
        """
        subjects = {f"second:{account.id}": 1}
        self._try(subjects, account, account.name, address)
        if not check():
            self.failed(account, address)
            raise AccessError("second.wrong")
        self._worked(subjects)

    def failed(self, account: Account | None, address: str) -> None:
        """Put a failure into the journal. What was typed as a name may be a password, and is not kept."""
        if account is not None:
            self.accounts.log_action(Action.SIGN_IN_FAILED, account, address=address)
        else:
            self.accounts.record(
                AccessEvent(action=Action.SIGN_IN_FAILED, by="", about="", place=NOWHERE, address=address)
            )

    def know(self, account: Account) -> str:
        """A new cookie for the browser that ``account`` has just signed in with."""
        token, now = new_token(), self.clock()
        with self.store.writing() as db:
            db.execute("INSERT INTO devices VALUES (?,?,?)", (digest(token), account.id, now))
            db.execute(  # a person has so many browsers at most
                "DELETE FROM devices WHERE account=? AND token NOT IN "
                "(SELECT token FROM devices WHERE account=? ORDER BY made DESC LIMIT 20)",
                (account.id, account.id),
            )
        return token

    def knows(self, account: Account, device: str) -> bool:
        """Whether ``account`` has signed in with this browser before."""
        query = "SELECT 1 FROM devices WHERE token=? AND account=?"
        with self.store.reading() as db:
            return db.execute(query, (digest(device), account.id)).fetchone() is not None

    def _subjects(self, name: str, known: Account | None, address: str, device: str) -> Mapping[str, int]:
        if known is not None and device and self.knows(known, device):
            return {f"device:{digest(device).hex()}": 1}
        who = name.lower()[:64]
        return {
            f"account:{who}@{address}": 1,
            f"address:{address}": _SHARED,
            f"account:{who}": _SHARED,
        }

    def _try(self, subjects: Mapping[str, int], known: Account | None, name: str, address: str) -> None:
        """Note a try before it is known how it ends: tries at the same time count each other."""
        now = self.clock()
        since = now - round(self.settings.wait * _MINUTE)
        locked = False
        with self.store.writing() as db:
            db.execute("DELETE FROM attempts WHERE at<?", (since,))
            for subject, share in subjects.items():
                most = self.settings.attempts * share
                tried = db.execute("SELECT count(*) FROM attempts WHERE subject=?", (subject,)).fetchone()[0]
                if tried >= most:
                    raise AccessError("sign.in.wait")
                locked |= tried + 1 == most
            db.executemany("INSERT INTO attempts VALUES (?,?)", [(subject, now) for subject in subjects])
        if locked and known is not None:
            self.accounts.log_action(Action.SIGN_IN_LOCKED, known, address=address)

    def _worked(self, subjects: Mapping[str, int]) -> None:
        """What was right does not count; wrong ones of others at a shared address still do."""
        own, *shared = subjects
        with self.store.writing() as db:
            db.execute("DELETE FROM attempts WHERE subject=?", (own,))
            db.executemany(
                "DELETE FROM attempts WHERE rowid=(SELECT max(rowid) FROM attempts WHERE subject=?)",
                [(one,) for one in shared],
            )
