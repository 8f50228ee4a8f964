"""The host on a real mosquitto: STATE, rebirth requests, a death by the broker's will."""

from __future__ import annotations

import json
import queue
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from connectors.sparkplug.schema import Payload
from connectors.sparkplug.settings import SparkplugSettings
from connectors.sparkplug.source import SparkplugSource
from pipeline.settings import SettingsError
from tests.conftest import MqttBroker
from tests.connectors.collecting import collecting, until
from tests.connectors.pages import source_of
from tests.connectors.sparkplug.edge import Edge

pytestmark = pytest.mark.services


@contextmanager
def node(port: int, edge: Edge, listens: str) -> Iterator[tuple[paho.Client, queue.Queue[Any]]]:
    """An edge node's connection with its will, and what it heard."""
    heard: queue.Queue[Any] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    topic, payload = edge.ndeath(now())
    client.will_set(topic, payload, 1)
    client.on_message = lambda c, d, message: heard.put(message)
    client.connect("127.0.0.1", port)
    client.subscribe(listens, 1)
    client.loop_start()
    yield client, heard
    client.loop_stop()


def now() -> int:
    return time.time_ns() // 1_000_000


def settings_for(broker: MqttBroker, group: str, **more: object) -> SparkplugSettings:
    return SparkplugSettings.model_validate(
        {
            "kind": "sparkplug",
            "groups": [group],
            "broker": {"host": broker.host, "port": broker.port},
            "mapping": {"levels": "acme/gj"},
            **more,
        }
    )


class Group(Edge):
    """An edge of a group of its own, as all tests share the broker."""

    group = "plant"

    def topic(self, kind: str, device: str = "") -> str:
        return super().topic(kind, device).replace("/plant/", f"/{self.group}/")


def test_births_requests_and_the_brokers_will(mosquitto: MqttBroker, unique: Any) -> None:
    edge = Group()
    edge.group = unique("group").replace(".", "-")
    one = SparkplugSource(unique("host"), settings_for(mosquitto, edge.group))
    machine = f"acme/gj/{edge.group}/gateway/press-1"
    with node(mosquitto.port, edge, f"spBv1.0/{edge.group}/NCMD/#") as (client, heard):
        edge.nbirth(0), edge.dbirth("press-1", 0, temp=1.0)  # before the host was there
        with collecting(one) as got:
            until(lambda: one.status.connected)
            begin = now()
            client.publish(*edge.data("press-1", begin, temp=61.5))
            command = heard.get(timeout=10)
            assert command.topic == f"spBv1.0/{edge.group}/NCMD/gateway"
            assert Payload.FromString(command.payload).metrics[0].name == "Node Control/Rebirth"
            client.publish(*edge.nbirth(begin + 1))
            client.publish(*edge.dbirth("press-1", begin + 1, temp=61.5))
            client.publish(*edge.data("press-1", begin + 2, temp=62.0))
            got.until(lambda c: c.values("temp") == [61.5, 61.5, 62.0])
            assert got.by_machine()[machine].time.tolist() == [begin, begin + 1, begin + 2]
            client._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # as a cable that is pulled
            got.until(lambda c: any(bool((frame.values != frame.values).all()) for frame in c.frames[-1:]))
            assert one.status.extra["deaths"] == 2, "of the node itself and its device"


def test_a_host_application_says_that_it_is_there_and_when_it_goes(
    mosquitto: MqttBroker, unique: Any
) -> None:
    host = unique("host").replace(".", "-")
    edge = Edge()
    one = SparkplugSource(unique("s"), settings_for(mosquitto, "+", host_id=host))
    with node(mosquitto.port, edge, f"spBv1.0/STATE/{host}") as (client, heard):
        with collecting(one):
            online = json.loads(heard.get(timeout=10).payload)
            assert online["online"] is True
            assert abs(online["timestamp"] - now()) < 60_000
            # an old will of ours that comes late is contradicted
            client.publish(f"spBv1.0/STATE/{host}", json.dumps({"online": False, "timestamp": 0}), 1, True)
            assert json.loads(heard.get(timeout=10).payload)["online"] is False
            assert json.loads(heard.get(timeout=10).payload) == online
        gone = json.loads(heard.get(timeout=10).payload)
        assert gone == {"online": False, "timestamp": online["timestamp"]}


def test_the_example_of_the_page_names_machines_as_it_says(mosquitto: MqttBroker, unique: Any) -> None:
    name, settings = source_of("sparkplug.md")
    settings["broker"] = {"host": mosquitto.host, "port": mosquitto.port}
    one = SparkplugSource(f"{name}-{unique('x')}", SparkplugSettings.model_validate(settings))
    edge = Group("press-line-2")
    edge.group = "Stamping"
    with node(mosquitto.port, edge, "nothing") as (client, _), collecting(one) as got:
        until(lambda: one.status.connected)
        client.publish(*edge.nbirth(now(), **{"Board/temp": 40.0}))
        client.publish(*edge.dbirth("Press 07", now(), temperature=61.5))
        got.until(lambda c: c.values("temperature"))
        assert {frame.machine for frame in got.frames} == {
            "acme/gwangju/Stamping/press-line-2/Press 07",
            "acme/gwangju/area/Stamping/press-line-2",
        }


def test_a_machine_template_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"machine has \{line\}; write \{group\}, \{node\} and \{device\}"
    ):
        SparkplugSource("x", SparkplugSettings(machine="{line}/{device}"))
