"""JSON lines: a message a line, from standard input or any other stream of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from connectors.base.contract import Source
from connectors.simulator.source import now_ms
from pipeline.records import Message, Reason, Rejection

#: Longer lines are not read into memory: their beginning is rejected, their rest skipped.
MAX_LINE = 16 << 20


class JsonLinesSource(Source):
    """Each line of ``stream`` as a `Message`, received now. Empty lines are skipped.

    ``name`` stands as the topic of what is rejected, its line number as the offset of a line that is too
    long. The messages have no offset: a stream begins anew with each process.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str = "stdin",
        *,
        max_line: int = MAX_LINE,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._stream, self.name, self._max_line, self._clock = stream, name, max_line, clock
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Message | Rejection]:
        number = 0
        while not self._closed.is_set():
            line = self._stream.readline(self._max_line + 1)
            if not line:
                return
            number += 1
            if len(line) > self._max_line and not line.endswith(b"\n"):
                length = len(line) + self._skip_line()
                yield Rejection(
                    Reason.TOO_LARGE,
                    f"{self.name}:{number}: a line of {length} bytes; at most {self._max_line} are read. "
                    "Write one JSON object a line.",
                    line[: self._max_line],
                    self._clock(),
                    topic=self.name,
                )
                continue
            line = line.strip()
            if line:
                yield Message(line, self._clock(), topic=self.name)

    def _skip_line(self) -> int:
        skipped = 0
        while part := self._stream.readline(1 << 20):
            skipped += len(part)
            if part.endswith(b"\n"):
                break
        return skipped

    def close(self) -> None:
        """End after the line that is being read."""
        self._closed.set()
