"""How many readings a second each connector takes from a real other side, and what bounds it.

`python -m benchmarks.connector_rates [mqtt sparkplug opcua http modbus]`. The other side is a process of its
own on the same machine (mosquitto, an asyncua server, a pymodbus server); what is brought counts as durable.
"A CPU second" is of our process alone: on cores that are shared it travels better than readings a second.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "deploy" / "local"))

from local_services.process import Server, free_port, listening  # noqa: E402

from connectors.base.contract import Source  # noqa: E402
from pipeline.records import Frame  # noqa: E402

TIME = 1_790_000_000_000


def row(name: str, what: str, count: int, wall: float, cpu: float) -> None:
    print(f"| {name} | {count:,} {what} | {count / wall:,.0f} | {count / cpu:,.0f} |", flush=True)


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    server = Server("other-side", folder)
    server.start(command, ready=lambda: listening(port), tied=True, timeout=60)
    try:
        yield
    finally:
        server.stop()


class Counted:
    """Iterates a source in a thread and counts what comes."""

    def __init__(self, source: Source) -> None:
        self.source, self.cells, self.rows, self.items = source, 0, 0, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for item in self.source:
            self.items += 1
            if isinstance(item, Frame):
                self.rows += len(item)
                self.cells += int((item.values == item.values).sum())
            self.source.durable(self.items)

    def until(self, count: Callable[[], int], wanted: int, seconds: float = 120.0) -> tuple[float, float]:
        """Wall and CPU seconds from the first until ``wanted``."""
        while not count():
            time.sleep(0.0005)
        wall, cpu, deadline = time.monotonic(), time.process_time(), time.monotonic() + seconds
        while count() < wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        return time.monotonic() - wall, time.process_time() - cpu

    def close(self) -> None:
        """End it."""
        self.source.close()
        self.thread.join(20)


# -- MQTT and Sparkplug


def packets(messages: Iterator[tuple[str, bytes]], qos: int) -> bytes:
    """PUBLISH packets of MQTT 3.1.1, ready to be sent."""
    parts: list[bytes] = []
    for number, (topic, payload) in enumerate(messages):
        name = topic.encode()
        identifier = (number % 65_535 + 1).to_bytes(2, "big") if qos else b""
        body = len(name).to_bytes(2, "big") + name + identifier + payload
        length, size = b"", len(body)
        while True:
            size, digit = divmod(size, 128)
            length += bytes([digit | (128 if size else 0)])
            if not size:
                break
        parts.append(bytes([0x30 | qos << 1]) + length + body)
    return b"".join(parts)


def blast(port: int, data: bytes, acknowledged: int = 0) -> None:
    """Send packets as fast as the broker takes them, until so many are acknowledged; in another process."""
    with tempfile.NamedTemporaryFile(suffix=".mqtt") as file:
        file.write(data)
        file.flush()
        program = (
            "import socket,sys,threading\n"
            f"s=socket.create_connection(('127.0.0.1',{port}))\n"
            "s.sendall(bytes.fromhex('100d00044d5154540402ffff000162'));s.recv(4)\n"
            f"left=[{4 * acknowledged}]\n"
            "def acks():\n while left[0]>0: left[0]-=len(s.recv(65536))\n"
            "reader=threading.Thread(target=acks);reader.start()\n"
            "s.sendall(open(sys.argv[1],'rb').read());reader.join();s.sendall(bytes.fromhex('e000'))\n"
        )
        subprocess.run([sys.executable, "-c", program, file.name], check=True)


@contextmanager
def mosquitto() -> Iterator[int]:
    program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("mosquitto is not installed")
    with tempfile.TemporaryDirectory() as name:
        port, folder = free_port(), Path(name)
        (folder / "conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\n"
            "max_queued_messages 0\nmax_inflight_messages 0\n"
        )
        with running([program, "-c", str(folder / "conf")], port, folder):
            yield port


def mqtt_messages(count: int, wide: int) -> Iterator[tuple[str, bytes]]:
    for i in range(count):
        values = {f"s{k}": 20.0 + (i * k) % 17 / 10 for k in range(wide)}
        payload = {"time": TIME + i // 100 * 100, "values": values} if wide > 1 else None
        topic = f"plant/press-{i % 100}" + ("" if wide > 1 else f"/s{i // 100 % 8}")
        yield topic, json.dumps(payload).encode() if payload else b"%d.5" % (i % 50)


def mqtt() -> None:
    from connectors.mqtt.settings import MqttSettings
    from connectors.mqtt.source import MqttSource

    with mosquitto() as port:
        for qos, wide, count in ((0, 1, 100_000), (1, 1, 40_000), (1, 8, 40_000)):
            data = packets(mqtt_messages(count, wide), qos)
            topic = "plant/{machine}" if wide > 1 else "plant/{machine}/{sensor}"
            settings = MqttSettings.model_validate(
                {
                    "broker": {"port": port, "client_id": f"bench-{qos}-{wide}", "keep": 0},
                    "topics": ["plant/#"],
                    "qos": qos,
                    "mapping": {"topic": topic},
                }
            )
            paho_alone(port, data, count, qos, wide)
            source = MqttSource("bench", settings)
            counted = Counted(source)
            while not source.status.connected:
                time.sleep(0.01)
            sending = threading.Thread(target=blast, args=(port, data, count if qos else 0))
            sending.start()
            wall, cpu = counted.until(lambda s=source: s.status.arrivals, count)  # type: ignore[misc]
            while counted.cells == 0:
                time.sleep(0.01)
            row(f"MQTT, QoS {qos}, {wide} value{'s' * (wide > 1)} a message", "messages", count, wall, cpu)
            if wide > 1:
                row(f"MQTT, QoS {qos}, {wide} values a message", "values", count * wide, wall, cpu)
            sending.join()
            counted.close()


def paho_alone(port: int, data: bytes, count: int, qos: int, wide: int) -> None:
    """The client library with nothing to do: its own ceiling."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    come = [0]

    def on_message(*_: Any) -> None:
        come[0] += 1

    client.on_message = on_message
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = 65_535
    client.connect("127.0.0.1", port, properties=properties)
    client.subscribe("plant/#", qos)
    client.loop_start()
    time.sleep(0.5)
    sending = threading.Thread(target=blast, args=(port, data, count if qos else 0))
    sending.start()
    while not come[0]:
        time.sleep(0.0005)
    wall, cpu = time.monotonic(), time.process_time()
    while come[0] < count and time.monotonic() - wall < 60:
        time.sleep(0.002)
    row(
        f"paho alone, QoS {qos}, {wide} value{'s' * (wide > 1)} a message",
        "messages",
        come[0],
        time.monotonic() - wall,
        time.process_time() - cpu,
    )
    sending.join()
    client.disconnect()
    client.loop_stop()


