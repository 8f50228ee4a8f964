"""OPC UA against a real server process: paths, quality, security, loss, history, nodes that come later."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from local_services.process import free_port

from connectors.opcua.settings import OpcUaSettings
from connectors.opcua.source import OpcUaSource
from pipeline.settings import SettingsError
from tests.connectors.collecting import collecting, until
from tests.connectors.opcua import server as real_server
from tests.connectors.pages import source_of

MACHINE = "acme/gj/body/line-1/Press-07"
SENSORS = {"temperature": "Temperature", "speed": "Speed", "current": "Motor/Current"}


@dataclass
class UaServer:
    """The server's process; ``tell`` writes a line and waits for its answer."""

    port: int
    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "done"


@contextmanager
def serving(folder: Path, port: int | None = None) -> Iterator[UaServer]:
    """A server until the end of the block."""
    port = port or free_port()
    command = [sys.executable, str(real_server.__file__), str(port), str(folder)]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout
            assert process.stdout.readline().strip() == "ready", (folder / "log").read_text()
            yield UaServer(port, process)
        finally:
            process.kill()
            process.wait()


def source(port: int, *, machines: list[dict[str, Any]] | None = None, **settings: Any) -> OpcUaSource:
    known = {
        "url": f"opc.tcp://127.0.0.1:{port}",
        "namespaces": {"plant": real_server.URI},
        "machines": machines or [{"path": "plant:Hall/plant:Press-07", "sensors": SENSORS}],
        "interval": 0.1,
        "sampling": 0,
        "look": 0.5,
        "timeout": 5,
        "mapping": {"levels": "acme/gj/body/line-1"},
    }
    return OpcUaSource("cell", OpcUaSettings.model_validate(known | settings))


def test_values_come_by_browse_path_with_their_source_time_and_quality(tmp_path: Path) -> None:
    with serving(tmp_path) as server, collecting(source(server.port)) as got:
        got.until(lambda c: c.values("current"))
        assert (got.values("temperature"), got.values("speed"), got.values("current")) == (
            [60.0],
            [1480.0],
            [7.5],
        )
        server.tell("set Temperature 61.5")
        got.until(lambda c: c.values("temperature") == [60.0, 61.5])
        server.tell("set Temperature 62.5 UncertainLastUsableValue")
        got.until(lambda c: c.values("temperature")[-1] == 62.5)
        last = got.frames[-1]
        assert last.uncertain is not None
        assert last.uncertain[-1, last.sensors.index("temperature")]
        server.tell("set Temperature 99.0 BadSensorFailure")
        got.until(lambda c: math.isnan(c.frames[-1].values[-1, 0]))
        assert {frame.machine for frame in got.frames} == {MACHINE}
        times = got.by_machine()[MACHINE].time.tolist()
        assert times == sorted(set(times))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UaServer]:
    """One server for the tests that only add machines to it."""
    with serving(tmp_path_factory.mktemp("opcua")) as server:
        yield server


def test_without_sensors_every_number_below_a_machine_is_one(plant: UaServer) -> None:
    machines = [{"path": "plant:Hall/plant:Press-07"}]
    with collecting(source(plant.port, machines=machines)) as got:
        got.until(lambda c: c.values("Motor/Current"))
        assert set(got.by_machine()[MACHINE].sensors) == {"Temperature", "Speed", "Running", "Motor/Current"}
        assert got.source.status.extra["no_numbers"] == 1  # type: ignore[attr-defined]  # Recipe


def test_machines_of_a_folder_are_found_also_when_they_come_later(plant: UaServer) -> None:
    machines = [{"path": "plant:Hall/*", "machine": "press-line/{name}", "sensors": {"t": "Temperature"}}]
    with collecting(source(plant.port, machines=machines)) as got:
        got.until(lambda c: c.values("t"))
        plant.tell("add Press-08")
        wanted = {f"acme/gj/body/line-1/press-line~2FPress-{number}" for number in ("07", "08")}
        got.until(lambda c: set(c.by_machine()) >= wanted)


def test_a_node_that_is_not_there_yet_is_found_when_it_is(plant: UaServer) -> None:
    machines = [{"path": "plant:Hall/plant:Press-09", "sensors": {"t": "Temperature"}}]
    one = source(plant.port, machines=machines)
    with collecting(one) as got:
        until(lambda: one.status.connected)
        assert one.status.extra["not_there"] == 1
        plant.tell("add Press-09")
        got.until(lambda c: c.values("t") == [60.0])


@dataclass
class Link:
    """A cable between us and the server that can be cut: a TCP proxy on 127.0.0.1."""

    target: int
    port: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    up: bool = True

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            ours, _ = self._listening.accept()
            if not self.up:
                ours.close()
                continue
            theirs = socket.create_connection(("127.0.0.1", self.target))
            self.sockets += [ours, theirs]
            for one, other in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self.up = False
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.up = True


