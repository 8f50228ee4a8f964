"""Times as the outside world writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(time: int) -> datetime:
    """ms since 1970 UTC as a datetime.

    >>> instant(1_769_835_600_250).isoformat()
    '2026-01-31T05:00:00.250000+00:00'
    """
    return datetime.fromtimestamp(time // 1000, UTC).replace(microsecond=time % 1000 * 1000)
