"""Existing topics on a real Kafka: any key and partitioner, JSON and Avro, offsets when readings are safe."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fastavro
import pytest
from kafka import KafkaProducer

from connectors.kafka.avro import AvroError, AvroReader, RegistryError
from connectors.kafka.errors import KafkaError
from connectors.kafka.topic_settings import KafkaTopicSettings
from connectors.kafka.topic_source import KafkaTopicSource
from pipeline.records import Reason
from tests.connectors.collecting import collecting, until
from tests.connectors.pages import source_of

TIME = 1_790_000_000_000
SCHEMA = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "machine", "type": "string"},
        {"name": "time", "type": "long"},
        {"name": "temp", "type": ["null", "double"]},
    ],
}


def source(brokers: str, topic: str, **settings: Any) -> KafkaTopicSource:
    known = {"topics": [topic], "cluster": {"brokers": brokers}, "group": topic, "begin": "earliest"}
    known["mapping"] = {"levels": "acme/gj/body/line-1"}
    return KafkaTopicSource("historian", KafkaTopicSettings.model_validate(known | settings))


def send(brokers: str, topic: str, *records: tuple[str | None, bytes, int]) -> None:
    producer = KafkaProducer(bootstrap_servers=brokers)
    for key, value, partition in records:
        producer.send(topic, value, key=None if key is None else key.encode(), partition=partition)
    producer.flush()
    producer.close()


def value(n: int) -> bytes:
    return json.dumps({"machine": "press-1", "time": TIME + n, "temp": float(n)}).encode()


@pytest.mark.services
def test_readings_come_from_every_partition_whatever_the_key(kafka: str, make_topic: Any) -> None:
    topic = make_topic("values", partitions=3)
    send(kafka, topic, *((None if n % 2 else "x", value(n), n % 3) for n in range(30)), ("x", b"{junk", 0))
    with collecting(source(kafka, topic)) as got:
        got.until(lambda c: len(c.values("temp")) == 30 and c.rejections)
        frame = got.by_machine()["acme/gj/body/line-1/press-1"]
        assert frame.time.tolist() == [TIME + n for n in range(30)]
        assert (got.rejections[0].reason, got.rejections[0].original) == (Reason.NOT_JSON, b"{junk")


@pytest.mark.services
def test_offsets_are_committed_only_when_readings_are_durable(kafka: str, make_topic: Any) -> None:
    topic = make_topic("values")
    send(kafka, topic, *((None, value(n), 0) for n in range(5)))
    with collecting(source(kafka, topic), acknowledges=False) as got:
        got.until(lambda c: len(c.values("temp")) == 5)
    with collecting(source(kafka, topic)) as got:
        got.until(lambda c: len(c.values("temp")) == 5)
        until(lambda: not got.source._read)  # type: ignore[attr-defined]  # committed
    send(kafka, topic, (None, value(5), 0))
    with collecting(source(kafka, topic)) as got:
        got.until(lambda c: c.values("temp"))
        assert got.values("temp") == [5.0]


@contextmanager
def registry() -> Iterator[str]:
    """The one call of a schema registry that is used, with schema 7."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/schemas/ids/7"
            body = json.dumps({"schema": json.dumps(SCHEMA)} if found else {"error_code": 40403}).encode()
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def avro(record: dict[str, Any], schema: int = 7) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), record)
    return b"\0" + schema.to_bytes(4, "big") + out.getvalue()


@pytest.mark.services
def test_avro_with_a_schema_id_in_front(kafka: str, make_topic: Any) -> None:
    topic = make_topic("avro")
    good = avro({"machine": "press-1", "time": TIME, "temp": 61.5})
    send(kafka, topic, (None, good, 0), (None, good[:8], 0), (None, b'{"temp": 1}', 0))
    with registry() as url, collecting(source(kafka, topic, values="avro", registry=url)) as got:
        got.until(lambda c: len(c.rejections) == 2)
        assert got.values("temp") == [61.5]
        assert {one.reason for one in got.rejections} == {Reason.NOT_AVRO}


def test_a_schema_that_is_not_known_is_the_values_fault_and_a_silent_registry_is_not() -> None:
    with registry() as url, pytest.raises(AvroError, match="has no schema 8"):
        AvroReader(url).read(avro({"machine": "m", "time": TIME, "temp": None}, 8))
    with pytest.raises(RegistryError, match="cannot be asked"):
        AvroReader("http://127.0.0.1:9").read(avro({"machine": "m", "time": TIME, "temp": None}))


def test_brokers_that_are_away_are_an_error_that_says_what_to_do() -> None:
    one = source("127.0.0.1:9", "x")
    with pytest.raises(KafkaError, match=r"Start it, or correct cluster\.brokers"):
        next(iter(one))


@pytest.mark.services
def test_the_example_of_the_page_is_the_reading_that_it_says(kafka: str, make_topic: Any) -> None:
    topic = make_topic("plant-values")
    name, settings = source_of("kafka-topic.md")
    settings |= {"topics": [topic], "group": topic, "begin": "earliest"}
    settings["cluster"]["brokers"] = kafka
    send(kafka, topic, ("press-07", b'{"temperature": 61.5}', 0))
    with collecting(KafkaTopicSource(name, KafkaTopicSettings.model_validate(settings))) as got:
        got.until(lambda c: c.frames)
        (frame,) = got.frames
        assert (frame.machine, frame.sensors) == ("acme/gwangju/body/line-1/press-07", ("temperature",))
