"""JSON lines: a message a line, from standard input or any other stream of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from connectors.base.clock import now_ms
from connectors.base.contract import Source
from connectors.mapping.mapping import Mapping
from pipeline.records import Frame, Message, Reason, Rejection

#: What every message of the wire format has in it.
_OWN = (b'"machine"', b'"sensors"')
#: Longer lines are not read into memory: their beginning is rejected, their rest skipped.
MAX_LINE = 16 << 20


class JsonLinesSource(Source):
    """Each line of ``stream`` as a `Message`, received now; others as ``mapping`` reads them.

    Empty lines are skipped. Without a ``mapping`` what is not our own wire format is read where its meaning
    is plain (docs/mapping.md).

    ``name`` stands as the topic of what is rejected, its line number as the offset of a line that is too
    long. The messages have no offset: a stream begins again with each process.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str = "stdin",
        *,
        max_line: int = MAX_LINE,
        clock: Callable[[], int] = now_ms,
        mapping: Mapping | None = None,
    ) -> None:
        self._given, self._mapping = mapping is not None, mapping or Mapping(source=name)
        self._stream, self.name, self._max_line, self._clock = stream, name, max_line, clock
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Message | Frame | Rejection]:
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
                yield from self._read(line)

    def _read(self, line: bytes) -> Iterator[Message | Frame | Rejection]:
        now = self._clock()
        if not self._given and all(name in line for name in _OWN):
            yield Message(line, now, topic=self.name)
            return
        mapped = self._mapping.apply(line, None, now)
        refused = {rejection.reason for rejection in mapped.rejections}
        if not (self._given or mapped.frames) and refused != {Reason.MACHINE_MISSING}:
            yield Message(line, now, topic=self.name)  # the decoder says what is wrong with it
            return
        yield from mapped.frames
        yield from mapped.rejections

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
