"""What registers hold, as every type and in every order of bytes: for who has no list of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from connectors.modbus.client import ModbusConnection, NoAnswerError, RefusedError
from connectors.modbus.registers import Block, all_orders

_ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


class CheckError(Exception):
    """The registers cannot be read; the message says why and what to do."""


def check_lines(
    host: str, port: int, unit: int, table: str, address: int, count: int, timeout: float
) -> Iterator[str]:
    """Read registers once, and describe them. Raises `CheckError`."""
    if table not in ("holding", "input"):
        raise CheckError(f"table {table!r} has no registers: give holding or input.")
    words = asyncio.run(_read((host, port, timeout), unit, Block(table, address, count, ())))
    yield from described(words, address)


async def _read(where: tuple[str, int, float], unit: int, block: Block) -> list[int]:
    connection = ModbusConnection(*where)
    try:
        return await connection.read(block, unit)
    except NoAnswerError as error:
        raise CheckError(f"{error}. Is it on, and are host, port and unit right?") from error
    except RefusedError as error:
        raise CheckError(f"{error}. Try --table input, fewer registers, or an address one lower.") from error
    finally:
        connection.close()


def described(words: Sequence[int], address: int) -> Iterator[str]:
    """A line for each register, then its value with the next one as 32 bits in every order.

    >>> for line in described([0x44B9, 0x1000], 100):
    ...     print(line.rstrip())
    address   hex  uint16   int16  bits
        100  44B9   17593   17593  0100 0100 1011 1001
        101  1000    4096    4096  0001 0000 0000 0000
    <BLANKLINE>
    address  order         float32        uint32         int32
        100  ABCD           1480.5    1152978944    1152978944
        100  CDAB      2.52965e-29     268453049     268453049
        100  BADC      -0.00018692    3108241424   -1186725872
        100  DCBA      1.53583e-39       1096004       1096004
    """
    yield "address   hex  uint16   int16  bits"
    for at, word in enumerate(words):
        signed = word - 0x10000 if word >> 15 else word
        bits = f"{word:016b}"
        fours = " ".join(bits[i : i + 4] for i in range(0, 16, 4))
        yield f"{address + at:7}  {word:04X}  {word:6}  {signed:6}  {fours}"
    if len(words) > 1:
        yield ""
        yield f"address  order  {'float32':>14}{'uint32':>14}{'int32':>14}"
    for at in range(len(words) - 1):
        pair = words[at : at + 2]
        floats, whole, signed_of = (all_orders(pair, kind) for kind in ("float32", "uint32", "int32"))
        for order in _ORDERS:
            yield (
                f"{address + at:7}  {order:5}  {floats[order]:14.6g}{whole[order]:14}{signed_of[order]:14}"
            )
