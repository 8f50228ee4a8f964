"""Passwords: argon2id hashes, and which passwords are refused."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Fewer characters are refused; more rules make people write passwords down.
LEAST = 10
#: More would let a stranger keep the processor busy.
MOST = 200

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106's low-memory choice
_COMMON = frozenset(
    (
        *("password", "passwort", "password1", "password12", "password123", "administrator", "maintenance"),
        *("1234567890", "123456789", "0123456789", "qwertyuiop", "qwerty1234", "1q2w3e4r5t", "asdfghjkl1"),
        *("letmein123", "welcome123", "changeme123", "iloveyou11", "abcdefghij", "yejiyejiyeji"),
    )
)


def objection(password: str, name: str) -> str | None:
    """The key of the text that says why ``password`` is refused for account ``name``; None = it is fine.

    >>> objection("short", "kim"), objection("Password123", "kim"), objection("three old presses", "kim")
    ('password.short', 'password.common', None)
    """
    if len(password) < LEAST:
        return "password.short"
    if len(password) > MOST:
        return "password.long"
    plain = password.lower()
    if (
        plain in _COMMON
        or len(set(plain)) < 4
        or (len(name) > 3 and plain.strip("0123456789!") == name.lower())
    ):
        return "password.common"
    return None


def hash_password(password: str) -> str:
    """An argon2id hash with its salt and parameters."""
    return _hasher.hash(password)


def matches(hashed: str | None, password: str) -> bool:
    """Whether ``password`` is the one of ``hashed``; None (no such account) takes just as long as a miss."""
    try:
        return _hasher.verify(hashed or _nobody(), password[: MOST + 1]) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(hashed: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hashed)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")
