"""What goes to the topic of readings: items of a source as records, keyed by machine."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from connectors.base.contract import Item
from connectors.kafka.outgoing import Record, rejected_records
from connectors.kafka.settings import KafkaSettings
from pipeline.records import Frame, Message, Rejection
from pipeline.wire.readings import encode_frame


class _Named(msgspec.Struct):
    machine: str


_machine_of = msgspec.json.Decoder(_Named).decode


def item_records(item: Item, settings: KafkaSettings, readings: int) -> Iterator[tuple[Record, str, int]]:
    """The records of one item, each with its machine and how many readings it holds.

    Frames are cut into messages of at most ``readings`` readings.
    """
    if isinstance(item, Rejection):
        for record in rejected_records([item], settings.rejected):
            yield record, item.machine or "", 0
    elif isinstance(item, Message):
        key = item.key or key_of(item.value)
        yield Record(settings.frames, key or b"", item.value), (key or b"").decode("utf-8", "replace"), 1
    else:
        key = item.machine.encode()
        for part in cut(item, readings):
            yield Record(settings.frames, key, encode_frame(part)), item.machine, len(part)


def cut(frame: Frame, most: int) -> Iterator[Frame]:
    """The frame in pieces of at most ``most`` readings."""
    if len(frame) <= most:
        yield frame
        return
    for at in range(0, len(frame), most):
        yield frame.rows(slice(at, at + most))


def key_of(value: bytes) -> bytes | None:
    """The machine that a message names; None when it names none: the worker says what is wrong with it."""
    try:
        return _machine_of(value).machine.encode() or None
    except (msgspec.DecodeError, UnicodeError):
        return None
