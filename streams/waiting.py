"""A program that is started before its services waits for them, and says so once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

#: The longest pause between two tries, and how often a wait is mentioned again (s).
LONGEST, REMIND = 10.0, 300.0


class StoppedError(Exception):
    """The program was told to end while it waited."""


def until_reachable(
    what: str,
    attempt: Callable[[], None],
    away: tuple[type[Exception], ...],
    stop: threading.Event,
    for_good: tuple[type[Exception], ...] = (),
) -> None:
    """Return once ``attempt`` does; it is tried again while it raises one of ``away``.

    Any other error, and those of ``for_good``, such as a setting that no waiting mends, go through. Raises
    `StoppedError` when ``stop`` is set meanwhile.
    """
    tries, said = 0, 0.0
    while not stop.is_set():
        try:
            attempt()
        except for_good:
            raise
        except away as error:
            now = time.monotonic()
            if not said or now - said > REMIND:
                log.warning(f"Waiting for {what}. {error}", tries=tries + 1)
                said = now
            stop.wait(min(0.5 * 2**tries, LONGEST))
            tries = min(tries + 1, 10)
        else:
            if tries:
                log.info(f"{what} is there.")
            return
    raise StoppedError
