"""What operators do to a running system, on the real services: nothing is lost, and models stay."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from connectors.base.clock import now_ms
from connectors.kafka.partitioning import java, librdkafka
from connectors.kafka.topics import Topics
from desk.service.feedback import KafkaOutlet
from pipeline.events import tells_of_silence
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame, Verdict, VerdictKind
from pipeline.wire.readings import encode_frame
from streams.machine_commands import listed, merge, rename, retire
from streams.operator_error import OperatorError
from streams.snapshot_archive import export, import_, newest
from tests.end_to_end.expected import Expected, expect
from tests.end_to_end.recording import MACHINES, SENSORS, START, STEP, Sent, readings, record
from tests.end_to_end.stage import Stage

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def expected() -> Expected:
    """What the pipeline makes of the recording without any transport."""
    return expect(record())


def delete(stage: Stage, *topics: str) -> None:
    """Delete topics and wait until they are gone."""
    admin = KafkaAdminClient(bootstrap_servers=stage.settings.kafka.brokers)
    admin.delete_topics(list(topics))
    stage.wait(lambda: not set(topics) & set(admin.list_topics()))
    admin.close()


def test_frames_made_anew_between_two_lives(stage: Stage, expected: Expected) -> None:
    messages = record()
    stage.produce(messages[:150])
    worker = stage.start()
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    delete(stage, stage.settings.kafka.frames)
    stage.create()
    stage.produce(messages[150:])  # fewer than before: every new offset is an old one
    worker = stage.start()
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    assert "Models are of a topic that was deleted" in worker.log.read_text()
    expected.check(stage, once=False)


def test_frames_made_anew_under_a_running_worker(stage: Stage, expected: Expected) -> None:
    messages = record()
    stage.produce(messages[:150])
    worker = stage.start()
    stage.wait_until_done(worker)
    delete(stage, stage.settings.kafka.frames)
    stage.create()
    stage.produce(messages[150:])
    stage.wait_until_written(len(expected.reading), worker)
    # Told by the offsets, or by the topic's absence when the worker asked while it was gone.
    told = ("The topic was deleted and made again", "Models are of a topic that was deleted")
    stage.wait(lambda: any(one in worker.log.read_text() for one in told), [worker])
    assert worker.terminate() == 0, worker.log.read_text()
    expected.check(stage, once=False)


def test_commits_that_came_with_a_mirrored_topic(stage: Stage, expected: Expected) -> None:
    """As after a restore: the group's offsets are of the old topic, and lie within the new one."""
    messages = record()
    stage.produce(messages[:100])
    worker = stage.start()
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    kafka = stage.settings.kafka
    admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    before = {
        tp: one
        for tp, one in admin.list_group_offsets(kafka.group)[kafka.group].items()
        if tp.topic == kafka.frames
    }
    assert any(one.offset > 0 for one in before.values())
    delete(stage, kafka.frames)
    stage.create()
    stage.produce(messages[100:])
    admin.alter_group_offsets(
        kafka.group, {tp: OffsetAndMetadata(one.offset, one.metadata, -1) for tp, one in before.items()}
    )
    admin.close()
    worker = stage.start()
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    expected.check(stage, once=False)


def test_a_worker_that_never_lives_long_gets_on(stage: Stage, expected: Expected) -> None:
    stage.change(batch_messages=4, checkpoint=3600.0)
    messages = record()
    for life in range(3):  # a checkpoint comes long before its time, or nothing would ever be committed
        stage.produce(messages[50 * life : 50 * (life + 1)])
        worker = stage.start()
        stage.wait_until_done(worker)
        worker.kill()
    stage.produce(messages[150:])
    stage.change(batch_messages=20, checkpoint=0.3)
    worker = stage.start()
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    expected.check(stage, once=False)


def test_two_workers_of_one_name(stage: Stage, expected: Expected) -> None:
    first = stage.start("same")
    stage.wait(lambda: "Worker is up" in first.log.read_text(), [first])
    second = stage.start("same")
    both = [first, second]
    stage.wait(lambda: any(one.process.poll() is not None for one in both))
    [ended] = [one for one in both if one.process.poll() is not None]
    [other] = [one for one in both if one is not ended]
    assert "Another worker runs under the name" in ended.log.read_text()
    stage.produce(record())
    stage.wait_until_written(len(expected.reading), other)
    assert other.terminate() == 0, other.log.read_text()
    expected.check(stage, once=False)


def test_partitions_added_under_running_workers(stage: Stage, expected: Expected) -> None:
    messages = record()
    stage.produce(messages[:150])
    worker = stage.start()
    stage.wait_until_done(worker)
    grown = stage.settings.kafka.model_copy(update={"partitions": 7})
    topics = Topics(grown)
    topics.apply(topics.check(), grow=True)
    topics.close()
    stage.settings = stage.settings.model_copy(update={"kafka": grown})
    stage.create()  # the recording's own times again
    keys = [b"x", *(name.encode() for name in MACHINES)]
    moving = [key for key in keys if java(key, 3) != java(key, 7)]
    assert b"x" in moving, "a machine that its source calls by a short name moves as well"
    assert len(moving) > 2
    stage.wait(
        lambda: (
            worker.log.read_text().count("A machine goes on with a model of another place") == len(moving)
        ),
        [worker],
    )
    stage.produce(messages[150:])
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    found = {stored.machine: partition for partition, stored, _ in newest(grown)}
    keys = {"plant/site/area/line/x": b"x"}
    assert found == {name: java(keys.get(name, name.encode()), 7) for name in found}
    assert set(MACHINES) <= set(found)
    expected.check(stage, once=False)


