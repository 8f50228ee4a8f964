"""One fault, one alarm: an alarm that comes back soon after it cleared stands longer the next time.

A machine that stops in between, or works on another product, hides its fault for a while. ISA-18.2 calls what
comes of that a chattering alarm, and lengthens the off-delay of one.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from detectors.batch import Ints
from detectors.table import Column, KernelTable

#: An alarm is back soon within this after it cleared, and stands through silences that are so many times
#: longer, but not for more than a shift.
_SOON, _LONGER, _LONGEST = 2 * 3_600_000, 1.5, 8 * 3_600_000
#: After so long without an alarm that came back the off-delay is the configured one again.
_FORGOTTEN = 24 * 3_600_000


class _Recurrence(NamedTuple):
    hold: Annotated[Ints, Column((), 0)]  # ms under `clear` before an alarm is cleared
    owed: Annotated[Ints, Column((), 0)]  # the hold from the end of the block on
    silent: Annotated[
        Ints, Column((), -1)
    ]  # since when nothing was seen of the latest alarm that was cleared
    back: Annotated[Ints, Column((), -1)]  # when one was last back soon


class FleetRecurrence(KernelTable[_Recurrence]):
    """How long each machine's alarm stands while nothing is to be seen of it.

    >>> one = FleetRecurrence(); one.resize(1); one.reset(0, seed=0)
    >>> import numpy as np
    >>> for hour, raised in ((0, True), (1, False), (2, True)):
    ...     one.count(0, hour * 3_600_000, raised)
    >>> one.settle(np.array([0]), np.array([2 * 3_600_000]))
    >>> one.off_delay(0, 60_000) / 3_600_000
    1.5
    """

    def __init__(self) -> None:
        super().__init__(_Recurrence)

    def off_delay(self, row: int, configured: int) -> int:
        """ms under `clear` after which the alarm of ``row`` is cleared."""
        return max(configured, int(self["hold"][row]))

    def count(self, row: int, time: int, raised: bool) -> None:
        """The alarm of ``row`` is raised or cleared at ``time`` (ms); `settle` lets it take effect."""
        hold = int(self["hold"][row])
        if not raised:
            self["silent"][row] = time - hold
            return
        silence = time - int(self["silent"][row])
        if self["silent"][row] >= 0 and silence - hold <= _SOON:
            longer = min(round(_LONGER * silence), _LONGEST)
            self["owed"][row] = max(int(self["owed"][row]), longer)
            self["back"][row] = time

    def settle(self, rows: Ints, time: Ints) -> None:
        """At ``time`` (m,) blocks of ``rows`` (m,) have ended: what was counted takes effect."""
        forgotten = time - self["back"][rows] > _FORGOTTEN
        self["owed"][rows[forgotten]] = 0
        self["hold"][rows] = self["owed"][rows]
