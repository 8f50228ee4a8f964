"""What ends a worker."""

from __future__ import annotations


class WorkerError(Exception):
    """The worker ended because of something that it could not deal with; the message says what to do."""
