"""Passkeys (WebAuthn): a key in somebody's phone or computer in place of the password, or beside it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from desk.access.accounts import AccessError, Accounts
from desk.access.roles import Account
from desk.access.second_factor import new_recovery
from desk.access.store import AccessStore, digest, new_token

_FOR = 300_000  # ms that a question may be answered
_MOST = 10


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as it is listed."""

    id: str
    name: str
    made: int
    used: int | None


class Passkeys:
    """Passkeys of accounts, for the desk at address ``url``. ``clock`` returns ms UTC."""

    def __init__(self, store: AccessStore, accounts: Accounts, url: str, clock: Callable[[], int]) -> None:
        self.store, self.accounts, self.clock = store, accounts, clock
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.domain = parts.hostname or ""

    @property
    def possible(self) -> bool:
        """Browsers allow passkeys on https and localhost alone, and for no address in figures."""
        try:
            ipaddress.ip_address(self.domain)
        except ValueError:
            return self.origin.startswith("https://") or self.domain == "localhost"
        return False

    def all(self, account: Account) -> list[Passkey]:
        """Those of ``account``, the newest first."""
        with self.store.reading() as db:
            rows = db.execute(
                "SELECT id, name, made, used FROM passkeys WHERE account=? ORDER BY made DESC", (account.id,)
            )
            return [Passkey(id.hex(), name, made, used) for id, name, made, used in rows]

    def ask_registration(self, account: Account) -> tuple[str, str]:
        """What the browser is asked so that it makes a key: (options as JSON, the question's token)."""
        known = [PublicKeyCredentialDescriptor(bytes.fromhex(one.id)) for one in self.all(account)]
        if len(known) >= _MOST:
            raise AccessError("passkey.many")
        options = generate_registration_options(
            rp_id=self.domain,
            rp_name="Yeji",
            user_name=account.name,
            user_display_name=account.shown,
            user_id=digest(f"passkey of {account.id}"),
            exclude_credentials=known,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return options_to_json(options), self._question("register", options.challenge, account)

    def register(self, account: Account, token: str, answer: str, name: str) -> list[str]:
        """Keep the key that the browser made. Returns new recovery codes with the first second factor.

        Raises `AccessError`.
        """
        challenge = self._asked("register", token, account)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.domain,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, RecursionError) as error:
            raise AccessError("passkey.wrong") from error
        with self.store.writing() as db:
            db.execute(
                "INSERT INTO passkeys VALUES (?,?,?,?,?,?,NULL)",
                (
                    made.credential_id,
                    account.id,
                    made.credential_public_key,
                    made.sign_count,
                    name.strip()[:60] or "passkey",
                    self.clock(),
                ),
            )
            codes = db.execute("SELECT count(*) FROM recovery WHERE account=?", (account.id,)).fetchone()[0]
            return [] if codes else new_recovery(db, account)

    def ask(self) -> tuple[str, str]:
        """What the browser is asked to sign somebody in: (options as JSON, the question's token)."""
        options = generate_authentication_options(
            rp_id=self.domain, user_verification=UserVerificationRequirement.REQUIRED
        )
        return options_to_json(options), self._question("passkey", options.challenge, None)

    def vouched(self, token: str, answer: str) -> Account:
        """Whom the answer is from: who has the key, and its finger or PIN. Raises `AccessError`."""
        challenge = self._asked("passkey", token, None)
        try:
            given = parse_authentication_credential_json(answer)
            with self.store.reading() as db:
                row = db.execute(
                    "SELECT account, public_key, uses FROM passkeys WHERE id=?", (given.raw_id,)
                ).fetchone()
            if row is None:
                raise AccessError("passkey.wrong")
            proof = verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=self.domain,
                expected_origin=self.origin,
                credential_public_key=row[1],
                credential_current_sign_count=row[2],
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, RecursionError) as error:
            raise AccessError("passkey.wrong") from error
        account = self.accounts.get(row[0])
        if account.disabled:
            raise AccessError("passkey.wrong")
        with self.store.writing() as db:
            db.execute(
                "UPDATE passkeys SET uses=?, used=? WHERE id=?",
                (proof.new_sign_count, self.clock(), given.raw_id),
            )
        return account

    def remove(self, account: Account, id: str) -> None:
        """Forget one key. Raises `AccessError`."""
        try:
            raw = bytes.fromhex(id)
        except ValueError:
            raise AccessError("passkey.wrong") from None
        with self.store.writing() as db:
            db.execute("DELETE FROM passkeys WHERE id=? AND account=?", (raw, account.id))

    def _question(self, purpose: str, challenge: bytes, account: Account | None) -> str:
        token, now = new_token(), self.clock()
        with self.store.writing() as db:
            db.execute("DELETE FROM challenges WHERE ends<?", (now,))
            db.execute(
                "INSERT INTO challenges VALUES (?,?,?,?,?)",
                (digest(token), purpose, account.id if account else None, challenge, now + _FOR),
            )
        return token

    def _asked(self, purpose: str, token: str, account: Account | None) -> bytes:
        """What was asked; each question is answered once."""
        with self.store.writing() as db:
            row = db.execute(
                "DELETE FROM challenges WHERE token=? AND purpose=? AND ends>=? AND account IS ? "
                "RETURNING challenge",
                (digest(token), purpose, self.clock(), account.id if account else None),
            ).fetchone()
        if row is None:
            raise AccessError("passkey.wrong")
        return bytes(row[0])
