"""Readings from Modbus TCP: each device is read at its pace, and one that is dead holds up no other."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.base.contract import Item
from connectors.base.gather import gathered
from connectors.base.push import PushSource
from connectors.mapping.mapping import Mapping
from connectors.modbus.client import ModbusConnection, NoAnswerError, RefusedError
from connectors.modbus.registers import Block, alone, blocks, value_of
from connectors.modbus.settings import DeviceSettings, ModbusSettings, RegisterSettings
from pipeline.records import Frame
from pipeline.settings import SettingsError
from pipeline.wire.readings import RejectedError


@dataclass(slots=True)
class _Device:
    """One slave: its requests, and how often in a row it did not answer."""

    settings: DeviceSettings
    registers: dict[str, RegisterSettings]
    requests: list[Block]
    refused: dict[Block, str] = field(default_factory=dict)
    silent: int = 0
    trouble: str = ""


class ModbusSource(PushSource[Frame]):
    """Reads every device of its settings, each in a task of its own. Raises `SettingsError`."""

    def __init__(self, name: str, settings: ModbusSettings) -> None:
        super().__init__(name, settings.gather)
        self._settings = settings
        self._mapping = Mapping(settings.mapping, source=name)
        self._devices: list[_Device] = []
        for device in settings.devices:
            registers = settings.maps[device.map]
            try:
                self._mapping.machine(device.machine)
            except RejectedError as error:
                raise SettingsError(f"devices: {error}") from error
            self._devices.append(_Device(device, registers, blocks(registers, settings.gap)))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._main: asyncio.Task[None] | None = None
        self.status.extra = {"answers": 0, "no_answers": 0, "late_polls": 0}

    def open(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._read_all(),), name=f"modbus-{self.name}", daemon=True
        )
        self._thread.start()

    def shut(self) -> None:
        """Stop reading."""
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # it ended by itself
                loop.call_soon_threadsafe(main.cancel)
        if self._thread is not None:
            self._thread.join(10)

    def convert(self, arrivals: list[Frame]) -> Iterable[Item]:
        """One frame a machine."""
        frames = gathered(arrivals)
        self.status.readings += sum(len(frame) for frame in frames)
        return frames

    async def _read_all(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        connections: dict[tuple[str, int, int], ModbusConnection] = {}
        tasks = []
        for number, device in enumerate(self._devices):
            host = device.settings.host or self._settings.host
            port = device.settings.port or self._settings.port
            key = (host, port, -1 if self._settings.share else number)
            if key not in connections:
                connections[key] = ModbusConnection(host, port, self._settings.timeout)
            tasks.append(self._poll(device, connections[key]))
        try:
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
        finally:
            for connection in connections.values():
                connection.close()

    async def _poll(self, device: _Device, connection: ModbusConnection) -> None:
        """Read a device at its pace; after no answer less and less often."""
        every = self._settings.every
        due = time.monotonic()
        while True:
            await self._reading(device, connection)
            self._tell()
            pause = every
            if device.silent:
                pause = max(every, min(self._settings.again, every * 2**device.silent))
            due += pause
            now = time.monotonic()
            if due < now:
                self.status.extra["late_polls"] += math.ceil((now - due) / every)
                due = now
            await asyncio.sleep(due - now)

    async def _reading(self, device: _Device, connection: ModbusConnection) -> None:
        at = time.time_ns() // 1_000_000
        values: dict[str, float] = {}
        try:
            for block in list(device.requests):
                values |= await self._block(device, block, connection)
        except NoAnswerError as error:
            device.silent, device.trouble = min(device.silent + 1, 30), str(error)
            self.status.extra["no_answers"] += 1
            return
        device.silent, device.trouble = 0, next(iter(device.refused.values()), "")
        self.status.extra["answers"] += 1
        frame = self._mapping.frame(device.settings.machine, at, values)
        if frame is not None:
            self.put(frame)

    async def _block(self, device: _Device, block: Block, connection: ModbusConnection) -> dict[str, float]:
        try:
            words = await connection.read(block, device.settings.unit)
        except RefusedError as error:
            if len(block.sensors) > 1:  # a hole between them: ask for each alone from now on
                single = alone(block, device.registers)
                at = device.requests.index(block)
                device.requests[at : at + 1] = single
                found: dict[str, float] = {}
                for one in single:
                    found |= await self._block(device, one, connection)
                return found
            device.refused[block] = str(error)
            return dict.fromkeys(block.sensors, math.nan)
        device.refused.pop(block, None)
        found = {}
        for name in block.sensors:
            register = device.registers[name]
            begin = register.address - block.address
            found[name] = value_of(words[begin : begin + register.words], register)
        return found

    def _tell(self) -> None:
        troubles = [device.trouble for device in self._devices if device.trouble]
        answering = sum(not device.silent for device in self._devices)
        self.status.connected = answering > 0
        self.status.detail = "; ".join(troubles[:3]) + (
            f" and {len(troubles) - 3} more" if len(troubles) > 3 else ""
        )
