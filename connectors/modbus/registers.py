"""Registers to values, and sensors to as few requests as possible. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.modbus.settings import RegisterSettings

#: How much one request may ask for (Modbus application protocol 1.1b3, 6.1 to 6.4).
MOST = {"holding": 125, "input": 125, "coil": 2000, "discrete": 2000}
_FORMATS = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
    "bool": ">H",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One request: ``count`` registers of ``table`` from ``address``, and the sensors in it."""

    table: str
    address: int
    count: int
    sensors: tuple[str, ...]


def blocks(registers: Mapping[str, RegisterSettings], gap: int) -> list[Block]:
    """The requests that read all sensors; registers up to ``gap`` apart are read along.

    >>> where = {"a": 0, "b": 1, "c": 5, "d": 50}
    >>> [(b.address, b.count) for b in blocks({n: RegisterSettings(address=a) for n, a in where.items()}, 8)]
    [(0, 6), (50, 1)]
    """
    found: list[Block] = []
    for name, one in sorted(registers.items(), key=lambda item: (item[1].table, item[1].address)):
        end = one.address + one.words
        last = found[-1] if found else None
        if last is not None and last.table == one.table and one.address - (last.address + last.count) <= gap:
            count = max(last.count, end - last.address)
            if count <= MOST[one.table]:
                found[-1] = Block(last.table, last.address, count, (*last.sensors, name))
                continue
        found.append(Block(one.table, one.address, one.words, (name,)))
    return found


def alone(block: Block, registers: Mapping[str, RegisterSettings]) -> list[Block]:
    """A block's sensors in a request each, for devices that have holes between them."""
    return [
        Block(block.table, registers[name].address, registers[name].words, (name,)) for name in block.sensors
    ]


def ordered(words: Sequence[int], order: str) -> bytes:
    """The bytes of a value, high first, from its registers.

    >>> [ordered([0x4142, 0x4344], order) for order in ("ABCD", "CDAB", "BADC", "DCBA")]
    [b'ABCD', b'CDAB', b'BADC', b'DCBA']
    """
    parts = [word.to_bytes(2, "big") for word in words]
    if order in ("CDAB", "DCBA"):
        parts.reverse()
    if order in ("BADC", "DCBA"):
        parts = [part[::-1] for part in parts]
    return b"".join(parts)


def value_of(words: Sequence[int], register: RegisterSettings) -> float:
    """The sensor's value from its registers; NaN = there is none.

    >>> value_of([0xFF38], RegisterSettings(address=0, scale=0.1))
    -20.0
    """
    (number,) = struct.unpack(_FORMATS[register.type], ordered(words, register.order))
    if register.bit is not None:
        number = number >> register.bit & 1
    elif register.type == "bool":
        number = int(number != 0)
    if number in register.missing or not math.isfinite(number):
        return math.nan
    return float(number * register.scale + register.offset)


def all_orders(words: Sequence[int], kind: str) -> dict[str, float]:
    """A value of type ``kind`` in every order of its bytes."""
    return {
        order: struct.unpack(_FORMATS[kind], ordered(words, order))[0]
        for order in ("ABCD", "CDAB", "BADC", "DCBA")
    }
