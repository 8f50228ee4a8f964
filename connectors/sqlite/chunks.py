"""One row of the `chunks` table: readings of one machine in columns, to bytes and back, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Bools
from pipeline.records import Floats, Ints, Scored, State

#: A chunk of this level is never merged again.
FULL = 3
#: This many chunks of one level become one of the next: each reading is written again three times at most.
FANOUT = 16

#: The columns of a chunk, in the order in which `Chunk.blobs` returns and `decode` takes them.
COLUMNS = 'time, score, health, state, "values", contributions'


def level(n: int) -> int:
    """How large a chunk of ``n`` readings is.

    >>> [level(n) for n in (1, 15, 16, 255, 256, 4095, 4096, 1_000_000)]
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    return min(FULL, max(0, n.bit_length() - 1) // 4)


@dataclass(frozen=True, slots=True)
class Chunk:
    """``n`` readings of ``k`` sensors in time order; ``contributions`` (n, k), 0 where not kept."""

    time: Ints
    score: Floats
    health: Floats
    state: NDArray[np.uint8]
    values: Floats
    contributions: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.time.shape[0])

    @classmethod
    def of(cls, scored: Scored) -> Chunk:
        """The readings of ``scored``."""
        return cls(
            scored.time,
            scored.score,
            scored.health,
            scored.state,
            scored.values,
            scored.contributions.astype(np.float32),
        )

    def select(self, keep: Bools | Ints | slice) -> Chunk:
        """The readings at ``keep``: a mask, an order, or a slice."""
        return Chunk(
            self.time[keep],
            self.score[keep],
            self.health[keep],
            self.state[keep],
            self.values[keep],
            self.contributions[keep],
        )

    def blobs(self) -> tuple[bytes, ...]:
        """The bytes of `COLUMNS`. Contributions of normal readings are left out."""
        raised = self.state >= State.SUSPECT
        return (
            self.time.astype("<i8", copy=False).tobytes(),
            self.score.astype("<f8", copy=False).tobytes(),
            self.health.astype("<f8", copy=False).tobytes(),
            self.state.astype(np.uint8, copy=False).tobytes(),
            self.values.astype("<f8", copy=False).tobytes(),
            self.contributions[raised].astype("<f4", copy=False).tobytes() if raised.any() else b"",
        )


def decode(blobs: Sequence[bytes], width: int) -> Chunk:
    """The inverse of `Chunk.blobs` for ``width`` sensors."""
    time, score, health, state, values, contributions = blobs
    states = np.frombuffer(state, np.uint8)
    shares = np.zeros((len(states), width), dtype=np.float32)
    shares[states >= State.SUSPECT] = np.frombuffer(contributions, "<f4").reshape(-1, width)
    return Chunk(
        np.frombuffer(time, "<i8"),
        np.frombuffer(score, "<f8"),
        np.frombuffer(health, "<f8"),
        states,
        np.frombuffer(values, "<f8").reshape(len(states), width),
        shares,
    )


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks of one layout as one, in time order."""
    joined = Chunk(
        np.concatenate([c.time for c in chunks]),
        np.concatenate([c.score for c in chunks]),
        np.concatenate([c.health for c in chunks]),
        np.concatenate([c.state for c in chunks]),
        np.concatenate([c.values for c in chunks]),
        np.concatenate([c.contributions for c in chunks]),
    )
    if (np.diff(joined.time) >= 0).all():
        return joined
    return joined.select(np.argsort(joined.time, kind="stable"))
