"""Alarm events and verdicts as JSON, as `maintenance.alerts` and `maintenance.feedback` carry them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.cause import Cause
from pipeline.records import AlarmEvent, Verdict

_T = TypeVar("_T", AlarmEvent, Verdict, Cause)
_encode = msgspec.json.Encoder().encode


class WireError(ValueError):
    """The bytes are no such record; the message says what is wrong with them."""


def encode_alert(event: AlarmEvent) -> bytes:
    """One alarm event as one JSON object."""
    return _encode(event)


def decode_alert(value: bytes) -> AlarmEvent:
    """The inverse of `encode_alert`; fields that a newer Yeji added are ignored. Raises `WireError`."""
    return _decode(value, AlarmEvent)


def encode_cause(cause: Cause | None) -> str | None:
    """A cause as JSON text, for stores that know no objects; None for none."""
    return _encode(cause).decode() if cause else None


def decode_cause(text: str | None) -> Cause | None:
    """The inverse of `encode_cause`. Raises `WireError`."""
    return _decode(text.encode(), Cause) if text else None


def encode_verdict(verdict: Verdict) -> bytes:
    """One verdict as one JSON object."""
    return _encode(verdict)


def decode_verdict(value: bytes) -> Verdict:
    """The inverse of `encode_verdict`. Raises `WireError`."""
    return _decode(value, Verdict)


def _decode(value: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"Not a {kind.__name__}: {error}.") from None
