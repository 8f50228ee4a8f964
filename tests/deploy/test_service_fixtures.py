"""The fixtures of tests/conftest.py: each gives the real thing."""

import asyncio

import httpx
import pytest
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import UnknownTopicOrPartitionError


@pytest.mark.services
def test_kafka_keeps_what_is_sent(kafka, make_topic):
    topic = make_topic("echo", partitions=2)
    producer = KafkaProducer(bootstrap_servers=kafka)
    producer.send(topic, key=b"k", value=b"one").get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=20000
    )
    assert next(consumer).value == b"one"
    consumer.close()


@pytest.mark.services
def test_a_topic_nobody_made_is_not_made_by_the_broker(kafka, unique):
    from kafka import KafkaAdminClient

    client = KafkaAdminClient(bootstrap_servers=kafka)
    name = unique("nobody")
    with pytest.raises(UnknownTopicOrPartitionError):
        client.delete_topics([name])
    client.close()


@pytest.mark.services
def test_influx_answers_flux_from_a_bucket_of_its_own(influx, influx_bucket):
    assert influx_bucket.bucket != influx.bucket
    with InfluxDBClient(influx_bucket.url, influx_bucket.token, org=influx_bucket.org) as client:
        client.write_api(SYNCHRONOUS).write(influx_bucket.bucket, record="m,machine=a x=1.5 1000000000")
        query = f'from(bucket: "{influx_bucket.bucket}") |> range(start: 0)'
        rows = [record for table in client.query_api().query(query) for record in table.records]
    assert [row.get_value() for row in rows] == [1.5]


@pytest.mark.services
def test_a_token_is_not_shown(influx):
    assert influx.token not in repr(influx)


@pytest.mark.services
def test_influx_refuses_a_wrong_token(influx):
    answer = httpx.get(f"{influx.url}/api/v2/buckets", headers={"Authorization": "Token wrong"})
    assert answer.status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.services
async def test_mosquitto_speaks_mqtt(mosquitto):
    reader, writer = await asyncio.open_connection(mosquitto.host, mosquitto.port)
    # CONNECT, protocol MQTT level 4, clean session, keep alive 60, client id "t"
    writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01t")
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"  # CONNACK, accepted
    writer.close()
