"""Second factors beside the password: one-time codes of an app (TOTP), and recovery codes."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import pyotp

from desk.access.accounts import AccessError
from desk.access.roles import Account
from desk.access.store import AccessStore, digest

#: Time steps (of 30 s) that a clock may be off.
_OFF = 1
_STEP_MS = 30_000
RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has beside its password."""

    totp: bool
    passkeys: int
    recovery: int

    @property
    def any(self) -> bool:
        """Whether a password alone does not let in."""
        return self.totp or self.passkeys > 0


class SecondFactors:
    """TOTP (RFC 6238) and recovery codes of accounts. ``clock`` returns ms UTC."""

    def __init__(self, store: AccessStore, clock: Callable[[], int]) -> None:
        self.store, self.clock = store, clock

    def of(self, account: Account) -> Factors:
        """What ``account`` has."""
        with self.store.reading() as db:
            totp = db.execute("SELECT 1 FROM totp WHERE account=? AND confirmed=1", (account.id,)).fetchone()
            return Factors(
                totp is not None,
                _count(db, "passkeys", account.id),
                _count(db, "recovery", account.id),
            )

    def begin_totp(self, account: Account) -> tuple[str, str]:
        """A new secret, which counts once `confirm_totp` saw a code of it: (secret, address for the app)."""
        with self.store.writing() as db:
            row = db.execute("SELECT secret, confirmed FROM totp WHERE account=?", (account.id,)).fetchone()
            if row and row[1]:
                raise AccessError("second.there")
            # Asked for again before it was confirmed, it stays: the app may have it by now.
            secret = str(row[0]) if row else pyotp.random_base32()
            db.execute("INSERT OR IGNORE INTO totp VALUES (?,?,0,0)", (account.id, secret))
        return secret, pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="Yeji")

    def confirm_totp(self, account: Account, code: str) -> list[str]:
        """The app works: it counts from now on. Returns the recovery codes. Raises `AccessError`."""
        if not self._check(account, code, confirmed=False):
            raise AccessError("second.wrong")
        with self.store.writing() as db:
            db.execute("UPDATE totp SET confirmed=1 WHERE account=?", (account.id,))
            return new_recovery(db, account)

    def prove(self, account: Account, code: str) -> bool:
        """Whether ``code`` is the app's of now, or a recovery code; each counts once."""
        code = "".join(code.split()).lower()
        return self._check(account, code, confirmed=True) or self._recover(account, code)

    def remove(self, account: Account) -> None:
        """No second factor any more: the app, the passkeys and the recovery codes are forgotten."""
        with self.store.writing() as db:
            for table in ("totp", "passkeys", "recovery"):
                db.execute(f"DELETE FROM {table} WHERE account=?", (account.id,))  # noqa: S608 - ours

    def _check(self, account: Account, code: str, *, confirmed: bool) -> bool:
        now = self.clock()
        with self.store.writing() as db:
            row = db.execute(
                "SELECT secret, last FROM totp WHERE account=? AND confirmed=?", (account.id, confirmed)
            ).fetchone()
            if row is None:
                return False
            totp, step = pyotp.TOTP(row[0]), now // _STEP_MS
            for one in range(step - _OFF, step + _OFF + 1):
                if one > row[1] and hmac.compare_digest(totp.generate_otp(one), code.strip()):
                    db.execute("UPDATE totp SET last=? WHERE account=?", (one, account.id))
                    return True
        return False

    def _recover(self, account: Account, code: str) -> bool:
        with self.store.writing() as db:
            return bool(
                db.execute(
                    "DELETE FROM recovery WHERE code=? AND account=?", (_sealed(account, code), account.id)
                ).rowcount
            )


def new_recovery(db: sqlite3.Connection, account: Account) -> list[str]:
    """New recovery codes in place of the old ones; they are shown this once."""
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]
    db.execute("DELETE FROM recovery WHERE account=?", (account.id,))
    db.executemany(
        "INSERT INTO recovery VALUES (?,?)", [(_sealed(account, code), account.id) for code in codes]
    )
    return codes


def _sealed(account: Account, code: str) -> bytes:
    return digest(f"{account.id}:{code.replace('-', '')}")


def _count(db: sqlite3.Connection, table: str, account: int) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table} WHERE account=?", (account,)).fetchone()[0])  # noqa: S608 - ours
