"""Accounts, one-time links and API keys."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desk.access.log import AccessEvent, Record, nobody, place_of
from desk.access.passwords import hash_password, matches, objection, outdated
from desk.access.roles import ALL, Account, Role
from desk.access.store import AccessStore, digest, new_token
from desk.rules.journal import SYSTEM, Action
from desk.settings.access import AccessSettings, clean_place

_COLUMNS = "id, name, shown, role, places, external, disabled"
_NAME = re.compile(r"[\w][\w.@+-]{0,62}")  # no colon: that tells keys from people in the journal
_HOUR = 3_600_000


class AccessError(Exception):
    """Something about accounts is not possible; ``key`` names the text that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is listed; the key itself is shown once and never kept."""

    id: int
    name: str
    role: Role
    places: tuple[str, ...]
    made: int
    by: str
    used: int | None


class Accounts:
    """Who may sign in. ``clock`` returns ms UTC; ``record`` takes what happens, for the journal.

    ``by`` is who does it: an administrator, or the account's owner.
    """

    def __init__(
        self,
        store: AccessStore,
        settings: AccessSettings,
        clock: Callable[[], int],
        record: Record = nobody,
    ) -> None:
        self.store, self.settings, self.clock, self.record = store, settings, clock, record

    def log_action(self, action: Action, account: Account, by: str = "", address: str = "") -> None:
        """Put into the journal what happened to ``account``."""
        self.record(
            AccessEvent(
                action=action,
                by=by or account.name,
                about=account.name,
                place=place_of(account.places),
                address=address,
                role=account.role.key,
                places=account.places,
            )
        )

    # -- people

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self.store.reading() as db:
            return [_account(row) for row in db.execute(f"SELECT {_COLUMNS} FROM accounts ORDER BY name")]  # noqa: S608

    def get(self, id: int) -> Account:
        """One account. Raises `AccessError`."""
        with self.store.reading() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM accounts WHERE id=?", (id,)).fetchone()  # noqa: S608
        if row is None:
            raise AccessError("account.unknown")
        return _account(row)

    def add(
        self, name: str, shown: str, role: Role, places: Sequence[str], by: str = SYSTEM
    ) -> tuple[Account, str]:
        """A new account without a password, and the one-time link's token that lets its owner set one."""
        if not is_name(name):
            raise AccessError("account.name")
        cleaned = check_places(places, role)
        with self.store.writing() as db:
            try:
                cursor = db.execute(
                    "INSERT INTO accounts (name, shown, role, places, made) VALUES (?,?,?,?,?)",
                    (name, shown.strip() or name, role, json.dumps(cleaned), self.clock()),
                )
            except sqlite3.IntegrityError:
                raise AccessError("account.taken") from None
            token = self._link(db, cursor.lastrowid)
        account = self.get(int(cursor.lastrowid or 0))
        self.log_action(Action.ACCOUNT_ADDED, account, by)
        return account, token

    def change(
        self, id: int, *, role: Role, places: Sequence[str], disabled: bool, by: str = SYSTEM
    ) -> Account:
        """Give an account another role or other places, or disable it. Its sessions end."""
        cleaned = check_places(places, role)
        with self.store.writing() as db:
            db.execute(
                "UPDATE accounts SET role=?, places=?, disabled=? WHERE id=?",
                (role, json.dumps(cleaned), disabled, id),
            )
            if not self._administrators(db):
                raise AccessError("account.last.admin")
            db.execute("DELETE FROM sessions WHERE account=?", (id,))
            if disabled:
                db.execute("DELETE FROM links WHERE account=?", (id,))
        account = self.get(id)
        self.log_action(Action.ACCOUNT_CHANGED, account, by)
        return account

    def external(self, subject: str, name: str, shown: str, role: Role, places: Sequence[str]) -> Account:
        """The account of somebody whom the identity provider vouches for, as it is today."""
        cleaned = check_places(places, role)
        with self.store.writing() as db:
            row = db.execute("SELECT id, role, places FROM accounts WHERE external=?", (subject,)).fetchone()
            if row is None:
                # A local account of the same name is somebody else's: it is never taken over.
                taken = db.execute("SELECT 1 FROM accounts WHERE name=?", (name,)).fetchone()
                unique = f"{name[:50]}-{digest(subject).hex()[:8]}" if taken or not is_name(name) else name
                cursor = db.execute(
                    "INSERT INTO accounts (name, shown, role, places, external, made) VALUES (?,?,?,?,?,?)",
                    (unique, shown or unique, role, json.dumps(cleaned), subject, self.clock()),
                )
                id = int(cursor.lastrowid or 0)
            else:
                id = row[0]
                db.execute(
                    "UPDATE accounts SET role=?, places=?, shown=? WHERE id=?",
                    (role, json.dumps(cleaned), shown or name, id),
                )
        account = self.get(id)
        if row is None:
            self.log_action(Action.ACCOUNT_ADDED, account, SYSTEM)
        elif (row[1], row[2]) != (role, json.dumps(cleaned)):
            self.log_action(Action.ACCOUNT_CHANGED, account, SYSTEM)
        return account

    def _administrators(self, db: sqlite3.Connection) -> int:
        query = "SELECT count(*) FROM accounts WHERE role=? AND disabled=0"
        return int(db.execute(query, (Role.ADMIN,)).fetchone()[0])

    # -- passwords

    def verify(self, name: str, password: str) -> Account | None:
        """The account, when name and password are right and it is not disabled."""
        with self.store.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS}, password FROM accounts WHERE name=? AND external IS NULL",  # noqa: S608
                (name,),
            ).fetchone()
        hashed = row[-1] if row else None
        if not matches(hashed, password) or row is None or hashed is None:
            return None
        account = _account(row[:-1])
        if outdated(hashed):
            self._keep_password(account.id, password)
        return None if account.disabled else account

    def named(self, name: str) -> Account | None:
        """The local account of that name, disabled or not."""
        with self.store.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM accounts WHERE name=? AND external IS NULL",  # noqa: S608
                (name,),
            ).fetchone()
        return _account(row) if row else None

    def set_password(self, account: Account, password: str) -> None:
        """A new password; every session of the account ends, and no device is known any more.

        Raises `AccessError`.
        """
        refused = "password.elsewhere" if account.external else objection(password, account.name)
        if refused:
            raise AccessError(refused)
        self._keep_password(account.id, password)
        with self.store.writing() as db:
            db.execute("DELETE FROM sessions WHERE account=?", (account.id,))
            db.execute("DELETE FROM links WHERE account=?", (account.id,))
            db.execute("DELETE FROM devices WHERE account=?", (account.id,))
        self.log_action(Action.PASSWORD_SET, account)

    def _keep_password(self, id: int, password: str) -> None:
        hashed = hash_password(password)
        with self.store.writing() as db:
            db.execute("UPDATE accounts SET password=? WHERE id=?", (hashed, id))

    # -- one-time links

    def first_link(self) -> str | None:
        """A new token for the link that makes the first administrator; None when there is one already."""
        with self.store.writing() as db:
            if self._administrators(db):
                return None
            db.execute("DELETE FROM links WHERE account IS NULL")
            return self._link(db, None)

    def reset_link(self, account: Account, by: str = SYSTEM) -> str:
        """A new token with which an account's owner sets a new password."""
        if account.external:
            raise AccessError("password.elsewhere")
        with self.store.writing() as db:
            db.execute("DELETE FROM links WHERE account=?", (account.id,))
            token = self._link(db, account.id)
        self.log_action(Action.LINK_MADE, account, by)
        return token

    def _link(self, db: sqlite3.Connection, account: int | None) -> str:
        token = new_token()
        ends = self.clock() + round(self.settings.invitation * _HOUR)
        db.execute("INSERT INTO links VALUES (?,?,?)", (digest(token), account, ends))
        return token

    def invited(self, token: str) -> Account | None:
        """Whose link it is; None = it makes the first administrator. Raises `AccessError` when over."""
        with self.store.reading() as db:
            row = db.execute("SELECT account, ends FROM links WHERE token=?", (digest(token),)).fetchone()
        if row is None or row[1] <= self.clock():
            raise AccessError("link.over")
        return None if row[0] is None else self.get(row[0])

    def accept(self, token: str, password: str, name: str = "", shown: str = "") -> Account:
        """Use a one-time link: set the password, and make the first administrator where it is for that."""
        account = self.invited(token)
        if account is None:
            refused = objection(password, name) or (None if is_name(name) else "account.name")
            if refused:
                raise AccessError(refused)
            with self.store.writing() as db:  # of two who use it at once, one is first
                if not db.execute("DELETE FROM links WHERE token=?", (digest(token),)).rowcount:
                    raise AccessError("link.over")
            account, _ = self.add(name, shown, Role.ADMIN, [ALL], by=name)
        self.set_password(account, password)
        return account

    # -- API keys

    def new_key(self, name: str, role: Role, places: Sequence[str], by: str) -> str:
        """A new API key, shown this once."""
        cleaned = check_places(places, role)
        if role is Role.ADMIN or not name.strip():
            raise AccessError("key.role" if role is Role.ADMIN else "account.name")
        token = f"yeji_{new_token()}"
        with self.store.writing() as db:
            db.execute(
                "INSERT INTO keys (token, name, role, places, made, by) VALUES (?,?,?,?,?,?)",
                (digest(token), name.strip()[:60], role, json.dumps(cleaned), self.clock(), by),
            )
        self._tell_key(Action.KEY_MADE, name.strip()[:60], role, cleaned, by)
        return token

    def _tell_key(self, action: Action, name: str, role: Role, places: Sequence[str], by: str) -> None:
        self.record(
            AccessEvent(
                action=action,
                by=by,
                about=f"api:{name}",
                place=place_of(places),
                role=role.key,
                places=tuple(places),
            )
        )

    def all_keys(self) -> list[Key]:
        """Every API key, the newest first."""
        with self.store.reading() as db:
            rows = db.execute("SELECT id, name, role, places, made, by, used FROM keys ORDER BY id DESC")
            return [
                Key(id, n, Role(role), tuple(json.loads(places)), *rest)
                for id, n, role, places, *rest in rows
            ]

    def end_key(self, id: int, by: str = SYSTEM) -> None:
        """The key is of no use any more."""
        with self.store.writing() as db:
            row = db.execute("DELETE FROM keys WHERE id=? RETURNING name, role, places", (id,)).fetchone()
        if row is not None:
            self._tell_key(Action.KEY_ENDED, row[0], Role(row[1]), json.loads(row[2]), by)

    def by_key(self, token: str) -> Account | None:
        """The program that holds ``token``."""
        query = "SELECT id, name, role, places, used FROM keys WHERE token=?"
        now = self.clock()
        with self.store.reading() as db:
            row = db.execute(query, (digest(token),)).fetchone()
        if row is None:
            return None
        if row[4] is None or now - row[4] > 60_000:
            with self.store.writing() as db:
                db.execute("UPDATE keys SET used=? WHERE id=?", (now, row[0]))
        return Account(
            id=row[0],
            name=row[1],
            shown=row[1],
            role=Role(row[2]),
            places=tuple(json.loads(row[3])),
            key=True,
        )


def is_name(name: str) -> bool:
    """Whether somebody may be called so; the desk's own name is nobody's.

    >>> is_name("kim.ji-woo"), is_name("김지우"), is_name("Yeji"), is_name("api:cmms"), is_name("")
    (True, True, False, False, False)
    """
    return bool(_NAME.fullmatch(name)) and name.lower() != SYSTEM


def check_places(places: Sequence[str], role: Role) -> list[str]:
    """``places`` cleaned. Raises `AccessError` for none, and for `ALL` to anybody but an administrator."""
    try:
        cleaned = list(dict.fromkeys(clean_place(place) for place in places))
    except ValueError:
        raise AccessError("account.places") from None
    if not cleaned or (ALL in cleaned and role is not Role.ADMIN):
        raise AccessError("account.places")
    return cleaned


def _account(row: Sequence[object]) -> Account:
    id, name, shown, role, places, external, disabled = row
    return Account(
        id=int(str(id)),
        name=str(name),
        shown=str(shown),
        role=Role(int(str(role))),
        places=tuple(json.loads(str(places))),
        external=external is not None,
        disabled=bool(disabled),
    )
