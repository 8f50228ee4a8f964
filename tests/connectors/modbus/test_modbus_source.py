"""Modbus against a real server process, and against one that answers late."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from local_services.process import Server, free_port, listening
from typer.testing import CliRunner

from connectors.modbus.settings import ModbusSettings
from connectors.modbus.source import ModbusSource
from pipeline.settings import SettingsError
from streams.cli import make_app
from tests.connectors.collecting import collecting, until
from tests.connectors.modbus import server as real_server
from tests.connectors.pages import blocks, source_of

SERVER = Path(real_server.__file__)
MAP = {
    "oil": {"address": 100, "scale": 0.1},
    "speed": {"address": 101, "type": "float32"},
    "swapped": {"address": 103, "type": "float32", "order": "CDAB"},
    "energy": {"address": 105, "type": "uint32", "order": "DCBA"},
    "none": {"address": 107, "missing": [32767]},
    "overload": {"address": 108, "bit": 1},
    "behind_a_hole": {"address": 115},
    "on": {"address": 2, "table": "coil"},
    "open": {"address": 1, "table": "discrete"},
    "unit": {"address": 0, "table": "input"},
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server process with units 1 and 2."""
    chosen = free_port()
    server = Server("modbus", tmp_path_factory.mktemp("modbus"))
    command = [sys.executable, str(SERVER), str(chosen)]
    server.start(command, ready=lambda: listening(chosen), tied=True, timeout=30)
    yield chosen
    server.stop()


def source(port: int, *units: int, **more: Any) -> ModbusSource:
    devices = [{"machine": f"pump-{unit}", "map": "pump", "unit": unit} for unit in units]
    known = {"port": port, "every": 0.1, "timeout": 0.5, "maps": {"pump": MAP}, "devices": devices}
    known["mapping"] = {"levels": "acme/gj/utilities/house"}
    return ModbusSource("pumps", ModbusSettings.model_validate({**known, **more}))


def machine(unit: int) -> str:
    return f"acme/gj/utilities/house/pump-{unit}"


def test_every_kind_of_register_is_read_over_a_hole_too(port: int) -> None:
    with collecting(source(port, 1, 2)) as got:
        got.until(lambda c: len(c.values("unit")) >= 6)
        for unit in (1, 2):
            frame = got.by_machine()[machine(unit)]
            row = dict(zip(frame.sensors, frame.values[-1].tolist(), strict=True))
            assert math.isnan(row.pop("none"))
            assert row == {
                "oil": -20.0,
                "speed": 1480.5,
                "swapped": 1480.5,
                "energy": 123456789.0,
                "overload": 1.0,
                "behind_a_hole": 7.0,
                "on": 1.0,
                "open": 1.0,
                "unit": float(unit),
            }


def test_a_register_that_is_not_there_is_missing_and_the_others_are_read(port: int) -> None:
    maps = {"pump": {"oil": MAP["oil"], "wrong": {"address": 4000}}}
    one = source(port, 1, maps=maps)
    with collecting(one) as got:
        got.until(lambda c: len(c.values("oil")) >= 2)
        assert got.values("wrong") == []
        until(lambda: "refuses 1 holding registers from 4000 (exception 2)" in one.status.detail)


def test_a_dead_slave_and_a_dead_address_hold_up_no_other(port: int) -> None:
    devices = [
        {"machine": "pump-1", "map": "pump", "unit": 1},
        {"machine": "pump-9", "map": "pump", "unit": 9},
        {"machine": "pump-8", "map": "pump", "unit": 1, "port": free_port()},
    ]
    one = source(port, devices=devices, maps={"pump": {"oil": MAP["oil"]}})
    with collecting(one) as got:
        got.until(lambda c: len(c.values("oil")) >= 15)
        assert set(got.by_machine()) == {machine(1)}
        assert one.status.extra["late_polls"] <= 3
        assert one.status.extra["no_answers"] <= 10, "dead ones are asked less and less often"
        until(lambda: "cannot be reached" in one.status.detail or "did not answer" in one.status.detail)
        assert one.status.connected


@contextmanager
def late_server(port: int) -> Iterator[None]:
    """A slave whose first answer takes 0.6 s, and whose register counts its requests."""
    started = threading.Event()
    stop: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while request := await reader.read(12):
            count += 1
            answer = request[:4] + b"\x00\x05" + request[6:7] + b"\x03\x02" + count.to_bytes(2, "big")

            async def send(answer: bytes, after: float) -> None:
                await asyncio.sleep(after)
                writer.write(answer)

            task = asyncio.ensure_future(send(answer, 0.6 if count == 1 else 0.25))
            stop.append(task)

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        stop.insert(0, asyncio.get_running_loop())
        started.set()
        async with server:
            await asyncio.Event().wait()

    def target() -> None:
        with suppress(RuntimeError):  # the loop was stopped
            asyncio.run(run())

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        stop[0].call_soon_threadsafe(stop[0].stop)
        thread.join(5)


def test_an_answer_that_comes_late_is_never_taken_for_another() -> None:
    port = free_port()
    with late_server(port):
        one = source(port, 1, maps={"pump": {"count": {"address": 0}}}, timeout=0.4, again=0.1)
        with collecting(one) as got:
            got.until(lambda c: len(c.values("count")) >= 3)
            assert got.values("count")[:3] == [2.0, 3.0, 4.0], (
                "the answer to the first request came during the second"
            )


def test_the_check_shows_a_value_in_all_orders(port: int) -> None:
    words = ["connect", "modbus", "check", "--port", str(port), "--address", "100", "--count", "4"]
    result = CliRunner().invoke(make_app(), words)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "    100  FF38   65336    -200  1111 1111 0011 1000" in lines
    assert [line.split()[:3] for line in lines if line.startswith("    101  ABCD")] == [
        ["101", "ABCD", "1480.5"]
    ]


def test_the_check_says_what_to_do_when_nobody_answers() -> None:
    words = ["connect", "modbus", "check", "--port", str(free_port()), "--timeout", "0.3"]
    command = [sys.executable, "-c", "from streams.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Is it on, and are host, port and unit right?" in done.stderr


def test_the_example_of_the_page_reads_both_pumps(port: int) -> None:
    name, settings = source_of("modbus.md")
    one = ModbusSource(name, ModbusSettings.model_validate({**settings, "host": "127.0.0.1", "port": port}))
    with collecting(one) as got:
        got.until(lambda c: len(c.by_machine()) == 2)
        frame = got.by_machine()["acme/gwangju/utilities/pump-house/pump-2"]
        assert dict(zip(frame.sensors, frame.values[0].tolist(), strict=True)) == {
            "oil_temperature": -20.0,
            "speed": 1480.5,
            "energy": 123456789.0,
            "overload": 1.0,
        }
    (command,) = [block for block in blocks("modbus.md") if block.startswith("yeji")]
    words = command.replace("10.1.1.7", f"127.0.0.1 --port {port}").split()[1:]
    assert CliRunner().invoke(make_app(), words).exit_code == 0


def test_a_machine_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="devices: "):
        source(1, devices=[{"machine": " ", "map": "pump"}])