def test_verdicts_find_their_machine_whatever_partitioner_filled_the_topic(
    stage: Stage, expected: Expected
) -> None:
    kafka = stage.settings.kafka
    producer = KafkaProducer(bootstrap_servers=kafka.brokers)
    for one in record():
        producer.send(
            kafka.frames,
            one.value,
            key=one.key,
            partition=librdkafka(one.key, 3),
            timestamp_ms=one.received,
        )
    producer.flush()
    producer.close()
    workers = [stage.start(None), stage.start(None)]
    stage.wait_until_done(*workers)
    alarms = {
        a.machine: a
        for a in expected.alerts
        if a.kind is AlarmKind.CONDITION and a.phase is AlarmPhase.RAISED
    }
    assert any(librdkafka(m.encode(), 3) != stage.partition_of(m) for m in alarms)
    verdicts = [
        Verdict(
            id=f"v-{n}",
            machine=alarm.machine,
            machine_class=alarm.machine_class,
            kind=VerdictKind.FALSE_ALARM,
            start=alarm.onset,
            end=alarm.time,
            at=alarm.time,
            by="crew",
            alarm=alarm.id,
        )
        for n, alarm in enumerate(alarms.values())
    ]
    outlet = KafkaOutlet(kafka)
    outlet.send(verdicts)
    outlet.close()
    stage.wait_until_committed(1.0, *workers, topic=kafka.feedback)
    for worker in workers:
        assert worker.terminate() == 0, worker.log.read_text()
    pipeline = Pipeline(stage.settings)
    for _, stored, _ in newest(kafka):
        pipeline.restore(stored.data)
    assert [pipeline.feedback(one) for one in verdicts] == [False] * len(verdicts), "each was taken already"
    assert pipeline.feedback(Verdict(**_fields(verdicts[0]) | {"id": "new"})), "a new one would be taken"


def _fields(verdict: Verdict) -> dict[str, object]:
    return {name: getattr(verdict, name) for name in verdict.__dataclass_fields__}


def test_machines_are_retired_renamed_and_merged(stage: Stage) -> None:
    kafka = stage.settings.kafka
    messages = record()
    worker = stage.start()
    stage.produce(messages)
    stage.wait_until_done(worker)
    everybody = [one.machine for one in listed(kafka)]
    assert set(MACHINES) <= set(everybody)
    with pytest.raises(OperatorError, match="yeji machines list"):
        retire(kafka, ["a/b/c/d/none"], "Kim")
    with pytest.raises(OperatorError, match="yeji machines merge"):
        rename(kafka, MACHINES[0], MACHINES[1], "Kim")
    new = "gwangju/ggm/body/line-9/press-90"
    later = messages[-1].received + 60_000
    value = b'{"machine":"%s","time":%d,"sensors":{"current":10.0}}' % (new.encode(), later)
    stage.produce([Sent(new.encode(), value, later)])
    stage.wait(lambda: new in [one.machine for one in listed(kafka)], [worker])
    rename(kafka, MACHINES[0], new, "Kim")
    merge(kafka, MACHINES[1], MACHINES[4], "Kim")
    retire(kafka, [MACHINES[2]], "Kim")
    left = sorted({new, *everybody} - {MACHINES[0], MACHINES[1], MACHINES[2]})
    stage.wait(lambda: [one.machine for one in listed(kafka)] == left, [worker])
    stage.wait(lambda: not next(o for o in listed(kafka) if o.machine == new).learning, [worker])
    assert worker.terminate() == 0, worker.log.read_text()
    states: dict[str, AlarmPhase] = {}
    for alarm in stage.alerts():
        if alarm.machine in MACHINES[:3]:
            states[alarm.id] = alarm.phase
    assert states
    assert set(states.values()) == {AlarmPhase.CLEARED}, "no alarm of a machine that is gone stands"
    again = stage.start()
    stage.wait(lambda: again.log.read_text().count("Partition taken over") == 3, [again])
    assert again.terminate() == 0, again.log.read_text()
    assert [one.machine for one in listed(kafka)] == left


