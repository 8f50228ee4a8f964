"""Kafka's record batches, decoded within bounds: what cannot be decoded becomes a record that says so.

aiokafka decodes a batch without a bound, and an error in it ends whoever reads the partition, now and after
each restart. Here a batch may unfold to `BATCH_BYTES` at most; a worse one, or one whose codec, checksum or
records are broken, comes as one `UndecodableBatch` in its place, with the bytes as they lie in the topic.
A transaction's marker comes as a `ControlMark`, so that offsets have no gaps.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
import cramjam
import lz4.frame
import zstandard
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

#: This many bytes may one batch unfold to. A topic of frames takes messages of 16 MB.
BATCH_BYTES = 32 << 20
#: After so many bytes of one partition the rest of a fetch is fetched again, when there is room.
FETCH_BYTES = 8 << 20
#: How often a batch with a wrong checksum is fetched again: a network may have damaged it.
TRIES = 3

_LENGTH, _OVERHEAD, _MAGIC = 8, 12, 16
_ATTRIBUTES, _HEADER = 21, 61
_CODECS = 0x07
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_XERIAL = b"\x82SNAPPY\x00"


class UndecodableBatchError(Exception):
    """Why a batch cannot be decoded."""


class UndecodableBatch(ConsumerRecord):  # type: ignore[misc]
    """Stands for a batch that cannot be decoded: ``value`` its bytes, ``key`` why (UTF-8)."""


class ControlMark(ConsumerRecord):  # type: ignore[misc]
    """Stands for the end of a producer's transaction: an offset without a message."""


class RawBatches:
    """What the fetcher takes for aiokafka's `MemoryRecords`: the batches of one fetch, as bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data or b""
        self._at = 0

    def size_in_bytes(self) -> int:
        """How many bytes came, whole batches or not."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether another whole batch is there; the last one of a fetch may be cut off."""
        return self._end() is not None

    def _end(self) -> int | None:
        if len(self._data) - self._at < _HEADER:
            return None
        end: int = self._at + _OVERHEAD + struct.unpack_from(">i", self._data, self._at + _LENGTH)[0]
        return end if self._at + _HEADER <= end <= len(self._data) else None

    def next_raw(self) -> bytes:
        """The next batch. Raises ValueError when there is none."""
        end = self._end()
        if end is None:
            raise ValueError("no whole batch is left")
        start, self._at = self._at, end
        return self._data[start:end]


class BoundedRecords(PartitionRecords):  # type: ignore[misc]
    """The records of one partition's fetch, within bounds; never raises for what is in the topic."""

    next_fetch_offset: int
    _damaged: dict[tuple[TopicPartition, int], int] = {}  # noqa: RUF012 - one for all fetches

    def _unpack_records(self) -> Iterator[ConsumerRecord]:
        handed = 0
        while self._records.has_next() and handed < FETCH_BYTES:
            raw = self._records.next_raw()
            base, after = _offsets(raw)
            try:
                batch = _batch(raw)
                if batch.is_control_batch:
                    if after > self.next_fetch_offset:
                        self.next_fetch_offset = after
                        yield _mark(ControlMark, self._tp, after - 1, batch.max_timestamp, None, None)
                    continue
                records = list(batch)
            except UndecodableBatchError as error:
                if str(error) == _CHECKSUM and self._once_more(base):
                    return
                yield self._undecodable(raw, base, after, str(error))
                continue
            except Exception as error:  # whatever a codec or the parser says of damaged bytes
                yield self._undecodable(raw, base, after, f"{type(error).__name__}: {error}")
                continue
            for record in records:
                if record.offset < self.next_fetch_offset:
                    continue
                self.next_fetch_offset = record.offset + 1
                handed += len(record.value or b"")
                yield self._consumer_record(self._tp, record)
            self.next_fetch_offset = max(self.next_fetch_offset, after)

    def _once_more(self, base: int) -> bool:
        """Whether a batch with a wrong checksum is to be fetched again."""
        key = (self._tp, base)
        tries = self._damaged[key] = self._damaged.pop(key, 0) + 1
        if tries >= TRIES:
            del self._damaged[key]
        return tries < TRIES

    def _undecodable(self, raw: bytes, base: int, after: int, why: str) -> ConsumerRecord:
        self.next_fetch_offset = max(after, base + 1, self.next_fetch_offset)
        detail = f"batch of {len(raw)} bytes, offsets {base} to {max(after - 1, base)}: {why}"
        time = struct.unpack_from(">q", raw, 35)[0]
        return _mark(
            UndecodableBatch, self._tp, self.next_fetch_offset - 1, max(time, 0), detail.encode(), raw
        )


