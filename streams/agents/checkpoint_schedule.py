"""When the next checkpoint is due: often enough for a short replay, seldom enough to cost little."""

from __future__ import annotations

from dataclasses import dataclass

#: While there is work, checkpoints take at most this share of the time.
SHARE = 0.1
#: After so long without work (s), a checkpoint keeps nobody waiting.
QUIET = 1.0
#: The first checkpoint of a worker comes so soon (s).
FIRST = 0.5


@dataclass(slots=True)
class CheckpointSchedule:
    """``every`` seconds, counted from the end of the last checkpoint; all times are of one monotonic clock.

    The first checkpoints come sooner, each after twice the time of the one before: a worker that does not
    live for ``every`` seconds gets on all the same.

    >>> schedule = CheckpointSchedule(every=10.0, last=0.0)
    >>> schedule.due(0.1)
    0.4
    >>> for now in (0.5, 1.5, 3.5, 7.5, 15.5):
    ...     schedule.made(now, now)
    >>> schedule.due(19.5)
    6.0
    >>> schedule = CheckpointSchedule(every=10.0, last=0.0, wait=10.0)
    >>> schedule.worked(18.0)
    >>> schedule.made(began=18.0, ended=20.0)  # took 2 s: with work going on, the next is due 18 s later
    >>> schedule.worked(30.0)
    >>> schedule.due(30.0)  # or sooner, when there is no work any more
    1.0
    """

    every: float
    last: float
    took: float = 0.0
    work: float = -QUIET
    wait: float = FIRST

    def worked(self, now: float) -> None:
        """A batch was taken."""
        self.work = now

    def made(self, began: float, ended: float) -> None:
        """A checkpoint was made."""
        self.last, self.took = ended, ended - began
        self.wait = min(2 * self.wait, self.every)

    def skipped(self, now: float) -> None:
        """There was none to make: the first that there is comes as soon as before.

        >>> schedule = CheckpointSchedule(every=3600.0, last=0.0)
        >>> for now in range(1, 60):
        ...     schedule.skipped(float(now))
        >>> schedule.due(59.0)
        0.5
        """
        self.last, self.took = now, 0.0

    def due(self, now: float) -> float:
        """Seconds until the next checkpoint; none or less = now."""
        wait = min(self.wait, self.every)
        busy = self.last + max(wait, self.took * (1 / SHARE - 1))
        quiet = max(self.last + wait, self.work + min(QUIET, wait))
        return min(busy, quiet) - now
