"""Alarm events and verdicts as JSON, as `maintenance.alerts` and `maintenance.feedback` carry them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.records import AlarmEvent, Verdict

_T = TypeVar("_T", AlarmEvent, Verdict)
_encode = msgspec.json.Encoder().encode


class WireError(ValueError):
    """The bytes are no such record; the message says what is wrong with them."""


def encode_alert(event: AlarmEvent) -> bytes:
    """One alarm event as one JSON object."""
    return _encode(event)


def decode_alert(value: bytes) -> AlarmEvent:
    """The inverse of `encode_alert`; fields that a newer Yeji added are ignored. Raises `WireError`."""
    return _decode(value, AlarmEvent)


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
