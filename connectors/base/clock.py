"""The wall clock, in the one unit that all times have here. The pipeline and the detectors never ask it."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Now, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
