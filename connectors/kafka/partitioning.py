"""Which partition a key goes to, by the partitioners that producers use."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from kafka.partitioner import murmur2

from pipeline.machine import DEFAULT_LEVELS, display_name

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


def destinations(
    placed: Mapping[str, int], before: int, now: int, levels: Sequence[str] = DEFAULT_LEVELS
) -> dict[str, int]:
    """Where the messages of machines go ``now``, which went to the partitions ``placed`` of ``before``.

    A message's key is the machine's id or its source's name for it, and one hash of it chooses a partition
    out of few by chance as well. Of the names and partitioners that explain a machine's partition, that one
    is taken which explains most of the machines. A partition that none explains was named by the producer
    itself, and stays. ``levels`` are those in front of a name that has fewer than five.

    >>> names = [f"a/b/c/d/press-{n}" for n in range(20)]
    >>> placed = {name: librdkafka(name.encode(), 3) for name in names}
    >>> destinations(placed, 3, 12) == {name: librdkafka(name.encode(), 12) for name in names}
    True
    """
    explained = {
        machine: [
            (form, partitioner)
            for form, key in _keys(machine, levels).items()
            for partitioner in PARTITIONERS
            if partitioner(key, before) == partition
        ]
        for machine, partition in placed.items()
    }
    votes = Counter(way for ways in explained.values() for way in ways)
    found = {}
    for machine, ways in explained.items():
        found[machine] = placed[machine]
        if ways:
            form, partitioner = max(ways, key=votes.__getitem__)
            found[machine] = partitioner(_keys(machine, levels)[form], now)
    return found


def _keys(machine: str, levels: Sequence[str]) -> dict[str, bytes]:
    """What may be the key of a machine's messages: its id, as it is or as its plant writes it, its name."""
    keys = {"id": machine.encode(), "written": display_name(machine).encode()}
    *front, own = machine.split("/")
    if front == [*levels]:
        keys["own"] = display_name(own).encode()
    return keys
