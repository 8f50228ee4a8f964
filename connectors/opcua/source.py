"""Readings from OPC UA: subscribed again after each loss without doubles, the gap read from history."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asyncua import Node, ua
from asyncua.ua.uaerrors import UaError

from connectors.base.contract import Item
from connectors.base.push import PushSource
from connectors.base.samples import Samples
from connectors.mapping.mapping import Mapping
from connectors.opcua.session import UaSession
from connectors.opcua.settings import OpcUaMachineSettings, OpcUaSettings
from pipeline.settings import SettingsError
from pipeline.wire.readings import RejectedError
from pipeline.wire.times import EARLIEST, LATEST

_ERRORS = (UaError, OSError, TimeoutError, asyncio.TimeoutError, ConnectionError)
#: Seconds between attempts to connect, doubled up to the second number.
_AGAIN, _AGAIN_MOST = 1.0, 30.0


class _Arrival(NamedTuple):
    """A value of the node with a handle. ``past``: from the server's history."""

    handle: int
    value: ua.DataValue
    received: int
    past: bool


@dataclass(slots=True)
class _Sensor:
    """One node that is read. ``latest`` is the source time (ms) of its latest value; 0 = none yet."""

    machine: str
    sensor: str
    node: ua.NodeId
    latest: int = 0


