"""Libraries' warnings: each kind once, then how often it came again, so that an outage is a few lines."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

#: How long a message of the same kind is held back (s).
QUIET = 600.0
#: Kinds that are remembered at most.
KINDS = 1000

_CHANGING = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")


class Repeats(logging.Filter):
    """Lets the first message of a kind through, and after `QUIET` seconds the next one, with a count.

    A kind is logger, level and text without its numbers.

    >>> clock = iter([0.0, 1.0, 2.0, 700.0])
    >>> filter = Repeats(lambda: next(clock))
    >>> def passes(text):
    ...     record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, (), None)
    ...     return filter.filter(record) and record.getMessage()
    >>> passes("No connection to node 1"), passes("No connection to node 2"), passes("No connection to 7")
    ('No connection to node 1', False, 'No connection to 7')
    >>> passes("No connection to node 1")
    'No connection to node 1 (1 more like this meanwhile)'
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written; a repeated one says how many there were."""
        text = record.getMessage()
        kind = record.name, record.levelno, _CHANGING.sub("#", text)[:300]
        now = self._clock()
        last, held = self._seen.get(kind, (None, 0))
        if last is not None and now - last < QUIET:
            self._seen[kind] = last, held + 1
            return False
        if len(self._seen) >= KINDS:
            self._seen.clear()
        self._seen[kind] = now, 0
        if held:
            record.msg, record.args = f"{text} ({held} more like this meanwhile)", ()
        return True
