"""Rejected messages in a file, one a line as JSON, to be looked at, mended by hand and taken again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from connectors.kafka.rejected import Rejected, read_rejected
from connectors.kafka.settings import KafkaSettings
from streams.operator_error import OperatorError
from streams.rejected.choice import Choice, overview


def originals(settings: KafkaSettings, messages: Mapping[str, Rejected]) -> Iterator[Rejected]:
    """Each of ``messages`` once, with its bytes, in the order in which they came: by time, then by place.

    The topic of rejected input spreads one machine's messages over its partitions, and what is out of order
    would be late data. Bytes wait in a temporary file meanwhile.
    """
    left = dict(messages)
    since = min((one.at for one in messages.values()), default=0) - 60_000
    with TemporaryFile() as file:
        kept: list[tuple[Rejected, int, int]] = []
        for one in read_rejected(settings, max(since, 0)) if messages else ():
            if (
                isinstance(one, Rejected)
                and one.value is not None
                and left.pop(one.message, None) is not None
            ):
                kept.append((replace(one, value=None), file.tell(), len(one.value)))
                file.write(one.value)
        kept.sort(key=lambda item: (item[0].received, item[0].topic, item[0].partition, item[0].offset))
        for one, at, size in kept:
            file.seek(at)
            yield replace(one, value=file.read(size))


def chosen(settings: KafkaSettings, choice: Choice) -> dict[str, Rejected]:
    """The first rejection of each message that is meant."""
    found: dict[str, Rejected] = {}
    for one in overview(settings, choice).newest:
        found.setdefault(one.message, one)
    return found


def export(settings: KafkaSettings, choice: Choice, to: Path) -> int:
    """Write the messages that are meant; returns how many. Raises `OperatorError`, `KafkaError`."""
    messages = chosen(settings, choice)
    count = 0
    try:
        with to.open("x", encoding="utf-8") as file:
            for original in originals(settings, messages):
                file.write(json.dumps(_line(original, messages[original.message]), ensure_ascii=False) + "\n")
                count += 1
    except FileExistsError as error:
        raise OperatorError(f"{to} is there already. Name another file, or remove it.") from error
    except OSError as error:
        raise OperatorError(f"{to} cannot be written: {error.strerror}. Name another file.") from error
    return count


def read(path: Path) -> dict[str, bytes]:
    """The bytes of each message in a file of `export`, as they are there now. Raises `OperatorError`."""
    found: dict[str, bytes] = {}
    number = 0
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            number += 1
            if text.strip():
                line = json.loads(text)
                encoded = line.get("original_base64")
                value = line["original"].encode() if encoded is None else base64.b64decode(encoded)
                found[line["message"]] = value
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise OperatorError(
            f"{path}, line {number}: {type(error).__name__}: {error}. A line is a JSON object with `message` "
            "and `original`, as `yeji rejected export` writes it."
        ) from error
    return found


def _line(one: Rejected, reason: Rejected) -> dict[str, Any]:
    assert one.value is not None  # noqa: S101 - only those that have their bytes are written
    line: dict[str, Any] = {
        "message": one.message,
        "reason": reason.reason,
        "detail": reason.detail,
        "machine": reason.machine,
        "sensor": reason.sensor,
        "topic": one.topic,
        "received": one.received,
    }
    if one.size is not None:
        line["truncated_from"] = one.size
    try:
        return line | {"original": one.value.decode()}
    except UnicodeDecodeError:
        return line | {"original_base64": base64.b64encode(one.value).decode()}
