"""What the topics are like now: their ids, how many partitions, and what the group's offsets stand for.

Kafka keeps a text beside each committed offset: of which topic it is, and how many machines had models. It
tells what snapshots cannot when they are gone.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import TopicShape, topic_shapes

log = structlog.get_logger()

#: What was asked so lately is not asked again (s).
FRESH = 2.0


class Note(msgspec.Struct, frozen=True):
    """Beside one partition's offset: the topic's id, and the machines of the partition at that time."""

    topic: str = ""
    machines: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode


def encode_note(note: Note) -> str:
    """The text of a note.

    >>> decode_note(encode_note(Note("x", 3)))
    Note(topic='x', machines=3)
    """
    return _encode(note).decode()


def decode_note(text: str | None) -> Note:
    """The inverse; what another program wrote there is an empty note.

    >>> decode_note("anything")
    Note(topic='', machines=0)
    """
    try:
        return _decode((text or "").encode())
    except msgspec.DecodeError:
        return Note()


def group_notes(settings: KafkaSettings) -> dict[tuple[str, int], Note]:
    """The notes of the group of ``settings`` by (topic, partition); none when nobody could be asked."""
    try:
        admin: Any = KafkaAdminClient(**client_options(settings), client_id="yeji-group")
    except (ClientError, OSError, ValueError):
        return {}
    try:
        found = admin.list_group_offsets(settings.group)[settings.group]
    except (ClientError, OSError, KeyError):
        return {}
    finally:
        admin.close()
    return {(tp.topic, tp.partition): decode_note(one.metadata) for tp, one in found.items()}


class Topology:
    """Asks the brokers, on a thread, when a partition is taken over or offsets go backwards."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._shapes: dict[str, TopicShape] = {}
        self._notes: dict[tuple[str, int], Note] = {}
        self._asked = -FRESH

    async def refresh(self) -> None:
        """Ask, unless that was done a moment ago. Brokers that do not answer leave all as it was."""
        if time.monotonic() - self._asked < FRESH:
            return
        names = [self._settings.frames, self._settings.feedback]
        try:
            self._shapes = await asyncio.to_thread(topic_shapes, self._settings, names)
            self._notes = await asyncio.to_thread(group_notes, self._settings)
        except KafkaError as error:
            log.warning("The brokers do not say what the topics are like.", error=str(error))
        self._asked = time.monotonic()

    @property
    def frames(self) -> TopicShape | None:
        """The topic of frames; None when that is not known."""
        return self._shapes.get(self._settings.frames)

    def id_of(self, topic: str) -> str:
        """The id of a topic; "" when it is not known."""
        shape = self._shapes.get(topic)
        return "" if shape is None else shape.id

    def note(self, topic: str, partition: int) -> Note:
        """What stands beside a partition's committed offset."""
        return self._notes.get((topic, partition), Note())

    def gone(self, topic: str, partition: int) -> bool:
        """Whether a partition's committed offset is of a topic that was deleted."""
        before, now = self.note(topic, partition).topic, self.id_of(topic)
        return bool(before and now and before != now)
