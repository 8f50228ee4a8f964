"""Codes in place of names: the same each time, and nobody outside can tell which name stands behind one."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path


class Codes:
    """Codes by a secret ``key`` (HMAC-SHA-256), so that guessing names and hashing them tells nothing.

    >>> codes = Codes(b"k" * 32)
    >>> codes.of("machine", "a/b/c/d/press-7") == codes.of("machine", "a/b/c/d/press-7")
    True
    >>> codes.of("machine", "x") == codes.of("sensor", "x")
    False
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, name: str) -> str:
        """The code of a name of a kind, as `machine-1f3a5b7c90`; "" stays as it is."""
        if not name:
            return ""
        text = f"{kind}\n{name}".encode()
        return f"{kind}-{hmac.digest(self._key, text, 'sha256').hex()[:10]}"


class Names(Codes):
    """Names as they are."""

    def __init__(self) -> None:
        super().__init__(b"")

    def of(self, kind: str, name: str) -> str:
        """The name itself."""
        return name


def kept_codes(path: Path) -> Codes:
    """Codes by the key in ``path``, made the first time, for its owner's eyes only. Raises OSError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return Codes(path.read_bytes())
