"""Requests to Modbus TCP slaves: a connection that comes again, late answers left out."""

from __future__ import annotations

import asyncio

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from connectors.modbus.registers import Block

#: Exception codes of a slave that is there: no such function, address or value.
_REFUSED = (1, 2, 3)


class NoAnswerError(Exception):
    """The slave did not answer, or cannot be reached; the message says which."""


class RefusedError(Exception):
    """The slave answered with an exception code: it is there, and has no such registers."""


class ModbusConnection:
    """One connection to ``host:port``; requests over it go one after the other.

    pymodbus leaves out an answer whose transaction id is not that of the request that waits: one that comes
    late is never taken for another's. Nothing is asked twice within a request, so that no old answer fits.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.address = f"{host}:{port}"
        self._timeout = timeout
        self._client = AsyncModbusTcpClient(host, port=port, timeout=timeout, retries=0, reconnect_delay=0)
        self._lock = asyncio.Lock()

    async def read(self, block: Block, unit: int) -> list[int]:
        """The words or bits of a block. Raises `NoAnswerError` and `RefusedError`."""
        client = self._client
        reads = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }
        async with self._lock:
            try:
                if not client.connected and not await client.connect():
                    raise NoAnswerError(f"{self.address} cannot be reached")
                answer = await reads[block.table](block.address, count=block.count, device_id=unit)
            except (ModbusException, OSError, TimeoutError) as error:
                raise NoAnswerError(
                    f"unit {unit} at {self.address} did not answer within {self._timeout:g} s"
                ) from error
        if answer.isError() and answer.exception_code not in _REFUSED:
            # 4 to 6: the slave cannot now; 10 and 11: its gateway has no way to it, or no answer from it
            raise NoAnswerError(f"unit {unit} at {self.address} answers exception {answer.exception_code}")
        if answer.isError():
            raise RefusedError(
                f"unit {unit} at {self.address} refuses {block.count} {block.table} registers from "
                f"{block.address} (exception {answer.exception_code})"
            )
        values = answer.bits if block.table in ("coil", "discrete") else answer.registers
        if len(values) < block.count:
            raise NoAnswerError(f"unit {unit} at {self.address} sent {len(values)} of {block.count} values")
        return [int(value) for value in values[: block.count]]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
