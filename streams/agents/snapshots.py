"""Machine snapshots in a compacted topic: partition for partition beside the frames.

A machine has two keys, written by turns, so that compaction keeps the snapshot before the newest. The offset
that a snapshot stands for is in a header too: the newest is the one with the highest offset, whatever order a
worker that lost its partitions may have written in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.batches import install
from connectors.kafka.security import async_options
from connectors.kafka.settings import KafkaSettings

_OFFSET, _TOPIC, _PARTITIONS = "offset", "topic-id", "partitions"
SLOTS = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """One snapshot as the topic holds it; ``offset`` is that of the last message in the state.

    ``topic`` is the id of the topic that the offset is of ("" = an older Yeji wrote it): a topic that was
    made again has another one, and its offsets begin again. ``partitions``: how many it had (0 = not known).
    """

    machine: str
    slot: int
    offset: int
    data: bytes
    topic: str = ""
    partitions: int = 0


def snapshot_key(machine: str, slot: int) -> bytes:
    """The key; `#` is in no machine's name.

    >>> parse_key(snapshot_key("a/b/c/d/e", 1))
    ('a/b/c/d/e', 1)
    """
    return f"{machine}#{slot % SLOTS}".encode()


def parse_key(key: bytes) -> tuple[str, int]:
    """The machine and the slot. Raises ValueError."""
    machine, slot = key.decode().rsplit("#", 1)
    return machine, int(slot)


def snapshot_headers(offset: int, topic: str = "", partitions: int = 0) -> list[tuple[str, bytes]]:
    """The headers of a snapshot that stands for ``offset`` of the topic with this id and partitions."""
    headers = [(_OFFSET, b"%d" % offset)]
    return [*headers, (_TOPIC, topic.encode()), (_PARTITIONS, b"%d" % partitions)] if topic else headers


def latest(known: list[Stored], one: Stored, topic: str = "") -> list[Stored]:
    """The best two, newest first, when ``one`` comes after ``known`` in the topic.

    A snapshot takes the place of the one in its slot, unless it stands for less. One of the topic that is
    there now (``topic`` is its id) stands for more than one of a topic that is gone.

    >>> found = []
    >>> for slot, offset in ((0, 5), (1, 9), (0, 12), (1, 7)):
    ...     found = latest(found, Stored("m", slot, offset, b""))
    >>> [s.offset for s in found]
    [12, 9]
    """

    def rank(stored: Stored) -> tuple[bool, int]:
        return stored.topic in (topic, ""), stored.offset

    kept = [other for other in known if other.slot != one.slot or rank(other) > rank(one)]
    return sorted([one, *kept], key=rank, reverse=True)[:SLOTS]


async def read_snapshots(
    settings: KafkaSettings, partition: int, topic: str = ""
) -> Mapping[str, list[Stored]]:
    """Every machine's snapshots of one partition, newest first, read to the partition's end.

    ``topic`` is the id of the topic of frames. A machine that was retired has none.
    """
    install()
    tp = TopicPartition(settings.snapshots, partition)
    consumer = AIOKafkaConsumer(
        **async_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
        fetch_max_bytes=32 << 20,
    )
    found: dict[str, list[Stored]] = {}
    await consumer.start()
    try:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, []):
                stored = _stored(record.key, record.value, record.headers)
                if stored is not None:
                    found[stored.machine] = latest(found.get(stored.machine, []), stored, topic)
                elif record.value is None:
                    _delete(found, record.key)
            await asyncio.sleep(0)
    finally:
        await consumer.stop()
    return found


def _stored(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> Stored | None:
    """None for what is no snapshot of ours, and for deletions."""
    if key is None or value is None:
        return None
    try:
        machine, slot = parse_key(key)
        known = dict(headers)
        topic, partitions = known.get(_TOPIC, b"").decode(), int(known.get(_PARTITIONS, b"0"))
        return Stored(machine, slot, int(known[_OFFSET]), value, topic, partitions)
    except (ValueError, KeyError):
        return None


def _delete(found: dict[str, list[Stored]], key: bytes | None) -> None:
    """A machine's snapshot of one slot was deleted: compaction may not have come to it yet."""
    try:
        machine, slot = parse_key(key or b"")
    except ValueError:
        return
    kept = [stored for stored in found.get(machine, []) if stored.slot != slot]
    if kept:
        found[machine] = kept
    else:
        found.pop(machine, None)
