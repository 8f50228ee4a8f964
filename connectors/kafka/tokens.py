"""Bearer tokens for SASL OAUTHBEARER: from a file that something renews, or by client credentials."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from aiokafka.abc import AbstractTokenProvider as AsyncProvider
from kafka.net.sasl.oauth import AbstractTokenProvider as SyncProvider

#: A token is renewed so long before it ends (s); one without an end is kept for as long.
EARLY = 60.0


class TokenError(Exception):
    """No token can be had; the message says why, and never holds a secret."""


def from_file(path: Path) -> str:
    """The token in ``path``, read again each time. Raises `TokenError`."""
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"kafka.token_file {path} cannot be read ({type(error).__name__}).") from None
    if not token:
        raise TokenError(f"kafka.token_file {path} is empty.")
    return token


class ClientCredentials:
    """Tokens from ``url`` for one client (RFC 6749, 4.4), each kept until shortly before it ends.

    Safe in several threads."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        ca_file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise TokenError("kafka.token_url must be https: the client's secret is sent there.")
        self._url, self._client_id, self._secret = url, client_id, secret
        self._verify = True if ca_file is None else str(ca_file)
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        """A token that still holds. Raises `TokenError`."""
        with self._lock:
            if not self._token or self._clock() >= self._until:
                self._renew()
            return self._token

    def _renew(self) -> None:
        try:
            answer = httpx.post(
                self._url,
                data={"grant_type": "client_credentials"},
                auth=(self._client_id, self._secret),
                timeout=10,
                verify=self._verify,
            )
            answer.raise_for_status()
            known = answer.json()
            self._token, lasts = str(known["access_token"]), float(known.get("expires_in", 2 * EARLY))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            status = getattr(getattr(error, "response", None), "status_code", "")
            raise TokenError(
                f"kafka.token_url {self._url} gives no token ({type(error).__name__} {status}). Check "
                "kafka.client_id and the secret."
            ) from None
        self._until = self._clock() + max(lasts - EARLY, 1.0)


class SyncTokens(SyncProvider):  # type: ignore[misc]
    """For kafka-python."""

    def __init__(self, source: Callable[[], str]) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        """The token."""
        return self._source()


class AsyncTokens(AsyncProvider):  # type: ignore[misc]
    """For aiokafka and Faust."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source

    async def token(self) -> str:
        """The token, fetched in a thread."""
        return await asyncio.to_thread(self._source)