def test_snapshots_lost_are_told_and_written_back(stage: Stage, expected: Expected, tmp_path: Path) -> None:
    messages, kafka = record(), stage.settings.kafka
    stage.produce(messages[:150])
    worker = stage.start()
    stage.wait_until_done(worker)
    archive = tmp_path / "models.yeji.zip"
    machines = export(kafka, archive)
    assert machines >= len(MACHINES)
    with pytest.raises(OperatorError, match="run: they would not see"):
        import_(kafka, archive)
    with pytest.raises(OperatorError, match="is there already"):
        export(kafka, archive)
    assert worker.terminate() == 0, worker.log.read_text()
    delete(stage, kafka.snapshots)
    stage.create()
    empty = stage.start()
    stage.wait(lambda: "Snapshots are missing" in empty.log.read_text(), [empty])
    stage.wait(lambda: empty.log.read_text().count("Partition taken over") == 3, [empty])
    lost = sum(
        int(line.split("machines_before=")[1].split()[0])
        for line in empty.log.read_text().splitlines()
        if "Snapshots are missing" in line
    )
    assert lost == machines
    assert empty.terminate() == 0, empty.log.read_text()
    assert len(import_(kafka, archive, patience=60.0).written) == machines
    assert len(import_(kafka, archive).left_out) == machines
    stage.produce(messages[150:])
    last = stage.start()
    stage.wait_until_written(len(expected.reading), last)
    assert last.terminate() == 0, last.log.read_text()
    expected.check(stage, once=False)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(OperatorError, match="is damaged"):
        import_(kafka, archive)


def test_a_transactional_producer_leaves_no_lag(stage: Stage) -> None:
    confluent = pytest.importorskip("confluent_kafka")
    kafka, machine = stage.settings.kafka, MACHINES[0].encode()
    producer = confluent.Producer(
        {"bootstrap.servers": kafka.brokers, "transactional.id": stage.settings.kafka.group}
    )
    producer.init_transactions()
    for n in range(3):
        producer.begin_transaction()
        value = b'{"machine":"%s","time":%d,"sensors":{"t":1.0}}' % (machine, START + n)
        producer.produce(kafka.frames, value, key=machine, partition=0)
        producer.commit_transaction()
    worker = stage.start()
    stage.wait(lambda: "lag=0" in worker.log.read_text(), [worker])
    stage.wait_until_written(6, worker)  # a value and a state each
    assert worker.terminate() == 0, worker.log.read_text()
    assert "Offsets are not in the topic" not in worker.log.read_text()
    assert len({time for _, time, _ in stage.points("reading")}) == 3


def test_started_while_its_services_are_away(stage: Stage, tmp_path: Path) -> None:
    there = stage.settings
    nowhere = there.influx.model_copy(update={"url": "http://127.0.0.1:9"})
    stage.settings = there.model_copy(update={"influx": nowhere})
    worker = stage.start()
    stage.wait(lambda: "Waiting for a sink" in worker.log.read_text(), [worker])
    assert worker.terminate() == 0, worker.log.read_text()
    away = there.kafka.model_copy(update={"brokers": "127.0.0.1:9"})
    stage.settings = there.model_copy(update={"kafka": away})
    worker = stage.start()
    stage.wait(lambda: "Waiting for Kafka" in worker.log.read_text(), [worker])
    time.sleep(3)
    assert worker.process.poll() is None
    assert len(worker.log.read_text().splitlines()) < 20
    worker.kill()
    blocked = tmp_path / "file"
    blocked.write_text("")
    stage.settings = there.model_copy(update={"data": blocked / "data"})
    worker = stage.start()
    stage.ended(worker)
    log = worker.log.read_text()
    assert "cannot be written by user" in log
    wrong = there.influx.model_copy(update={"token": type(there.influx.token)("wrong")})
    stage.settings = there.model_copy(update={"influx": wrong})
    worker = stage.start()
    stage.ended(worker)
    assert "the token is not accepted" in worker.log.read_text()


def test_wrong_offsets_are_not_believed(stage: Stage) -> None:
    kafka = stage.settings.kafka
    stage.produce(record(frames=2))
    admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    admin.alter_group_offsets(
        kafka.group, {TopicPartition(kafka.frames, p): OffsetAndMetadata(10_000, "", -1) for p in range(3)}
    )
    admin.close()
    worker = stage.start()
    wanted = len(expect(record(frames=2)).reading)
    stage.wait(lambda: len(stage.points("reading")) == wanted, [worker])
    assert worker.terminate() == 0, worker.log.read_text()


def live(machine: str, number: int, last: int) -> list[Frame]:
    """Twelve frames of 50 readings, one a second, of which the newest is of ``last`` (ms UTC)."""
    values = readings(number, 600)
    time = last + (np.arange(600) - 599) * STEP
    return [Frame(machine, time[at : at + 50], SENSORS, values[at : at + 50]) for at in range(0, 600, 50)]


def test_silence_is_told_although_the_folder_is_gone(stage: Stage) -> None:
    worker = stage.start()
    stage.wait(lambda: "Worker is up" in worker.log.read_text(), [worker])
    shutil.rmtree(stage.settings.data)
    stage.settings.data.write_text("")  # `alive` cannot be touched any more
    stage.wait(lambda: "alive" in worker.log.read_text(), [worker])
    now = now_ms()
    heard, silent = live(MACHINES[4], 4, now), live(MACHINES[5], 5, now - 400_000)
    stage.produce([Sent(one.machine.encode(), encode_frame(one), now) for one in (*heard, *silent)])
    stage.wait(
        lambda: MACHINES[5] in {one.machine for one in stage.alerts() if tells_of_silence(one)},
        [worker],
    )
    assert worker.terminate() == 0, worker.log.read_text()
