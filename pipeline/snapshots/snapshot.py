"""One machine's whole state as bytes: versioned, checksummed, compressed, and read across versions.

Layout: ``YEJI``, version (u16), CRC-32 of what follows (u32), all little-endian; then MessagePack, deflated.
A field that a version does not know is ignored, so that an older snapshot stays readable.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.base import State as Stage
from pipeline.records import AlarmEvent, Floats, Ints, Verdict

VERSION = 1
_HEADER = struct.Struct("<4sHI")
_MAGIC = b"YEJI"
#: A snapshot is some tens of kB; one that claims to be far larger is damaged or hostile.
MAX_BYTES = 64 << 20


class SnapshotError(Exception):
    """A snapshot cannot be used; the message says why and what happens then."""


class SnapshotDamagedError(SnapshotError):
    """The bytes are not what was written."""


class SnapshotNewerError(SnapshotError):
    """A newer Yeji wrote it."""


@dataclass(frozen=True, slots=True)
class WaitingReadings:
    """Readings of a warm-up that goes on; ``time`` (n,), ``x`` (n, k)."""

    layout: tuple[str, ...]
    time: Ints
    x: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One machine's state, and the message up to which it stands (``partition``, ``offset``).

    ``layout`` and ``stages`` are empty until the first warm-up is over. ``last`` and ``recent`` (r,) are its
    newest readings' times. ``verdicts`` wait for the first model. ``order`` and ``order_layouts`` are its
    event time and the rows that wait (`pipeline.admission.saving`). ``units``: see `Monitor.units`.
    """

    machine: str
    machine_class: str
    partition: int
    offset: int
    last: int
    recent: Ints
    layout: tuple[str, ...] = ()
    stages: dict[str, Stage] = field(default_factory=dict)
    warmup: WaitingReadings | None = None
    open: tuple[AlarmEvent, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    order: Stage = field(default_factory=dict)
    order_layouts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytearray  # so that the array made of it can be written to


class _Warmup(msgspec.Struct):
    layout: list[str]
    time: _Array
    x: _Array


class _Wire(msgspec.Struct, omit_defaults=True):
    machine: str
    machine_class: str
    partition: int
    offset: int
    last: int
    recent: _Array
    layout: list[str] = []
    stages: dict[str, dict[str, _Array]] = {}
    warmup: _Warmup | None = None
    open: list[AlarmEvent] = []
    verdicts: list[Verdict] = []
    order: dict[str, _Array] = {}
    order_layouts: dict[str, list[str]] = {}
    units: dict[str, str] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode


def pack(snapshot: Snapshot) -> bytes:
    """The snapshot as bytes.

    >>> place = {"machine": "a/b/c/d/e", "machine_class": "pump", "partition": 0, "offset": 7}
    >>> one = Snapshot(**place, last=1000, recent=np.array([1000]))
    >>> unpack(pack(one)).offset
    7
    """
    waiting = snapshot.warmup
    wire = _Wire(
        snapshot.machine,
        snapshot.machine_class,
        snapshot.partition,
        snapshot.offset,
        snapshot.last,
        _wrap(snapshot.recent),
        list(snapshot.layout),
        {
            stage: {name: _wrap(array) for name, array in arrays.items()}
            for stage, arrays in snapshot.stages.items()
        },
        None if waiting is None else _Warmup(list(waiting.layout), _wrap(waiting.time), _wrap(waiting.x)),
        list(snapshot.open),
        list(snapshot.verdicts),
        {name: _wrap(array) for name, array in snapshot.order.items()},
        {name: list(layout) for name, layout in snapshot.order_layouts.items()},
        snapshot.units,
    )
    body = zlib.compress(_encode(wire), level=1)
    return _HEADER.pack(_MAGIC, VERSION, zlib.crc32(body)) + body


def unpack(data: bytes) -> Snapshot:
    """The inverse of `pack`. Raises `SnapshotDamagedError` and `SnapshotNewerError`."""
    if len(data) < _HEADER.size:
        raise SnapshotDamagedError(f"{len(data)} bytes are too few for a snapshot.")
    magic, version, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise SnapshotDamagedError(f"It begins with {magic!r}, not {_MAGIC!r}: this is no snapshot of Yeji.")
    if version > VERSION:
        raise SnapshotNewerError(
            f"It was written in version {version}; this Yeji reads up to {VERSION}. Upgrade this worker."
        )
    body = data[_HEADER.size :]
    if zlib.crc32(body) != checksum:
        raise SnapshotDamagedError("Its checksum does not fit: bytes were lost or changed.")
    try:
        inflate = zlib.decompressobj()
        plain = inflate.decompress(body, MAX_BYTES)
        if inflate.unconsumed_tail:
            raise SnapshotDamagedError(f"It would be larger than {MAX_BYTES} bytes.")
        wire = _decode(plain)
        waiting = wire.warmup
        return Snapshot(
            machine=wire.machine,
            machine_class=wire.machine_class,
            partition=wire.partition,
            offset=wire.offset,
            last=wire.last,
            recent=_unwrap(wire.recent),
            layout=tuple(wire.layout),
            stages={
                stage: {name: _unwrap(array) for name, array in arrays.items()}
                for stage, arrays in wire.stages.items()
            },
            warmup=None
            if waiting is None
            else WaitingReadings(tuple(waiting.layout), _unwrap(waiting.time), _unwrap(waiting.x)),
            open=tuple(wire.open),
            verdicts=tuple(wire.verdicts),
            order={name: _unwrap(array) for name, array in wire.order.items()},
            order_layouts={name: tuple(layout) for name, layout in wire.order_layouts.items()},
            units=wire.units,
        )
    except (zlib.error, msgspec.DecodeError, ValueError, TypeError) as error:
        raise SnapshotDamagedError(f"Its checksum fits, but it cannot be read: {error}.") from error


def _wrap(array: NDArray[Any]) -> _Array:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return _Array(little.dtype.str, array.shape, bytearray(little.tobytes()))


def _unwrap(array: _Array) -> NDArray[Any]:
    """An array that owns its memory."""
    values = np.frombuffer(array.data, _type(array.dtype)).reshape(array.shape)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


@lru_cache(maxsize=256)
def _type(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    return dtype
