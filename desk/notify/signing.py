"""Signed webhooks by the Standard Webhooks specification, and the receiver's side of it.

Three headers: ``webhook-id`` (the same for every try of one message), ``webhook-timestamp`` (seconds) and
``webhook-signature``: ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook


class SignatureError(Exception):
    """The request is not to be trusted; the message says why."""


class RepeatedError(Exception):
    """The request is genuine and was taken before: answer 200, and do nothing."""


def key_of(secret: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else its own bytes."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The signature of ``body`` as its header has it.

    >>> sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
    ...      b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    moment = datetime.fromtimestamp(timestamp, UTC)
    return Webhook(key_of(secret)).sign(id, moment, body.decode())


class Receiver:
    """Checks what comes in by a signed webhook: genuine, fresh, and not seen before.

    ``tolerance`` (s) is how far a timestamp may be off: a captured request is useless after that, and until
    then its id is known. ``keep`` (s) is how long ids are remembered: longer than the sender tries.

    >>> body = b"{}"
    >>> headers = {"webhook-id": "a", "webhook-timestamp": "1000",
    ...            "webhook-signature": sign("key", "a", 1000, body)}
    >>> receiver = Receiver("key")
    >>> receiver.check(headers, body, now=1001)
    'a'
    >>> receiver.check(headers, body, now=1002)
    Traceback (most recent call last):
    desk.notify.signing.RepeatedError: message a was taken before
    """

    def __init__(self, secret: str, *, tolerance: float = 300.0, keep: float = 172_800.0) -> None:
        self._secret, self.tolerance, self.keep = secret, tolerance, keep
        self._seen: dict[str, float] = {}

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """The message's id. ``headers`` with lower-case names, ``now`` in seconds since 1970 UTC.

        Raises `SignatureError`, or `RepeatedError` for a message that was taken before. When taking it
        fails afterwards, `forget` its id, so that the next try is taken.
        """
        id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not id or not stamp.isascii() or not stamp.isdigit():
            raise SignatureError("webhook-id or webhook-timestamp is missing")
        try:
            wanted = sign(self._secret, id, int(stamp), body)
        except (UnicodeDecodeError, OverflowError, ValueError, OSError):
            raise SignatureError("the body is not text, or the timestamp is no moment") from None
        given = headers.get("webhook-signature", "").split()  # several while a secret is being changed
        if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
            raise SignatureError("the signature does not fit: another secret, or the body was changed")
        if abs(now - int(stamp)) > self.tolerance:
            raise SignatureError(
                f"the timestamp is {now - int(stamp):+.0f} s off: an old request, or a clock"
            )
        while self._seen and (oldest := next(iter(self._seen.items())))[1] < now - self.keep:
            del self._seen[oldest[0]]
        if id in self._seen:
            raise RepeatedError(f"message {id} was taken before")
        self._seen[id] = now
        return id

    def forget(self, id: str) -> None:
        """Take the next try of ``id``: this one failed after all."""
        self._seen.pop(id, None)
