"""What was rejected comes in once the reason is mended: through real workers, once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.records import Frame
from pipeline.wire.readings import encode_frame
from streams.rejected.choice import Choice, overview
from streams.rejected.retake import retake
from tests.end_to_end.expected import expect
from tests.end_to_end.recording import CLASSES, MACHINES, SENSORS, START, STEP, Sent, readings
from tests.end_to_end.stage import Stage

pytestmark = pytest.mark.services


def frames(machine: str, number: int) -> Iterator[Sent]:
    """Six messages of a machine, nothing wrong with them."""
    values = readings(number, 300)
    for at in range(0, 300, 50):
        time = START + np.arange(at, at + 50) * STEP
        frame = Frame(machine, time, SENSORS, values[at : at + 50])
        yield Sent(machine.encode(), encode_frame(frame), int(time[-1]) + 50)


def test_a_machine_that_was_not_listed_is_taken_again_when_it_is(stage: Stage) -> None:
    listed = stage.settings
    one = {"press": CLASSES["press"].model_copy(update={"match": ["*/press-00"]})}
    intake = listed.intake.model_copy(update={"machines": "listed"})
    stage.settings = listed.model_copy(update={"classes": one, "intake": intake})
    messages = list(frames(MACHINES[0], 0)) + list(frames(MACHINES[1], 1))
    stage.produce(messages)
    worker = stage.start()
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    unknown = Choice(machine=MACHINES[1], reasons=frozenset({"machine-unknown"}))
    count = overview(listed.kafka, unknown).reasons.total()
    assert count == len(messages) / 2
    stage.settings = listed
    worker = stage.start()
    done = retake(listed, unknown, "Kim")
    assert (len(done.taken), done.left_out) == (count, [])
    wanted = expect(messages).reading
    stage.wait_until_written(len(wanted), worker)
    assert len(retake(listed, unknown, "Kim").before) == count
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    again = overview(listed.kafka, Choice(machine=MACHINES[1])).reasons
    assert again == {"machine-unknown": count}, "nothing of it was rejected once more"
    found = stage.points("reading")
    assert {key: float(value) for key, value in found.items()} == {
        key: float(value) for key, value in wanted.items()
    }, "scored as if it had been taken at once"
