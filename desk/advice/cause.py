"""What an alarm is about, as a code with its numbers; of older alarms it is read from their detail."""

from __future__ import annotations

import re

from pipeline.records import AlarmEvent

_LIMIT = re.compile(r"[\w ]+: (?P<value>\S+), limit (?P<limit>\S+)")


def code_of(event: AlarmEvent) -> str:
    """The code, as `zone-c`, `low-trip`, `stuck`; "" for a condition. Its kind stands before a dot."""
    code = event.cause or event.detail.partition(":")[0]
    return code.strip().lower().replace(" ", "-").replace("_", "-").partition(".")[0]


def numbers_of(event: AlarmEvent) -> tuple[float | None, float | None]:
    """(value, limit) of a limit alarm; None where they are not known."""
    if event.value is not None:
        return event.value, event.limit
    found = _LIMIT.fullmatch(event.detail)
    try:
        return (float(found["value"]), float(found["limit"])) if found else (None, None)
    except ValueError:
        return None, None
