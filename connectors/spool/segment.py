"""How records lie in a file of the spool: a head with length and checksum, then the bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

#: Length of the label, length of the data, readings, number, checksum of all that and of what follows.
_HEAD = struct.Struct("<HIIQI")
_UNCHECKED = struct.Struct("<HIIQ")
HEAD_BYTES = _HEAD.size


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """One record: ``data`` as it was appended, under a running ``number``.

    ``label`` says whose it is (the machine) and ``readings`` how many, for the count of what is dropped.
    """

    number: int
    label: str
    readings: int
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes on disk."""
        return HEAD_BYTES + len(self.label.encode()) + len(self.data)


def encode(record: SpoolRecord) -> bytes:
    """A record as it lies in a file.

    >>> next(records(encode(SpoolRecord(7, "m", 2, b"abc"))))
    (SpoolRecord(number=7, label='m', readings=2, data=b'abc'), 26)
    """
    label = record.label.encode()
    head = (len(label), len(record.data), record.readings, record.number)
    body = label + record.data
    return _HEAD.pack(*head, zlib.crc32(body, zlib.crc32(_UNCHECKED.pack(*head)))) + body


def records(data: bytes) -> Iterator[tuple[SpoolRecord, int]]:
    """The records of a file, each with where it ends; ends before the first that is not whole."""
    at = 0
    while at + HEAD_BYTES <= len(data):
        label_size, size, readings, number, checksum = _HEAD.unpack_from(data, at)
        begin = at + HEAD_BYTES
        end = begin + label_size + size
        if end > len(data):
            return
        body = data[begin:end]
        if zlib.crc32(body, zlib.crc32(data[at : at + _UNCHECKED.size])) != checksum:
            return
        yield SpoolRecord(number, body[:label_size].decode(), readings, body[label_size:]), end
        at = end
