"""Times that people type into forms, in the plant's own zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from desk.access.accounts import AccessError


def parse_local(text: str, zone: str) -> int:
    """What `<input type=datetime-local>` returns, as ms UTC.

    >>> parse_local("2026-01-31T14:00", "Asia/Seoul")
    1769835600000

    Raises `AccessError` with the key of the text that says so.
    """
    try:
        local = datetime.fromisoformat(text.strip())
        return round(local.replace(tzinfo=local.tzinfo or ZoneInfo(zone)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise AccessError("time.wrong") from None


def local_text(time: int, zone: str) -> str:
    """The inverse of `parse_local`, to the minute.

    >>> local_text(1769835600000, "Asia/Seoul")
    '2026-01-31T14:00'
    """
    return datetime.fromtimestamp(time / 1000, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
