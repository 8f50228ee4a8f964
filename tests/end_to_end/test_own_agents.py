"""Agents of a plant's own beside ours: the example of the docs, and what holds of every such agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline.wire.readings import decode

from .recording import Sent, record
from .stage import Stage, Worker

pytestmark = pytest.mark.services

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def start(stage: Stage, command: list[str], folder: Path, **more: str) -> Worker:
    """Start a worker by a command, with the stage's settings as environment."""
    environment = dict(os.environ, **more)
    plain = stage.settings.model_dump(mode="json")
    assert stage.settings.influx.token is not None
    plain["influx"]["token"] = stage.settings.influx.token.get_secret_value()
    for name in ("kafka", "influx", "worker", "classes"):
        environment[f"YEJI_{name.upper()}"] = json.dumps(plain[name])
    environment["YEJI_DATA"] = plain["data"]
    log = stage.folder / f"worker-{len(stage.workers)}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
    worker = Worker(process, log)
    stage.workers.append(worker)
    return worker


def readings_by_line(messages: list[Sent]) -> Counter[str]:
    """How many readings of each line can be decoded."""
    found: Counter[str] = Counter()
    for sent in messages:
        frame, _ = decode(sent.message())
        if frame is not None:
            found[frame.machine.rpartition("/")[0]] += len(frame)
    return found


def consumed(brokers: str, topic: str) -> list[dict[str, Any]]:
    """Everything in a topic of one partition."""
    consumer = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    end = consumer.end_offsets([part])[part]
    found: list[dict[str, Any]] = []
    while consumer.position(part) < end:
        for records in consumer.poll(timeout_ms=500).values():
            found += [json.loads(r.value) for r in records]
    consumer.close()
    return found


@pytest.mark.parametrize(
    "command", [["faust", "-A", "line_counts:app", "worker"], ["yeji", "worker", "--name", "one"]], ids=str
)
def test_the_example_counts_the_readings_of_each_line(
    stage: Stage, command: list[str], tmp_path: Path, make_topic: Any
) -> None:
    topic = make_topic("line-counts")
    source = (EXAMPLES / "line_counts.py").read_text()
    (tmp_path / "line_counts.py").write_text(source.replace("plant.line-counts", topic))
    messages = record()
    stage.produce(messages)
    if command[0] == "yeji":
        stage.change(agents=["line_counts"])
    worker = start(stage, command, tmp_path, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    counted: Counter[str] = Counter()
    for one in consumed(stage.settings.kafka.brokers, topic):
        counted[one["line"]] += one["readings"]
    assert counted == readings_by_line(messages)
    assert stage.points("reading"), "and ours has scored them"


def test_what_an_own_agent_has_not_seen_is_not_committed(
    stage: Stage, tmp_path: Path, make_topic: Any, unique: Any
) -> None:
    messages = record()
    orders = make_topic("orders", partitions=2)
    stage.change(agents=["own_agents"], checkpoint=0.1)
    seen = tmp_path / "seen"
    more = {"YEJI_TEST_SEEN": str(seen), "YEJI_TEST_ORDERS": orders}
    here = Path(__file__).parent
    stage.produce(messages[:60])
    stage.produce([Sent(b"", f"order-{n}".encode(), 1) for n in range(20)], orders)
    first = start(stage, ["yeji", "worker", "--name", "one"], here, **more, YEJI_TEST_DIE="1")
    stage.ended(first)
    assert stage.points("reading"), "ours had written all readings while the other was waiting"
    stage.produce(messages[60:])
    second = start(stage, ["yeji", "worker", "--name", "one"], here, **more)
    stage.wait_until_done(second)
    stage.wait_until_committed(1.0, second)
    stage.wait(lambda: "order-19" in seen.read_text(), [second])
    assert second.terminate() == 0, second.log.read_text()
    lines = [line.split() for line in seen.read_text().splitlines()]
    offsets = {(int(part), int(offset)) for kind, part, offset in (x for x in lines if x[0] == "frame")}
    assert len(offsets) == len(messages)
    assert {line[1] for line in lines if line[0] == "order"} == {f"order-{n}" for n in range(20)}
