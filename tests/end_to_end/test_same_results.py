"""One recording, embedded and through Kafka, Faust and InfluxDB: the same to the last bit, each once."""

from __future__ import annotations

import pytest

from .expected import Expected, expect
from .recording import record
from .stage import Stage

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def expected() -> Expected:
    """What the pipeline makes of the recording without any transport."""
    return expect(record())


def test_recording_goes_through_every_state(expected: Expected) -> None:
    assert {value for (_, _, field), value in expected.reading.items() if field == "state"} == {
        "0",
        "1",
        "2",
        "3",
    }
    assert expected.contribution
    assert {(a.kind.value, a.phase.value) for a in expected.alerts} >= {
        ("condition", "raised"),
        ("condition", "cleared"),
        ("quality", "raised"),
    }
    assert len({reason for reason, _ in expected.rejections}) >= 12


def test_embedded_and_stream_agree(stage: Stage, expected: Expected) -> None:
    stage.produce(record())
    worker = stage.start()
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    expected.check(stage, once=True)


def test_killed_worker_loses_nothing_and_writes_nothing_twice(stage: Stage, expected: Expected) -> None:
    stage.change(batch_messages=4, checkpoint=0.05)
    stage.produce(record())
    for die in ("process:4", "write:3", "snapshots:2", "commit:1", "committed:1"):
        worker = stage.start(die=die)
        stage.ended(worker)
        assert worker.process.returncode == -9, worker.log.read_text()
    last = stage.start()
    stage.wait_until_written(len(expected.reading), last)
    assert last.terminate() == 0, last.log.read_text()
    expected.check(stage, once=False)