class OpcUaSource(PushSource[_Arrival]):
    """Subscribes to the values of its machines' nodes. Raises `SettingsError`."""

    def __init__(self, name: str, settings: OpcUaSettings) -> None:
        super().__init__(name, settings.gather)
        self._settings = settings
        server = settings.security.server_cert_file
        if server is not None and not server.is_file():
            raise SettingsError(
                f"security.server_cert_file names {server}, which is no file. Correct the path."
            )
        self._mapping = Mapping(settings.mapping, source=name)
        self._sensors: list[_Sensor] = []
        self._handles: dict[tuple[str, str], int] = {}
        self._monitored: set[int] = set()
        # while a gap is filled from history: times of what came by subscription, so that it comes once
        self._filling = False
        self._begun: dict[int, set[int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self.status.extra = {"nodes": 0, "not_there": 0, "from_history": 0, "no_numbers": 0}

    # -- the contract

    def open(self) -> None:
        """Connect, in a thread of its own."""
        logging.getLogger("asyncua").setLevel(logging.ERROR)  # it logs each try to connect
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._run(),), name=f"opcua-{self.name}", daemon=True
        )
        self._thread.start()

    def shut(self) -> None:
        """End the session."""
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # it ended by itself
                loop.call_soon_threadsafe(main.cancel)
        if self._thread is not None:
            self._thread.join(self._settings.timeout + 5)

    def convert(self, arrivals: list[_Arrival]) -> Iterable[Item]:
        """Frames of live values, then of those from history."""
        live, past = Samples(), Samples()
        for handle, value, received, from_history in arrivals:
            sensor = self._sensors[handle]
            at = _time(value, received)
            number, uncertain = _number(value)
            if number is None:
                self.status.extra["no_numbers"] += 1
                continue
            if from_history:
                past.add(sensor.machine, sensor.sensor, at, number, uncertain=uncertain)
            else:
                live.add(sensor.machine, sensor.sensor, at, number, uncertain=uncertain)
        frames = [*live.frames(), *past.frames()]
        self.status.readings += sum(len(frame) for frame in frames)
        return frames

    # -- in the session's thread

    async def _run(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        pause = _AGAIN
        with suppress(asyncio.CancelledError):
            while True:
                began = time.monotonic()
                await self._session()
                if time.monotonic() - began > 2 * _AGAIN_MOST:
                    pause = _AGAIN
                await asyncio.sleep(pause)
                pause = min(_AGAIN_MOST, 2 * pause)

    async def _session(self) -> None:
        """One session from its beginning to its loss."""
        session = UaSession(self._settings, self._values)
        self._monitored, self._filling, self._begun = set(), True, {}
        try:
            await session.connect()
            before = {handle: one.latest for handle, one in enumerate(self._sensors) if one.latest}
            since = time.time_ns() // 1_000_000
            await self._look(session)
            self.status.connected, self.status.detail = True, ""
            await self._fill_gap(session, before, since)
            self._filling, self._begun = False, {}
            looked = time.monotonic()
            while session.alive:
                with suppress(TimeoutError, asyncio.TimeoutError):
                    await asyncio.wait_for(session.lost.wait(), 0.5)
                more = self.status.extra["not_there"] > 0 or self._grows
                if more and time.monotonic() - looked >= self._settings.look:
                    looked = time.monotonic()
                    await self._look(session)
            self.status.detail = f"the connection to {self._settings.url} was lost"
        except _ERRORS as error:
            self.status.detail = _trouble(self._settings.url, error)
        finally:
            self.status.connected = False
            with suppress(*_ERRORS, asyncio.CancelledError):
                await session.close()

    @property
    def _grows(self) -> bool:
        """Whether new nodes may belong to it: below a folder, or a machine of which all is read."""
        return any(machine.path.endswith("/*") or not machine.sensors for machine in self._settings.machines)

    async def _look(self, session: UaSession) -> None:
        """Find nodes and subscribe to those that are not subscribed to yet."""
        missing = 0
        fresh: dict[int, ua.NodeId] = {}
        for settings in self._settings.machines:
            for name, node in await self._machines(session, settings):
                if node is None:
                    missing += 1
                    continue
                found = await self._nodes(session, settings, node)
                missing += max(0, len(settings.sensors) - len(found))
                for sensor, node_id in found:
                    handle = self._handle(settings.machine.replace("{name}", name), sensor, node_id)
                    if handle is not None and handle not in self._monitored:
                        fresh[handle] = node_id
        taken = await session.monitor(fresh)
        self._monitored.update(taken)
        self.status.extra["nodes"] = len(self._monitored)
        self.status.extra["not_there"] = missing + len(fresh) - len(taken)

    async def _machines(
        self, session: UaSession, settings: OpcUaMachineSettings
    ) -> list[tuple[str, Node | None]]:
        if settings.path.endswith("/*"):
            folder = await session.find(settings.path.removesuffix("/*"))
            return [("", None)] if folder is None else [*await session.objects(folder)]
        node = await session.find(settings.path)
        name = settings.path.rpartition("/")[2].rpartition(":")[2]
        return [(name, node)]

    async def _nodes(
        self, session: UaSession, settings: OpcUaMachineSettings, machine: Node
    ) -> list[tuple[str, ua.NodeId]]:
        if not settings.sensors:
            return await session.variables(machine)
        found = []
        for sensor, path in settings.sensors.items():
            node = await session.find(path, machine)
            if node is not None:
                found.append((sensor, node.nodeid))
        return found

    def _handle(self, machine: str, sensor: str, node: ua.NodeId) -> int | None:
        """The handle of a sensor, the same in every session; None = its names cannot be used."""
        try:
            key = (self._mapping.machine(machine), self._mapping.sensor(sensor) or "")
        except RejectedError:
            return None
        if not key[1]:
            return None
        handle = self._handles.get(key)
        if handle is None:
            handle = self._handles[key] = len(self._sensors)
            self._sensors.append(_Sensor(*key, node))
        self._sensors[handle].node = node
        return handle

    async def _fill_gap(self, session: UaSession, before: dict[int, int], until: int) -> None:
        """Read what came while there was no session, where the server keeps history."""
        if not self._settings.history:
            return
        for handle, latest in before.items():
            if handle not in self._monitored:
                continue
            start = max(latest + 1, until - round(self._settings.history * 1000))
            values = await session.history(self._sensors[handle].node, start, until)
            live = self._begun.get(handle, set())
            past = [
                _Arrival(handle, value, until, True)
                for value in values
                if _time(value, 0) > latest and _time(value, 0) not in live
            ]
            sensor = self._sensors[handle]
            sensor.latest = max([sensor.latest, *(_time(one.value, 0) for one in past)])
            self.status.extra["from_history"] += len(past)
            if past:
                self.put_all(past, [])

    def _values(self, items: Sequence[Any]) -> None:
        """Values of one publish response. A subscription begins with the latest: a known one is left out."""
        now = time.time_ns() // 1_000_000
        arrivals: list[_Arrival] = []
        for item in items:
            sensor = self._sensors[item.ClientHandle]
            at = _time(item.Value, now)
            if at <= sensor.latest and item.Value.SourceTimestamp is not None:
                self.status.repeated += 1
                continue
            sensor.latest = max(at, sensor.latest)
            if self._filling:
                self._begun.setdefault(item.ClientHandle, set()).add(at)
            arrivals.append(_Arrival(item.ClientHandle, item.Value, now, False))
        if arrivals:
            self.put_all(arrivals, [])


def _time(value: ua.DataValue, received: int) -> int:
    """When a value was measured in ms UTC: by its source, else by the server, else when it was received."""
    instant: datetime | None = value.SourceTimestamp or value.ServerTimestamp
    if value.ServerTimestamp is not None and _severity(value) >= 2:
        instant = value.ServerTimestamp  # the source may be gone: its time is that of the last good value
    if instant is None:
        return received
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    ms = int(instant.timestamp() * 1000)
    return ms if EARLIEST <= ms < LATEST else received


def _severity(value: ua.DataValue) -> int:
    """0 = good, 1 = uncertain, 2 and 3 = bad."""
    return 0 if value.StatusCode is None else int(value.StatusCode.value) >> 30


def _number(value: ua.DataValue) -> tuple[float | None, bool]:
    """The number (None = it is none, NaN = a bad one), and whether it is uncertain."""
    severity = _severity(value)
    held = None if value.Value is None else value.Value.Value
    if severity >= 2 or held is None:
        return math.nan, False
    if isinstance(held, (int, float)):
        number = float(held)
        return (number if math.isfinite(number) else math.nan), severity == 1
    return None, False


def _trouble(url: str, error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, (OSError, TimeoutError)):
        return f"{url} cannot be reached ({text}). Start the server, or correct url."
    if "Certificate" in text or "Security" in text:
        return f"{url} refuses our certificate ({text}). Let its administrator trust security.cert_file."
    if "Identity" in text or "UserAccess" in text:
        return f"{url} refuses the login ({text}). Correct username and password."
    return f"{url}: {text}"
