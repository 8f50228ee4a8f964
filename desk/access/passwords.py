"""Passwords: argon2id hashes, and which passwords are refused."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

#: Fewer characters are refused; more rules make people write passwords down.
LEAST = 10
#: More would let a stranger keep the processor busy.
MOST = 200
#: This many guesses of what people choose find a common password (NIST SP 800-63B, 3.1.1.2).
GUESSES = 10**8
#: zxcvbn looks at the beginning; what is that long is judged by it.
_LOOKED_AT = 64

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106's low-memory choice


def objection(password: str, name: str) -> str | None:
    """The key of the text that says why ``password`` is refused for account ``name``; None = it is fine.

    What is common is found by zxcvbn (D. L. Wheeler, USENIX Security 2016): the 30,000 commonest passwords,
    names, words, dates, keyboard runs, and what is made of them; and by our own list, `common_words.txt`.

    >>> objection("short", "kim"), objection("Password123", "kim"), objection("three old presses", "kim")
    ('password.short', 'password.common', None)
    >>> objection("dkssudgktpdy", "kim"), objection("kim.ji-woo99", "kim.ji-woo")
    ('password.common', 'password.common')
    """
    if len(password) < LEAST:
        return "password.short"
    if len(password) > MOST:
        return "password.long"
    found = zxcvbn(password[:_LOOKED_AT], [name, *name.replace("-", ".").split("."), *_words()])
    return "password.common" if found["guesses"] < GUESSES else None


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


@cache
def _words() -> tuple[str, ...]:
    lines = files("desk.access").joinpath("common_words.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))
