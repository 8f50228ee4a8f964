"""Which partition a key goes to, by the partitioners that producers use."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from kafka.partitioner import murmur2

Partitioner = Callable[[bytes, int], int]


def java(key: bytes, partitions: int) -> int:
    """The Java client's, kafka-python's and aiokafka's own (murmur2).

    >>> java(b"a/b/c/d/e", 8)
    0
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def librdkafka(key: bytes, partitions: int) -> int:
    """librdkafka's own, and so that of confluent-kafka, kcat, .NET and Go (CRC-32).

    >>> librdkafka(b"a/b/c/d/e", 8)
    7
    """
    return zlib.crc32(key) % partitions


PARTITIONERS: tuple[Partitioner, ...] = (java, librdkafka)


def partition_after(key: bytes, partition: int, before: int, now: int) -> int:
    """Where a key's messages go ``now``, which went to ``partition`` of ``before``, by the same partitioner.

    A partition that no known partitioner chooses was named by the producer itself, and stays.

    >>> key = b"a/b/c/d/e"
    >>> partition_after(key, java(key, 3), 3, 12) == java(key, 12)
    True
    """
    for partitioner in PARTITIONERS:
        if partitioner(key, before) == partition:
            return partitioner(key, now)
    return partition
