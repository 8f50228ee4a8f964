"""Bodies of requests: unfolded within bounds, and cut into payloads."""

from __future__ import annotations

import zlib


class BodyTooLargeError(Exception):
    """The body is larger than it may be, as it came or unfolded."""


class BodyError(Exception):
    """The body is not what its headers say."""


def unfold(body: bytes, encoding: str, most: int) -> bytes:
    """The body without gzip; other encodings are refused. Never unfolds more than ``most`` bytes.

    >>> import gzip
    >>> unfold(gzip.compress(b"abc"), "gzip", 10)
    b'abc'

    Raises `BodyTooLargeError` and `BodyError`.
    """
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise BodyError(f"Content-Encoding {encoding!r} is not read; send gzip or none.")
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        data = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise BodyError(f"The body is no gzip: {error}.") from error
    if len(data) > most:
        raise BodyTooLargeError
    if not reader.eof:
        raise BodyError("The body is gzip, and ends in its middle.")
    return data


def payloads(body: bytes, content_type: str) -> list[bytes]:
    """One payload, or one for each line of NDJSON.

    >>> payloads(b'{"a": 1}' + bytes([10]) + b'{"a": 2}', "application/x-ndjson")
    [b'{"a": 1}', b'{"a": 2}']
    """
    if "ndjson" in content_type or "jsonl" in content_type or "json-seq" in content_type:
        return [line for line in body.splitlines() if line.strip()]
    return [body]