def sparkplug(metrics: int = 20, count: int = 10_000) -> None:
    from connectors.sparkplug.settings import SparkplugSettings
    from connectors.sparkplug.source import SparkplugSource
    from tests.connectors.sparkplug.edge import Edge

    edge = Edge()
    messages = [edge.nbirth(TIME)]
    names = [f"s{k}" for k in range(metrics)]
    messages += [edge.dbirth(f"press-{d}", TIME, **dict.fromkeys(names, 0.0)) for d in range(50)]
    messages += [
        edge.data(f"press-{i % 50}", TIME + 100 + i, **{name: float(i + k) for k, name in enumerate(names)})
        for i in range(count)
    ]
    with mosquitto() as port:
        settings = SparkplugSettings.model_validate({"broker": {"port": port}})
        source = SparkplugSource("bench", settings)
        counted = Counted(source)
        while not source.status.connected:
            time.sleep(0.01)
        sending = threading.Thread(target=blast, args=(port, packets(iter(messages), 0)))
        sending.start()
        wall, cpu = counted.until(lambda: counted.cells, count * metrics)
        row(f"Sparkplug B, {metrics} metrics a message", "metrics", counted.cells, wall, cpu)
        sending.join()
        counted.close()


# -- OPC UA

_UA_SERVER = """
import asyncio, sys, time
from datetime import datetime, timezone
from asyncua import Server, ua
async def main(port, nodes):
    server = Server(); await server.init(); server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("http://bench.example")
    press = await server.nodes.objects.add_object(index, "Press")
    made = [await press.add_variable(index, f"s{k}", 0.0) for k in range(nodes)]
    async with server:
        number = 0.0
        while True:
            number += 1.0
            now = datetime.now(timezone.utc)
            for node in made:
                value = ua.DataValue(ua.Variant(number), SourceTimestamp=now)
                await server.write_attribute_value(node.nodeid, value)
            await asyncio.sleep(0)
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


def opcua(nodes: int = 500, seconds: float = 15.0) -> None:
    from connectors.opcua.settings import OpcUaSettings
    from connectors.opcua.source import OpcUaSource

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "server.py"
        program.write_text(_UA_SERVER)
        with running([sys.executable, str(program), str(port), str(nodes)], port, Path(folder)):
            settings = OpcUaSettings.model_validate(
                {
                    "url": f"opc.tcp://127.0.0.1:{port}",
                    "namespaces": {"b": "http://bench.example"},
                    "machines": [{"path": "Press"}],
                    "interval": 0.2,
                    "sampling": 0,
                    "queue": 1000,
                }
            )
            source = OpcUaSource("bench", settings)
            counted = Counted(source)
            while counted.cells < 2 * nodes:
                time.sleep(0.01)
            before, wall, cpu = source.status.arrivals, time.monotonic(), time.process_time()
            time.sleep(seconds)
            items = source.status.arrivals - before
            row(
                f"OPC UA, {nodes} nodes, as fast as the asyncua server writes",
                "items",
                items,
                time.monotonic() - wall,
                time.process_time() - cpu,
            )
            counted.close()
    asyncua_alone()


def asyncua_alone(items: int = 2000, times: int = 10) -> None:
    """The client library's own ceiling: reading publish responses from their bytes."""
    from datetime import UTC, datetime

    from asyncua import ua
    from asyncua.common.utils import Buffer
    from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

    now = datetime.now(UTC)
    notification = ua.DataChangeNotification(
        MonitoredItems=[
            ua.MonitoredItemNotification(
                ClientHandle=k, Value=ua.DataValue(ua.Variant(1.5), SourceTimestamp=now, ServerTimestamp=now)
            )
            for k in range(items)
        ]
    )
    data = struct_to_binary(notification)
    began = time.process_time()
    for _ in range(times):
        struct_from_binary(ua.DataChangeNotification, Buffer(data))
    seconds = time.process_time() - began
    row("asyncua alone, publish responses from bytes", "items", items * times, seconds, seconds)


