"""Topics on the real broker: created as they must be, checked, and never reshaped behind anyone's back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options, login
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics, TopicState, require_topics, topic_shapes, wanted


@pytest.fixture
def settings(kafka: str, unique: Callable[[str], str]) -> KafkaSettings:
    """Topics of this test alone."""
    names = ("frames", "rejected", "alerts", "feedback", "snapshots", "scores")
    return KafkaSettings(brokers=kafka, partitions=3, **{name: unique(name) for name in names})


@pytest.mark.services
def test_create_then_nothing_more_to_do(settings: KafkaSettings) -> None:
    with pytest.raises(KafkaError, match="Create them with `yeji topics`"):
        require_topics(settings)
    topics = Topics(settings)
    before = topics.check()
    assert {report.state for report in before} == {TopicState.MISSING}
    after = topics.apply(before)
    assert {report.state for report in after} == {TopicState.FINE}
    assert {report.partitions for report in after} == {3}
    assert topics.apply(after) == after
    topics.close()
    require_topics(settings)


@pytest.mark.services
def test_what_differs_is_set_and_what_was_chosen_is_kept(settings: KafkaSettings) -> None:
    topics = Topics(settings)
    topics.apply(topics.check())
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    changed = {"max.message.bytes": "1000000", "retention.ms": "1234567"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.frames, changed)])
    deadline = time.monotonic() + 30
    while topics.check()[0].state is TopicState.FINE:  # until the broker knows of the change
        assert time.monotonic() < deadline
    found = topics.check()
    assert found[0].settable == {"max.message.bytes": str(16 << 20)}
    assert topics.apply(found)[0].state is TopicState.FINE
    configs = topics._configs([settings.frames])[settings.frames]
    assert (configs["max.message.bytes"], configs["retention.ms"]) == (str(16 << 20), "1234567")
    topics.close()
    admin.close()


@pytest.mark.services
def test_partitions_that_are_not_equal_stop_a_worker(settings: KafkaSettings) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    some = {settings.frames: {"num_partitions": 2, "replication_factor": 1}}
    some[settings.snapshots] = {"num_partitions": 3, "replication_factor": 1}
    some[settings.feedback] = {"num_partitions": 2, "replication_factor": 1}
    some[settings.alerts] = some[settings.rejected] = some[str(settings.scores)] = {
        "num_partitions": 2,
        "replication_factor": 1,
    }
    admin.create_topics(some, wait_for_metadata=True)
    admin.close()
    topics = Topics(settings)
    before = {report.spec.name: report for report in topics.check()}
    assert before[settings.snapshots].unequal
    assert not before[settings.frames].unequal
    assert "Set kafka.partitions to 2, or add them" in before[settings.frames].problems[0]
    with pytest.raises(KafkaError, match="nothing is deleted"):
        require_topics(settings)
    after = {report.spec.name: report for report in topics.apply(topics.check())}
    assert {after[name].partitions for name in (settings.frames, settings.feedback)} == {3}
    assert not any(report.unequal for report in after.values())
    more = Topics(settings.model_copy(update={"partitions": 5}))
    assert more.apply(more.check())[0].partitions == 3, "not unless it is asked for"
    assert more.apply(more.check(), grow=True)[0].partitions == 5
    more.close()
    topics.close()
    require_topics(settings)


@pytest.mark.services
def test_a_topic_that_is_made_anew_has_another_id(settings: KafkaSettings) -> None:
    topics = Topics(settings)
    topics.apply(topics.check())
    before = topics.shapes([settings.frames, "no.such.topic"])
    assert before == topic_shapes(settings, [settings.frames])
    assert before[settings.frames].partitions == 3
    topics._client.delete_topics([settings.frames])
    deadline = time.monotonic() + 30
    while settings.frames in topics.shapes([settings.frames]):
        assert time.monotonic() < deadline
    topics.apply(topics.check())
    assert topics.shapes([settings.frames])[settings.frames].id != before[settings.frames].id
    configs = topics._configs([settings.frames])[settings.frames]
    assert configs["message.timestamp.type"] == "LogAppendTime"
    topics.close()


def test_a_ten_megabyte_message_fits() -> None:
    limits = {spec.name: int(spec.configs.get("max.message.bytes", 0)) for spec in wanted(KafkaSettings())}
    assert limits["telemetry.rejected"] > limits["telemetry.frames"] > 10_000_000


def test_unreachable() -> None:
    with pytest.raises(KafkaError, match=r"Start it, or correct kafka\.brokers"):
        Topics(KafkaSettings(brokers="127.0.0.1:9"), timeout=1)


def test_security() -> None:
    with pytest.raises(KafkaError, match="YEJI_KAFKA__PASSWORD"):
        login(KafkaSettings(security="SASL_SSL", username="u"))
    with pytest.raises(KafkaError, match="which is no file"):
        client_options(KafkaSettings(security="SSL", ca_file="/no/such/file"))
    options = client_options(KafkaSettings(security="SASL_SSL", username="u", password="p"))
    assert options["sasl_plain_password"] == "p"
    assert options["ssl_context"] is not None
    assert "sasl_mechanism" not in client_options(KafkaSettings(security="SSL"))
