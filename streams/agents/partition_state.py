"""Where the worker stands in each of its partitions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Phase(Enum):
    """How far an assigned partition is from work."""

    ASSIGNED = auto()  # its machines are not restored yet
    READY = auto()
    PARKED = auto()  # a rebalance has begun; its machines are still here and stand at `applied`


@dataclass(slots=True)
class PartitionState:
    """One partition. All offsets are those of the next message.

    ``expected``: to come from Kafka. ``applied``: in the models. ``durable``: its results are written.
    ``committed``: a snapshot stands for it. None = not known: the topic's beginning.
    ``resume``: from here on every message is taken; before it only those of machines in ``behind``, whose
    snapshot was older than the committed offset. ``careful``: up to here one message at a time, because
    one of them makes the pipeline fail; ``poison``: those that do, and how. ``sought``: the gap that was
    asked for again. ``dropped``: records came before the partition was ready, and must come again.
    ``generation``: counts how often it became ready; records fetched before the last time are not taken.
    ``unacknowledged``: first offsets of fetches that some agent is not done with; nothing from the lowest of
    them on may be committed. ``topic_id``: of the topic that the offsets are of;
    ``replaced``: it was deleted, and another has its name.
    """

    topic: str
    partition: int
    phase: Phase = Phase.ASSIGNED
    expected: int | None = None
    applied: int | None = None
    durable: int | None = None
    committed: int | None = None
    resume: int = -1
    behind: frozenset[str] = frozenset()
    careful: int = -1
    sought: int = -1
    dropped: bool = False
    generation: int = 0
    replaced: bool = False
    topic_id: str = ""
    poison: dict[int, str] = field(default_factory=dict)
    unacknowledged: Counter[int] = field(default_factory=Counter)

    def begin(self, offset: int | None, committed: int | None) -> None:
        """Ready to take messages from ``offset`` on."""
        self.phase = Phase.READY
        self.expected = self.applied = self.durable = offset
        self.committed = committed
        self.sought, self.dropped = -1, False
        self.generation += 1
        self.unacknowledged.clear()

    def handed_out(self, offset: int) -> None:
        """Records from ``offset`` on went to the agents."""
        self.unacknowledged[offset] += 1

    def acknowledge(self, offset: int, generation: int) -> None:
        """Every agent is done with the records that were handed out from ``offset`` on."""
        if generation == self.generation:
            self.unacknowledged[offset] -= 1
            if self.unacknowledged[offset] <= 0:
                del self.unacknowledged[offset]

    @property
    def drained(self) -> bool:
        """Whether all that was fetched is durable."""
        return self.expected == self.applied == self.durable

    @property
    def committable(self) -> int | None:
        """What may be committed: durable, and every agent is done with it."""
        if self.durable is None or not self.unacknowledged:
            return self.durable
        return min(self.durable, *self.unacknowledged)

    @property
    def catching_up(self) -> bool:
        """Whether messages before the committed offset are being taken again."""
        return self.durable is not None and self.durable < self.resume

    @property
    def dirty(self) -> bool:
        """Whether results are durable that no commit stands for yet."""
        return self.committable is not None and self.committable != self.committed
