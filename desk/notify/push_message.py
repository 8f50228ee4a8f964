"""Web Push messages: encrypted for one browser (RFC 8291) and signed as ours (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_RECORD = 4096
#: What fits into one record beside its key and its end.
MOST_BYTES = 3900
#: A signature holds for so many seconds; a push service takes a day at most.
_SIGNED_FOR = 12 * 3600
_CURVE = ec.SECP256R1()


def encrypt(
    content: bytes,
    p256dh: bytes,
    auth: bytes,
    *,
    sender: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of a push message for a browser: ``p256dh`` (65 bytes) and ``auth`` (16) are its own.

    Content encoding aes128gcm (RFC 8188) with one record. ``sender`` and ``salt`` are new for each message;
    tests give them. Raises ValueError for keys that are none, or too much content.
    """
    if len(content) > MOST_BYTES or len(auth) != 16:
        raise ValueError(
            f"{len(content)} bytes of content, {len(auth)} of secret; at most {MOST_BYTES}, and 16"
        )
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, p256dh)
    sender = sender or ec.generate_private_key(_CURVE)
    salt = salt or os.urandom(16)
    public = _point(sender.public_key())
    shared = _derive(auth, sender.exchange(ec.ECDH(), receiver), b"WebPush: info\0" + p256dh + public, 32)
    key = _derive(salt, shared, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, shared, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, content + b"\x02", None)
    return salt + _RECORD.to_bytes(4, "big") + bytes([len(public)]) + public + sealed


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def to_text(content: bytes) -> str:
    """Base64url without padding, as browsers and push services write it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """The inverse of `to_text`. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Vapid:
    """This desk's own key: push services know by it that messages are from whom the browser asked."""

    def __init__(self, path: Path, subject: str) -> None:
        """``path`` keeps the key, made once and for its owner alone; ``subject``: who we are (a URL)."""
        self.subject = subject
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = ec.generate_private_key(_CURVE).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(made)
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} holds no key of the curve P-256; move it away, and phones ask anew")
        self._key = found

    @property
    def public(self) -> str:
        """What a browser asks the push service with (`applicationServerKey`)."""
        return to_text(_point(self._key.public_key()))

    def authorization(self, endpoint: str, now: int) -> str:
        """The header for a message to ``endpoint`` at ``now`` (ms UTC)."""
        parts = urlsplit(endpoint)
        head = to_text(json.dumps({"typ": "JWT", "alg": "ES256"}).encode())
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": now // 1000 + _SIGNED_FOR,
            "sub": self.subject,
        }
        signed = f"{head}.{to_text(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={signed}.{to_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}, k={self.public}"
