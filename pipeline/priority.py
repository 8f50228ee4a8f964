"""How soon an alarm wants somebody: the severity of the deviation times the criticality of the machine."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """ISA-18.2's priorities. Its aim for the mix: about 80 % low, 15 % medium, 5 % high, under 1 % urgent."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    URGENT = 4


#: priority by severity 1..4 (rows) and criticality 1..4 (columns): the product against 4, 8 and 12
_TABLE = tuple(
    tuple(
        Priority(1 + sum(severity * criticality >= bound for bound in (4, 8, 12)))
        for criticality in range(1, 5)
    )
    for severity in range(1, 5)
)


def priority_of(severity: int, criticality: int) -> Priority:
    """The priority; numbers outside 1..4 are taken as the nearest inside.

    >>> priority_of(4, 3).name, priority_of(2, 2).name, priority_of(1, 3).name
    ('URGENT', 'MEDIUM', 'LOW')
    """
    return _TABLE[min(max(severity, 1), 4) - 1][min(max(criticality, 1), 4) - 1]