# -- HTTP and Modbus


def http(lines: int = 2000, requests: int = 20) -> None:
    import httpx

    from connectors.http.settings import HttpSettings
    from connectors.http.source import HttpSource

    source = HttpSource("bench", HttpSettings(port=0))
    counted = Counted(source)
    while not source.status.connected:
        time.sleep(0.01)
    bodies = [
        "\n".join(
            f"press,machine=press-{i % 50} "
            + ",".join(f"s{k}={20.5 + k}" for k in range(8))
            + f" {TIME + r * lines + i}000000"
            for i in range(lines)
        ).encode()
        for r in range(requests)
    ]
    cpu, wall = time.process_time(), time.monotonic()
    with httpx.Client(base_url=f"http://127.0.0.1:{source.port}", timeout=60) as client:
        for body in bodies:
            client.post("/api/v2/write", content=body).raise_for_status()
    row(
        "HTTP, line protocol, 8 values a line (with the sender's CPU)",
        "readings",
        counted.rows,
        time.monotonic() - wall,
        time.process_time() - cpu,
    )
    counted.close()


def modbus(seconds: float = 10.0) -> None:
    from connectors.modbus.settings import ModbusSettings
    from connectors.modbus.source import ModbusSource
    from tests.connectors.modbus import server

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(server.__file__), str(port)]
        with running(command, port, Path(folder)):
            registers = {f"s{k}": {"address": 100 + k} for k in range(9)}
            devices = [{"machine": f"m{d}", "map": "m", "unit": 1 + d % 2} for d in range(16)]
            settings = ModbusSettings.model_validate(
                {"port": port, "every": 0.001, "maps": {"m": registers}, "devices": devices}
            )
            counted = Counted(ModbusSource("bench", settings))
            while not counted.rows:
                time.sleep(0.01)
            before, wall, cpu = counted.rows, time.monotonic(), time.process_time()
            time.sleep(seconds)
            row(
                "Modbus TCP, 16 devices, 9 registers a reading, as fast as they answer",
                "readings",
                counted.rows - before,
                time.monotonic() - wall,
                time.process_time() - cpu,
            )
            counted.close()


ALL = {"mqtt": mqtt, "sparkplug": sparkplug, "opcua": opcua, "http": http, "modbus": modbus}


def main() -> None:
    print("| connector | brought | a second | a CPU second |\n|---|--:|--:|--:|")
    for name in sys.argv[1:] or ALL:
        ALL[name]()


if __name__ == "__main__":
    main()
