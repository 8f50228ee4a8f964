"""When the next checkpoint is due: often enough for a short replay, seldom enough to cost little."""

from __future__ import annotations

from dataclasses import dataclass

#: While there is work, checkpoints take at most this share of the time.
SHARE = 0.1
#: After so long without work (s), a checkpoint keeps nobody waiting.
QUIET = 1.0


@dataclass(slots=True)
class CheckpointSchedule:
    """``every`` seconds, counted from the end of the last checkpoint; all times are of one monotonic clock.

    >>> schedule = CheckpointSchedule(every=10.0, last=0.0)
    >>> schedule.due(4.0)
    6.0
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

    def worked(self, now: float) -> None:
        """A batch was taken."""
        self.work = now

    def made(self, began: float, ended: float) -> None:
        """A checkpoint was made, or there was none to make."""
        self.last, self.took = ended, ended - began

    def due(self, now: float) -> float:
        """Seconds until the next checkpoint; none or less = now."""
        busy = self.last + max(self.every, self.took * (1 / SHARE - 1))
        quiet = max(self.last + self.every, self.work + min(QUIET, self.every))
        return min(busy, quiet) - now
