"""Mosquitto brokers of one test: with TLS, with logins, stopped and started again on the same port."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from local_services.process import Server, free_port, listening
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


@dataclass
class Broker:
    """A broker that can be stopped and started; it keeps its sessions on disk."""

    folder: Path
    port: int
    server: Server

    def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin")
        assert program
        command = [program, "-c", str(self.folder / "mosquitto.conf")]
        self.server.start(command, ready=lambda: listening(self.port), tied=True, timeout=20)

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def broker(folder: Path, more: str = "allow_anonymous true\n") -> Iterator[Broker]:
    """A running broker; ``more`` is the rest of its configuration."""
    if shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin") is None:
        pytest.skip("mosquitto is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\npersistence true\npersistence_location {folder}/\nuser root\n"
        f"max_queued_messages 0\n{more}"
    )
    made = Broker(folder, port, Server("mosquitto", folder))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def publisher(port: int, **login: str) -> Iterator[paho.Client]:
    """A connected client that publishes."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    if login:
        client.username_pw_set(login["username"], login["password"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(port: int, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
    """Publish one message and wait until the broker has it."""
    with publisher(port) as client:
        client.publish(topic, payload, qos, retain).wait_for_publish(10)
