"""The workers' snapshots, read from Kafka, kept in a file, and written back (docs/operations.md)."""

from __future__ import annotations

import asyncio
import json
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError
from connectors.kafka.partitioning import destinations
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import FRAME_BYTES, topic_shapes
from pipeline.machine import DEFAULT_LEVELS
from pipeline.snapshots.snapshot import Snapshot, SnapshotError, unpack
from streams.agents.snapshots import Stored, read_snapshots, snapshot_headers, snapshot_key
from streams.operator_error import OperatorError

_FORMAT = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One machine of an archive. ``partition`` and ``offset`` are where its messages stood."""

    machine: str
    partition: int
    offset: int
    topic: str
    file: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: machines written, and those left out with the reason."""

    written: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def newest(settings: KafkaSettings) -> Iterator[tuple[int, Stored, Snapshot]]:
    """(partition, as it is stored, what is in it) of each machine's newest snapshot that can be read."""
    shape = topic_shapes(settings, [settings.snapshots, settings.frames])
    if settings.snapshots not in shape:
        raise OperatorError(f"There is no topic {settings.snapshots}. Create it with `yeji topics`.")
    frames = shape.get(settings.frames)
    for partition in range(shape[settings.snapshots].partitions):
        found = asyncio.run(read_snapshots(settings, partition, frames.id if frames else ""))
        for choices in found.values():
            for stored in choices:
                try:
                    yield partition, stored, unpack(stored.data)
                except SnapshotError:
                    continue
                break


def export(settings: KafkaSettings, to: Path) -> int:
    """Write an archive; returns how many machines are in it. Raises `OperatorError`."""
    shape = topic_shapes(settings, [settings.frames])
    if to.exists():
        raise OperatorError(f"{to} is there already. Name another file, or remove it.")
    entries: list[Entry] = []
    part = to.with_name(to.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for partition, stored, _ in newest(settings):
                entry = Entry(
                    stored.machine, partition, stored.offset, stored.topic, f"{len(entries):06d}.snapshot"
                )
                archive.writestr(entry.file, stored.data)
                entries.append(entry)
            manifest = {
                "format": _FORMAT,
                "partitions": shape[settings.frames].partitions if settings.frames in shape else 0,
                "machines": [asdict(entry) for entry in entries],
            }
            archive.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
        part.replace(to)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OperatorError(f"{to} cannot be written: {error.strerror}. Name another file.") from error
    return len(entries)


def read(path: Path) -> tuple[int, list[tuple[Entry, bytes]]]:
    """The partitions of the topic that it was made from, and every machine; all of it is checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest["format"] != _FORMAT:
                raise OperatorError(f"{path} is of a newer Yeji. Upgrade this one.")
            entries = [Entry(**one) for one in manifest["machines"]]
            found = [(entry, archive.read(entry.file)) for entry in entries]
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise OperatorError(
            f"{path} is no archive of snapshots, or is damaged ({type(error).__name__}: {error}). "
            "Take another copy."
        ) from error
    for entry, data in found:
        try:
            unpack(data)
        except SnapshotError as error:
            raise OperatorError(f"{path}: {entry.machine}: {error} Take another copy.") from error
    return int(manifest["partitions"]), found


def import_(
    settings: KafkaSettings,
    path: Path,
    *,
    replace: bool = False,
    levels: Sequence[str] = DEFAULT_LEVELS,
    patience: float = 0.0,
) -> Imported:
    """Write an archive's machines into the topic of snapshots. Raises `OperatorError` while workers run.

    A machine that has a newer snapshot there is left out, unless ``replace``. ``levels``: in front of a
    machine's name that has fewer than five. ``patience``: how long (s) to wait until the group is empty; a
    worker with a name of its own stays in it for a session after its end.
    """
    before, found = read(path)
    shape = topic_shapes(settings, [settings.frames, settings.snapshots])
    for name in (settings.frames, settings.snapshots):
        if name not in shape:
            raise OperatorError(f"There is no topic {name}. Create it with `yeji topics`.")
    _nobody_works(settings, patience)
    frames = shape[settings.frames]
    here = {stored.machine: stored for _, stored, _ in newest(settings)}
    placed = {entry.machine: entry.partition for entry, _ in found}
    homes = destinations(placed, before or frames.partitions, frames.partitions, levels)
    written: list[str] = []
    left_out: list[tuple[str, str]] = []
    producer = _producer(settings)
    try:
        for entry, data in found:
            known = here.get(entry.machine)
            if (
                known is not None
                and not replace
                and (known.topic != entry.topic or known.offset >= entry.offset)
            ):
                left_out.append((entry.machine, "the topic has a newer snapshot"))
                continue
            for slot in (0, 1) if replace else (0 if known is None else 1 - known.slot,):
                producer.send(
                    settings.snapshots,
                    data,
                    key=snapshot_key(entry.machine, slot),
                    partition=homes[entry.machine],
                    headers=snapshot_headers(entry.offset, entry.topic),
                )
            written.append(entry.machine)
        producer.flush()
    except ClientError as error:
        raise KafkaError(
            f"Snapshots cannot be written to {settings.snapshots}: {type(error).__name__}: {error}. Import "
            "the file again when the brokers are well; doing so twice does no harm."
        ) from error
    finally:
        producer.close()
    return Imported(tuple(written), tuple(left_out))


def _producer(settings: KafkaSettings) -> KafkaProducer:
    return KafkaProducer(
        **client_options(settings),
        client_id="yeji-snapshots",
        acks="all",
        enable_idempotence=True,
        max_request_size=2 * FRAME_BYTES,
        allow_auto_create_topics=False,
    )


def _nobody_works(settings: KafkaSettings, patience: float) -> None:
    deadline = time.monotonic() + patience
    admin: Any = KafkaAdminClient(**client_options(settings), client_id="yeji-snapshots")
    try:
        while members := _members(admin, settings.group):
            if time.monotonic() >= deadline:
                raise OperatorError(
                    f"{members} workers of group {settings.group} run: they would not see what is imported, "
                    "and write over it. Stop them, import, and start them again. One that was killed is in "
                    "the group until its session ends (worker.session)."
                )
            time.sleep(0.5)
    finally:
        admin.close()


def _members(admin: Any, group: str) -> int:
    described = admin.describe_groups([group])
    groups = described.values() if isinstance(described, dict) else described
    return sum(len(one.get("members", [])) for one in groups)
