"""docs/mqtt.md and docs/connect.md, tried word for word."""

from __future__ import annotations

import shlex

import pytest

from connectors.base.sources import open_source, settings_of_kind
from connectors.mqtt.source import MqttSource
from pipeline.wire.times import EARLIEST
from tests.conftest import MqttBroker
from tests.connectors.collecting import collecting, until
from tests.connectors.mqtt.brokers import publish
from tests.connectors.pages import blocks, source_of


@pytest.mark.services
def test_the_example_of_the_page_brings_the_reading_that_it_says(mosquitto: MqttBroker) -> None:
    name, settings = source_of("mqtt.md")
    settings["broker"]["port"] = mosquitto.port
    one = open_source(name, settings_of_kind(settings))
    assert isinstance(one, MqttSource)
    with collecting(one) as got:
        until(lambda: one.status.connected)
        command = shlex.split(blocks("mqtt.md")[0])  # its program need not be installed here
        topic, payload = command[command.index("-t") + 1], command[command.index("-m") + 1]
        publish(mosquitto.port, topic, payload)
        got.until(lambda c: c.frames)
        (frame,) = got.frames
        assert frame.machine == "acme/gwangju/body/line-1/press-07"
        assert (frame.sensors, frame.values.tolist()) == (("temperature",), [[61.5]])
        assert frame.time.tolist()[0] > EARLIEST


def test_the_other_examples_are_settings_that_can_be_used() -> None:
    for page, number in (("connect.md", 0), ("mqtt.md", 1)):
        name, settings = source_of(page, number)
        for key in ("ca_file", "cert_file", "key_file"):
            settings["broker"].pop(key, None)
        open_source(name, settings_of_kind({"kind": "mqtt", **settings}))
