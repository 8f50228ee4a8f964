"""How often the API may be called."""

from __future__ import annotations

import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter


class CallLimit:
    """So many calls ``a_minute`` by each caller, counted in this process."""

    def __init__(self, a_minute: int) -> None:
        self._item = RateLimitItemPerMinute(a_minute)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def wait(self, caller: str) -> int:
        """Count a call of ``caller``: 0 when it may go on, else the seconds that it has to wait."""
        if self._window.hit(self._item, caller):
            return 0
        reset = self._window.get_window_stats(self._item, caller).reset_time
        return max(1, round(reset - time.time()))