def _mark(
    kind: type[ConsumerRecord],
    tp: TopicPartition,
    offset: int,
    time: int,
    key: bytes | None,
    value: bytes | None,
) -> ConsumerRecord:
    return kind(tp.topic, tp.partition, offset, time, 0, key, value, None, -1, len(value or b""), ())


_CHECKSUM = "its checksum does not fit: bytes were lost or changed"


def _offsets(raw: bytes) -> tuple[int, int]:
    """The first offset of a batch, and the one after its last."""
    base, last = struct.unpack_from(">q", raw)[0], struct.unpack_from(">i", raw, 23)[0]
    return base, base + last + 1


def _batch(raw: bytes) -> Any:
    """The batch, its records not compressed any more."""
    if raw[_MAGIC] < 2:  # of a broker before Kafka 0.11: bounded by that broker's own limit alone
        return MemoryRecords(raw).next_batch()
    batch = DefaultRecordBatch(raw)
    if not batch.validate_crc():
        raise UndecodableBatchError(_CHECKSUM)
    attributes = struct.unpack_from(">h", raw, _ATTRIBUTES)[0]
    codec = attributes & _CODECS
    if not codec:
        return batch
    header = bytearray(raw[:_HEADER])
    struct.pack_into(">h", header, _ATTRIBUTES, attributes & ~_CODECS)
    return DefaultRecordBatch(bytes(header) + unfold(codec, raw[_HEADER:], BATCH_BYTES))


def unfold(codec: int, data: bytes, most: int) -> bytes:
    """``data`` decompressed (``codec`` by Kafka's number), ``most`` bytes at most.

    Raises `UndecodableBatchError` when there would be more, and whatever the codec's library raises.
    """
    if codec == _GZIP:
        inflate = zlib.decompressobj(31)
        plain = inflate.decompress(data, most + 1)
        if not inflate.eof and len(plain) <= most:
            raise UndecodableBatchError("its gzip stream is cut off")
    elif codec == _LZ4:
        frame = lz4.frame.LZ4FrameDecompressor()
        plain = frame.decompress(data, max_length=most + 1)
        if not frame.eof and len(plain) <= most:
            raise UndecodableBatchError("its lz4 frame is cut off")
    elif codec == _ZSTD:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            plain = reader.read(most + 1)
    elif codec == _SNAPPY:
        plain = _snappy(data, most)
    else:
        raise UndecodableBatchError(f"codec {codec} is not known")
    if len(plain) > most:
        raise UndecodableBatchError(f"it would unfold to more than {most} bytes")
    return plain


def _snappy(data: bytes, most: int) -> bytes:
    blocks = [data]
    if data.startswith(_XERIAL):
        blocks, at = [], 16
        while at < len(data):
            size = struct.unpack_from(">i", data, at)[0]
            if size < 0:
                raise UndecodableBatchError("a snappy block claims a negative length")
            blocks.append(data[at + 4 : at + 4 + size])
            at += 4 + size
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > most:
        raise UndecodableBatchError(f"it would unfold to more than {most} bytes")
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def install() -> None:
    """Let every aiokafka consumer of this process read batches in this way."""
    fetcher: Any = aiokafka.consumer.fetcher
    fetcher.MemoryRecords, fetcher.PartitionRecords = RawBatches, BoundedRecords
