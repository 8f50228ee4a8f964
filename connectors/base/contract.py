"""What a source of readings and a sink of results must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from connectors.base.stats import WorkerStats
from pipeline.records import Frame, Message, Rejection, Results


class SinkUnavailableError(Exception):
    """The other side cannot take results now; the same results are to be given again later.

    ``retry_after`` is in seconds. The message says what to do when it lasts.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


Item = Frame | Message | Rejection


class SinkSettingsError(SinkUnavailableError):
    """The other side answers, and refuses what the settings say: only a person can mend that."""


@dataclass(slots=True)
class SourceStatus:
    """How a source stands. Counts since it began.

    ``detail`` says what is wrong and what to do while it is not ``connected``. ``lost`` are arrivals that
    could not wait, ``repeated`` those that had come before and were left out.
    """

    connected: bool = False
    detail: str = "not connected yet"
    arrivals: int = 0
    readings: int = 0
    rejected: int = 0
    repeated: int = 0
    lost: int = 0
    extra: dict[str, int] = field(default_factory=dict)


class Source(ABC):
    """Brings readings in the order in which they are to be processed.

    ``Frame`` for readings that the source parsed itself, ``Message`` for bytes that are still to be
    decoded, ``Rejection`` for input that it could not parse. One thread iterates; `durable` and `close` may
    be called from any other.
    """

    #: what it is called, in settings and in what is rejected
    name: str
    #: how many readings it will bring in all, when that is known beforehand: for progress
    total: int | None = None
    #: whether it can be left waiting and loses nothing: its other side keeps what is not acknowledged
    can_wait: bool = False
    #: how it stands, where it tells
    status: SourceStatus | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Item]:
        """Bring everything there is, or go on until closed."""

    def durable(self, count: int) -> None:  # noqa: B027 - most other sides wait for no acknowledgement
        """The first ``count`` items of this iteration are stored for good: acknowledge their originals.

        ``count`` never falls. An item that is not durable when the process ends has to come again.
        """

    def close(self) -> None:  # noqa: B027 - most sources hold nothing
        """Let go of files and connections; iteration ends soon after."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a sink's other side will never take, as it was sent, and what it said."""

    line: bytes
    reason: str


class Sink(ABC):
    """Takes results. Writing the same results again changes nothing (ids, not appends).

    A runner calls every method from one thread at a time. Back-pressure is `SinkUnavailableError`: the runner
    waits for ``retry_after`` and gives the same results again, and takes no more readings meanwhile.
    """

    def setup(self) -> None:  # noqa: B027 - not every sink has something to prepare
        """Create what is missing on the other side. Raises `SinkUnavailableError`."""

    @abstractmethod
    def write(self, results: Results) -> None:
        """Return when ``results`` are durable. Raises `SinkUnavailableError`, never loses anything."""

    def drain_refused(self) -> list[Refused]:
        """What was refused for good since the last call; the runner keeps it as rejected input."""
        return []

    def write_stats(self, stats: WorkerStats) -> None:  # noqa: B027 - not every sink keeps them
        """Keep what a worker says of itself. Raises `SinkUnavailableError`; it is not tried again."""

    def close(self) -> None:  # noqa: B027
        """Let go of connections."""

    def __enter__(self) -> Self:
        self.setup()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
