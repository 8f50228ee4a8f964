"""A real Modbus TCP server of pymodbus for tests, ``python server.py PORT``: units 1 and 2 alike."""

from __future__ import annotations

import asyncio
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

#: From address 100: -200 (int16), 1480.5 (float32 ABCD, then CDAB), 123456789 (uint32 DCBA), …
WORDS = [0xFF38, 0x44B9, 0x1000, 0x1000, 0x44B9, 0x15CD, 0x5B07, 0x7FFF, 0b1010]


def device(unit: int) -> SimDevice:
    coils = [SimData(address=0, values=[True, False, True], datatype=DataType.BITS)]
    discrete = [SimData(address=0, values=[False, True], datatype=DataType.BITS)]
    holding = [
        SimData(address=100, values=WORDS, datatype=DataType.REGISTERS),
        SimData(address=115, values=[7], datatype=DataType.REGISTERS),  # with a hole before it
    ]
    registers = [SimData(address=0, values=[unit], datatype=DataType.REGISTERS)]
    return SimDevice(id=unit, simdata=(coils, discrete, holding, registers))


async def main(port: int) -> None:
    server = ModbusTcpServer([device(1), device(2)], address=("127.0.0.1", port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