def test_a_gap_is_filled_from_history_and_nothing_comes_twice(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        link = Link(server.port)
        one = source(link.port, url=f"opc.tcp://127.0.0.1:{link.port}")
        with collecting(one) as got:
            got.until(lambda c: c.values("temperature") == [60.0])
            server.tell("set Temperature 1")
            got.until(lambda c: c.values("temperature") == [60.0, 1.0])
            link.cut()
            until(lambda: not one.status.connected)
            for value in (2, 3, 4):
                server.tell(f"set Temperature {value}")
            link.mend()
            got.until(lambda c: sorted(c.values("temperature")) == [1.0, 2.0, 3.0, 4.0, 60.0], 40)
            server.tell("set Temperature 5")
            got.until(lambda c: 5.0 in c.values("temperature"))
            frame = got.by_machine()[MACHINE]
            column = frame.values[:, frame.sensors.index("temperature")]
            assert column[~(column != column)].tolist() == [60.0, 1.0, 2.0, 3.0, 4.0, 5.0], "in order of time"
            assert sorted(got.values("temperature")) == [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]
            assert got.values("speed") == [1480.0], "what did not change is not brought again"
            assert one.status.extra["from_history"] in (2, 3), "the last one may come live"


def test_all_of_a_burst_comes(tmp_path: Path) -> None:
    with serving(tmp_path) as server, collecting(source(server.port)) as got:
        got.until(lambda c: c.values("temperature"))
        server.tell("burst 200")
        got.until(lambda c: len(c.values("temperature")) >= 201)
        assert got.values("temperature")[1:] == [float(number) for number in range(200)]


def test_a_server_that_goes_and_comes_back_is_subscribed_to_again(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = server.port
        one = source(port)
        context = collecting(one)
        got = context.__enter__()
        got.until(lambda c: c.values("temperature") == [60.0])
    until(lambda: not one.status.connected)
    with serving(tmp_path, port) as server:
        until(lambda: one.status.connected, 60)
        server.tell("set Temperature 70")
        got.until(lambda c: 70.0 in c.values("temperature"))
        context.__exit__(None, None, None)


def test_signed_and_encrypted_with_certificates_of_both_sides(tmp_path: Path) -> None:
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    asyncio.run(
        setup_self_signed_certificate(
            tmp_path / "server.pem",
            tmp_path / "server.der",
            "urn:freeopcua:python:server",
            "localhost",
            uses,
            {},
        )
    )
    security = {
        "policy": "Basic256Sha256",
        "cert_file": tmp_path / "own" / "yeji.der",
        "key_file": tmp_path / "own" / "yeji.pem",
        "server_cert_file": tmp_path / "server.der",
    }
    with serving(tmp_path) as server:
        with collecting(source(server.port, security=security)) as got:
            got.until(lambda c: c.values("temperature") == [60.0], 40)
            assert (tmp_path / "own" / "yeji.der").is_file(), "ours was made"
        bare = source(server.port)
        with collecting(bare) as got:
            until(lambda: bare.status.detail not in ("", "not connected yet"))
            assert got.items == []
        (tmp_path / "wrong").mkdir()
        asyncio.run(
            setup_self_signed_certificate(
                tmp_path / "wrong" / "k.pem", tmp_path / "wrong" / "c.der", "urn:x", "localhost", uses, {}
            )
        )
        other = source(server.port, security={**security, "server_cert_file": tmp_path / "wrong" / "c.der"})
        with collecting(other) as got:
            until(lambda: other.status.detail not in ("", "not connected yet"))
            assert got.items == []


def test_a_server_that_is_away_says_what_to_do() -> None:
    one = source(free_port())
    with collecting(one):
        until(lambda: "Start the server, or correct url" in one.status.detail)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"machines": [{"path": "hall:X/Y"}]}, "has the prefix 'hall': say its URI in `namespaces`"),
        ({"machines": [{"path": "a//b"}]}, "has an empty level"),
        (
            {"machines": [{"path": "a"}], "security": {"policy": "Basic256Sha256"}},
            "needs cert_file and key_file",
        ),
        (
            {
                "machines": [{"path": "a"}],
                "security": {"policy": "Basic256Sha256", "cert_file": "c", "key_file": "k"},
            },
            "give server_cert_file",
        ),
    ],
)
def test_mistakes_in_the_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpcUaSettings.model_validate(settings)


def test_a_server_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    security = {"policy": "Basic256Sha256", "cert_file": "c", "key_file": "k", "server_cert_file": "/nowhere"}
    with pytest.raises(SettingsError, match=r"server_cert_file names /nowhere, which is no file"):
        source(1, security=security)


def test_the_example_of_the_page_names_machine_and_sensors_as_it_says(plant: UaServer) -> None:
    name, settings = source_of("opcua.md")
    settings["url"] = f"opc.tcp://127.0.0.1:{plant.port}"
    with collecting(OpcUaSource(name, OpcUaSettings.model_validate(settings))) as got:
        got.until(lambda c: c.values("motor_current"))
        frame = got.by_machine()["acme/gwangju/body/line-1/press-07"]
        assert sorted(frame.sensors) == ["motor_current", "temperature"]
