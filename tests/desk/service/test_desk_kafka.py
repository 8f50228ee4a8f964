"""Alarms in from a real broker and verdicts out to it, across restarts of the desk."""

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions

from connectors.kafka.errors import KafkaError
from connectors.kafka.settings import KafkaSettings
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.alerts import AlertReader
from desk.service.desk import Desk
from desk.service.feedback import KafkaOutlet, pass_on
from pipeline.records import Verdict, VerdictKind
from pipeline.wire.alerts import decode_verdict, encode_alert
from streams.settings import Settings
from tests.desk.rules.plant import OVEN, PRESS, cleared, raised

pytestmark = pytest.mark.services


@pytest.fixture
def cluster(kafka, make_topic):
    return KafkaSettings(
        brokers=kafka,
        alerts=make_topic("alerts", partitions=2),
        feedback=make_topic("feedback", partitions=2),
    )


@pytest.fixture
def send(cluster):
    producer = KafkaProducer(bootstrap_servers=cluster.brokers, acks="all")

    def send(*events):
        for event in events:
            value = event if isinstance(event, bytes) else encode_alert(event)
            producer.send(cluster.alerts, value, key=b"k").get(timeout=30)

    yield send
    producer.close()


def taken(desk, cluster, count):
    reader = AlertReader(cluster, desk)
    got = 0
    while got < count:
        got += reader.read(10)
    reader.close()
    return got


def test_alarms_come_in_once_across_restarts_and_replays(tmp_path, cluster, send):
    settings = Settings(kafka=cluster)
    desk = Desk(tmp_path / "desk.sqlite", settings, lambda: 1)
    send(raised(PRESS), b"{not json", raised(OVEN), raised(PRESS))
    assert taken(desk, cluster, 4) == 4
    assert sorted(v.machine for v in desk.open_alarms(EVERYTHING)) == [PRESS, OVEN]
    entries = desk.head()
    desk.close()
    desk = Desk(tmp_path / "desk.sqlite", settings, lambda: 2)
    send(cleared(OVEN))
    assert taken(desk, cluster, 1) == 1, "it goes on where it stood"
    assert desk.head() == entries + 1
    with desk.store.writing() as t:  # as if the file were an older copy
        t.db.execute("DELETE FROM offsets")
    assert taken(desk, cluster, 5) == 5
    assert desk.head() == entries + 1, "the same events again change nothing"
    desk.close()


def test_verdicts_go_out_keyed_by_machine_and_are_not_lost_while_the_broker_is_away(tmp_path, cluster):
    desk = Desk(tmp_path / "desk.sqlite", Settings(kafka=cluster), lambda: 5)
    event = raised(PRESS)
    desk.receive([event])
    verdict = desk.close_alarm(
        EVERYTHING, event.id, Finding(VerdictKind.FALSE_ALARM, comment="설비 청소"), by="Kim"
    )
    away = cluster.model_copy(update={"brokers": "127.0.0.1:1"})
    with pytest.raises(KafkaError, match="kept, and tried again"):
        pass_on(desk, KafkaOutlet(away, timeout=0.5))
    outlet = KafkaOutlet(cluster)
    assert pass_on(desk, outlet) == 1
    assert pass_on(desk, outlet) == 0
    outlet.close()
    consumer = KafkaConsumer(bootstrap_servers=cluster.brokers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(cluster.feedback, k) for k in (0, 1)])
    copies: dict[int, list[tuple[bytes, Verdict]]] = {}
    while len(copies) < 2:
        for place, some in consumer.poll(timeout_ms=10_000).items():
            copies.setdefault(place.partition, []).extend(
                (one.key, decode_verdict(one.value)) for one in some
            )
    consumer.close()
    once = [(PRESS.encode(), verdict)]
    assert copies == {0: once, 1: once}, "one in each partition, whichever worker has the machine"
    desk.close()


def test_a_topic_that_comes_later_and_grows_is_read_whole(tmp_path, kafka, unique, monkeypatch):
    monkeypatch.setattr("desk.service.alerts._LOOK", 0.0)
    cluster = KafkaSettings(brokers=kafka, alerts=unique("late"))
    desk = Desk(tmp_path / "desk.sqlite", Settings(kafka=cluster), lambda: 1)
    reader = AlertReader(cluster, desk)
    assert reader.read(0.1) == 0
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    admin.create_topics(
        {cluster.alerts: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
    )
    producer.send(cluster.alerts, encode_alert(raised(PRESS))).get(timeout=30)
    while not reader.read(2):
        pass
    admin.create_partitions({cluster.alerts: NewPartitions(2)})
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    while len(producer.partitions_for(cluster.alerts)) < 2:
        producer.close()
        producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    producer.send(cluster.alerts, encode_alert(raised(OVEN)), partition=1).get(timeout=30)
    while not reader.read(2):
        pass
    assert sorted(v.machine for v in desk.open_alarms(EVERYTHING)) == [PRESS, OVEN]
    reader.close()
    producer.close()
    admin.close()
    desk.close()
