"""The spool: a bounded queue of records on disk, in order, of which nothing synced is lost in a power cut.

Records lie in numbered segment files that are only appended to; a small file holds the number up to which
they were delivered. After a power cut what follows the last whole record of a file is no record (its
checksum does not fit), and appending goes on in a new file.
"""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from connectors.spool.disk import AppendFile, Disk
from connectors.spool.segment import SpoolRecord, encode, records

#: A segment is deleted whole: the smaller they are, the less is dropped at once when the spool is full.
SEGMENT_BYTES = 4 << 20
_DELIVERED = "delivered"
_SUFFIX = ".spool"


@dataclass(slots=True)
class _Segment:
    """One file: records ``first`` .. ``last`` (inclusive) and how many readings of whom it holds."""

    name: str
    first: int
    last: int
    size: int = 0
    labels: Counter[str] = field(default_factory=Counter)


class Spool:
    """Records on ``disk``, at most about ``max_bytes`` of them. Safe to use from several threads.

    One appends and syncs, another reads and says what was delivered. All methods raise OSError when the
    disk does; what was appended since the last `sync` that returned is then to be appended again.
    """

    def __init__(
        self,
        disk: Disk,
        max_bytes: int,
        keep: Literal["newest", "oldest"] = "newest",
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._disk, self.max_bytes, self.keep = disk, max_bytes, keep
        # Ten or more, so that dropping the oldest leaves nine tenths.
        self._segment_bytes = max(1, min(segment_bytes, max_bytes // 10))
        self._lock = threading.RLock()
        self._segments: list[_Segment] = []
        self._file: AppendFile | None = None
        self._read: tuple[str, int] = ("", 0)  # where reading goes on: a segment and a byte in it
        #: readings that were dropped because the spool was full, by label, until `drain_dropped`
        self._dropped: Counter[str] = Counter()
        self.dropped_readings = self.damaged_bytes = 0
        self._delivered = self._stored_delivered()
        self._open()

    # -- opening

    def _stored_delivered(self) -> int:
        if _DELIVERED not in self._disk.names():
            return 0
        text, _, checksum = self._disk.read(_DELIVERED).partition(b" ")
        if checksum != b"%d" % zlib.crc32(text):
            return 0  # everything that is there is delivered again: twice does no harm
        return int(text)

    def _open(self) -> None:
        for name in sorted(name for name in self._disk.names() if name.endswith(_SUFFIX)):
            data = self._disk.read(name)
            segment = _scan(name, data)
            self.damaged_bytes += len(data) - (0 if segment is None else segment.size)
            if segment is None or segment.last <= self._delivered:
                self._disk.remove(name)
            else:
                self._segments.append(segment)
        last = self._segments[-1].last if self._segments else 0
        self._next = max(last, self._delivered) + 1
        self._rewind()

    # -- what there is

    @property
    def size(self) -> int:
        """Bytes that are held."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    @property
    def empty(self) -> bool:
        """Whether everything was delivered."""
        with self._lock:
            return not self._segments or self._segments[-1].last <= self._delivered

    @property
    def waiting(self) -> int:
        """How many records are to be delivered."""
        with self._lock:
            return sum(max(0, s.last - max(s.first - 1, self._delivered)) for s in self._segments)

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit without dropping anything."""
        return self.size + size <= self.max_bytes

    def drain_dropped(self) -> Counter[str]:
        """Readings that were dropped since the last call, by label."""
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
            return dropped

    # -- appending

    def append(self, data: bytes, label: str = "", readings: int = 0) -> bool:
        """Add one record at the end; False when it was dropped, as the spool is full of older ones.

        It is safe when `sync` has returned.
        """
        with self._lock:
            record = SpoolRecord(self._next, label, readings, data)
            if self.size + record.size > self.max_bytes and not self._make_room(record):
                self.drop(label, readings)
                return False
            file = self._file
            if file is None or self._segments[-1].size >= self._segment_bytes:
                self._seal()
                file = self._begin(record.number)
            segment = self._segments[-1]
            try:
                file.write(encode(record))
            except OSError:
                self._abandon(file)
                raise
            segment.last = record.number
            segment.size += record.size
            segment.labels[label] += readings
            self._next += 1
            return True

    def drop(self, label: str, readings: int) -> None:
        """Count readings that are not held."""
        with self._lock:
            self._dropped[label] += readings
            self.dropped_readings += readings

    def sync(self) -> None:
        """Return when everything that was appended is on the disk."""
        with self._lock:
            if self._file is not None:
                try:
                    self._file.sync()
                except OSError:
                    self._abandon(self._file)
                    raise

    def _begin(self, number: int) -> AppendFile:
        name = f"{number:020d}{_SUFFIX}"
        file = self._disk.create(name)
        self._disk.sync_names()
        self._segments.append(_Segment(name, number, number - 1))
        self._file = file
        return file

    def _seal(self) -> None:
        if self._file is not None:
            self._file.sync()
            self._file.close()
            self._file = None

    def _abandon(self, file: AppendFile) -> None:
        """After an error of the disk: keep what can still be read of the file, and go on in another."""
        file.close()
        self._file = None
        broken = self._segments.pop()
        whole = _scan(broken.name, self._disk.read(broken.name))
        if whole is not None:
            self._segments.append(whole)

    def _make_room(self, record: SpoolRecord) -> bool:
        if self.keep == "oldest" or record.size > self.max_bytes:
            return False
        while self._segments and self.size + record.size > self.max_bytes:
            if len(self._segments) == 1:
                self._seal()
            oldest = self._segments.pop(0)
            # Of a segment that was delivered in part the dropped readings are not known by label exactly;
            # its undelivered records are read once more for it.
            for undelivered in self._undelivered(oldest):
                self.drop(undelivered.label, undelivered.readings)
            self._delivered = max(self._delivered, oldest.last)
            self._disk.remove(oldest.name)
        return True

    def _undelivered(self, segment: _Segment) -> Iterable[SpoolRecord]:
        if segment.first > self._delivered:
            return [SpoolRecord(0, label, readings, b"") for label, readings in segment.labels.items()]
        found = records(self._disk.read(segment.name))
        return [record for record, _ in found if record.number > self._delivered]

    # -- delivering

    def read(self, most_bytes: int) -> list[SpoolRecord]:
        """The next records in order, about ``most_bytes`` of them; none = all were read.

        What was read and is not said to be `delivered` is read again after `rewind` or a restart.
        """
        with self._lock:
            taken: list[SpoolRecord] = []
            size = 0
            while size < most_bytes:
                segment = next((s for s in self._segments if s.name >= self._read[0]), None)
                if segment is None:
                    break
                at = self._read[1] if segment.name == self._read[0] else 0
                end = 0
                for record, end in records(self._disk.read(segment.name, at)):  # noqa: B007 - read below
                    if record.number > self._delivered:
                        taken.append(record)
                        size += record.size
                    if size >= most_bytes:
                        break
                if end:
                    self._read = (segment.name, at + end)
                elif segment is self._segments[-1]:
                    break
                else:
                    self._read = (f"{segment.name}+", 0)  # the next name after it
            return taken

    def delivered(self, number: int) -> None:
        """Everything up to ``number`` was delivered; whole segments of it are removed."""
        with self._lock:
            if number <= self._delivered:
                return
            self._delivered = number
            self._disk.replace(_DELIVERED, b"%d %d" % (number, zlib.crc32(b"%d" % number)))
            while self._segments and self._segments[0].last <= number:
                if len(self._segments) == 1:
                    if self._segments[0].last < self._segments[0].first:
                        break  # just begun
                    self._seal()
                self._disk.remove(self._segments.pop(0).name)

    def rewind(self) -> None:
        """Read again from the first record that was not delivered."""
        with self._lock:
            self._rewind()

    def _rewind(self) -> None:
        self._read = ("", 0)

    def close(self) -> None:
        """Sync and close."""
        with self._lock:
            self._seal()


def _scan(name: str, data: bytes) -> _Segment | None:
    """What a file holds up to the first record that is not whole; None when that is nothing."""
    segment = None
    for record, end in records(data):
        segment = segment or _Segment(name, record.number, record.number)
        segment.last, segment.size = record.number, end
        segment.labels[record.label] += record.readings
    return segment
