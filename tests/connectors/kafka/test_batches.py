"""Batches as bytes: every codec comes back, nothing unfolds without a bound, nothing broken raises."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kafka import batches
from connectors.kafka.batches import (
    BATCH_BYTES,
    BoundedRecords,
    ControlMark,
    RawBatches,
    UndecodableBatch,
    UndecodableBatchError,
    unfold,
)

TP = TopicPartition("frames", 2)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def batch(codec: int, values: list[bytes], base: int = 0) -> bytes:
    """A batch as a producer makes it, as the broker stores it at offset ``base``."""
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 30)
    for n, value in enumerate(values):
        builder.append(n, 1_000 + n, b"key", value, [])
    return struct.pack(">q", base) + bytes(builder.build())[8:]


def read(data: bytes, start: int = 0) -> tuple[list[Any], BoundedRecords]:
    """What the consumer gets of one fetch."""
    records = BoundedRecords(TP, RawBatches(data), None, start, None, None, True, 0)
    return list(records), records


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_codec_comes_back(codec: int) -> None:
    data = batch(codec, [b"a" * 100, b"b"]) + batch(codec, [b"c"], base=2)
    records, done = read(data + data[:30])  # the last one is cut off by the fetch
    assert [(r.offset, r.key, r.value) for r in records] == [
        (0, b"key", b"a" * 100),
        (1, b"key", b"b"),
        (2, b"key", b"c"),
    ]
    assert done.next_fetch_offset == 3
    records, _ = read(data, start=1)
    assert [r.offset for r in records] == [1, 2]


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_a_bomb_is_one_record_and_the_next_batch_is_read(codec: int) -> None:
    bomb = batch(codec, [b" " * (1 << 20)] * 40)
    records, done = read(bomb + batch(0, [b"good"], base=40))
    assert [type(r) for r in records] == [UndecodableBatch, type(records[1])]
    assert records[0].value == bomb
    assert f"more than {BATCH_BYTES} bytes" in records[0].key.decode()
    assert "offsets 0 to 39" in records[0].key.decode()
    assert (records[0].offset, records[1].offset, records[1].value) == (39, 40, b"good")
    assert done.next_fetch_offset == 41


def test_much_that_unfolds_comes_in_several_fetches() -> None:
    data = b"".join(batch(1, [b" " * (1 << 20)] * 7, base=7 * n) for n in range(4))
    taken, start = [], 0
    while start < 28:
        records, done = read(data[0:] if start == 0 else _from(data, start), start)
        assert sum(len(r.value) for r in records) <= batches.FETCH_BYTES + BATCH_BYTES
        assert len(records) < 28
        taken += [r.offset for r in records]
        start = done.next_fetch_offset
    assert taken == list(range(28))


def _from(data: bytes, start: int) -> bytes:
    """What the broker would send from ``start`` on."""
    while struct.unpack_from(">q", data)[0] < start:
        data = data[12 + struct.unpack_from(">i", data, 8)[0] :]
    return data


def test_a_wrong_checksum_is_fetched_again_before_it_is_believed() -> None:
    damaged = bytearray(batch(3, [b"x" * 50]))
    damaged[-1] ^= 1
    data = bytes(damaged) + batch(0, [b"good"], base=1)
    for _ in range(batches.TRIES - 1):
        assert read(data)[0] == []
    records, _ = read(data)
    assert isinstance(records[0], UndecodableBatch)
    assert b"checksum" in records[0].key
    assert records[1].value == b"good"


def test_the_mark_of_a_transaction_has_an_offset_of_its_own() -> None:
    mark = bytearray(batch(0, [b"\x00\x00\x00\x00\x00\x00"], base=5))
    struct.pack_into(">h", mark, 21, 0x30)
    struct.pack_into(">I", mark, 17, _crc32c(bytes(mark[21:])))
    records, done = read(bytes(mark) + batch(0, [b"good"], base=6), start=5)
    assert [type(records[0]), records[0].offset] == [ControlMark, 5]
    assert records[1].offset == 6
    assert done.next_fetch_offset == 7


def _crc32c(data: bytes) -> int:
    from aiokafka.record.util import calc_crc32c

    return int(calc_crc32c(data))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(CODECS.values())),
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.booleans(),
)
def test_damage_anywhere_never_raises_and_never_stops(
    codec: int, where: int, what: int, signed: bool
) -> None:
    data = bytearray(batch(codec, [b"value %d" % n for n in range(20)]))
    where = 17 + where % (len(data) - 17)  # not the length itself: that is the fetch's own frame
    data[where] = what
    if signed:  # whoever damaged it made a fitting checksum
        struct.pack_into(">I", data, 17, _crc32c(bytes(data[21:])))
    batches.BoundedRecords._damaged.clear()
    for _ in range(batches.TRIES):
        records, done = read(bytes(data))
        if records:
            break
    assert done.next_fetch_offset > 0


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([1, 2, 3, 4]), st.binary(max_size=300))
def test_any_bytes_unfold_within_the_bound_or_raise(codec: int, data: bytes) -> None:
    with contextlib.suppress(Exception):
        plain = unfold(codec, data, 1000)
        if len(plain) > 1000:
            raise SystemExit(f"{len(plain)} bytes")


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(UndecodableBatchError, match="codec 7"):
        unfold(7, b"", 10)
