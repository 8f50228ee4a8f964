"""How many machines there may be, and what becomes of those that are gone or renamed."""

from __future__ import annotations

import numpy as np

from pipeline.pipeline import Pipeline
from pipeline.records import AlarmPhase, Message
from pipeline.wire.readings import encode_frame
from tests.pipeline.plant import START, recording, settings

DAY = 86_400_000


def _name(n: int) -> str:
    return f"a/b/c/d/press-{n}"


def test_a_machine_beyond_the_bound_is_turned_away_and_the_known_ones_go_on() -> None:
    using = settings()
    using.intake.max_machines = 2
    pipeline = Pipeline(using)
    frames = [recording(_name(n), 80, n) for n in range(3)]
    results = pipeline.process([Message(encode_frame(f), START + 10**6) for f in frames])
    assert [one.reason.value for one in results.rejections] == ["too-many-machines"]
    assert (results.rejections[0].machine, results.rejections[0].readings) == (_name(2), 80)
    assert results.rejections[0].original == encode_frame(frames[2])
    assert pipeline.machines == 2
    pipeline.retire(_name(0), START)
    assert pipeline.process([frames[2]]).rejections == []


def test_a_retired_machine_leaves_no_alarm_behind() -> None:
    pipeline = Pipeline(settings())
    results = pipeline.process([recording(_name(0), 400, 1, fault=(300, 400))])
    raised = {one.id for one in results.alarms if one.phase is AlarmPhase.RAISED}
    open_ones = raised - {one.id for one in results.alarms if one.phase is AlarmPhase.CLEARED}
    assert open_ones
    gone = pipeline.retire(_name(0), START + DAY)
    assert {one.id for one in gone.alarms} == open_ones
    assert {(one.phase, one.time) for one in gone.alarms} == {(AlarmPhase.CLEARED, START + DAY)}
    assert pipeline.names() == []
    assert pipeline.retire(_name(0), START).alarms == []


def test_machines_that_are_long_gone_are_known() -> None:
    pipeline = Pipeline(settings())
    pipeline.process([recording(_name(0), 80, 1), recording(_name(1), 90, 2)])
    last = START + 79_000
    assert pipeline.long_gone(last + 90 * DAY) == []
    assert pipeline.long_gone(last + 90 * DAY + 1) == [_name(0)]


def test_a_machine_goes_on_under_its_new_name() -> None:
    old, new = _name(0), _name(1)
    whole = recording(old, 400, 1)
    unbroken = Pipeline(settings()).process([whole])
    pipeline = Pipeline(settings())
    pipeline.process([_part(whole, old, 0, 300)])
    data = pipeline.dump(old)
    pipeline.process([Message(encode_frame(_part(whole, new, 300, 310)), 2 * START, offset=7, partition=3)])
    assert pipeline.adopt_saved(data, new)
    assert not pipeline.adopt_saved(data, new), "it has a model now"
    assert (pipeline.offset_of(new), pipeline.partition_of(new)) == (7, 3)
    assert pipeline.changed() == [new]
    scored = pipeline.process([_part(whole, new, 300, 400)]).scored[0]
    expected = np.concatenate([one.score for one in unbroken.scored])[300:]
    assert scored.machine == new
    assert np.array_equal(scored.score, expected)


def _part(whole, name, start, stop):
    part = slice(start, stop)
    return type(whole)(name, whole.time[part], whole.sensors, whole.values[part])


def test_a_topic_that_begins_anew_is_taken_from_its_beginning() -> None:
    pipeline = Pipeline(settings())
    frame = recording(_name(0), 200, 1)
    pipeline.process([Message(encode_frame(_part(frame, _name(0), 0, 100)), 2 * START, offset=2500)])
    later = Message(encode_frame(_part(frame, _name(0), 100, 200)), 2 * START, offset=0)
    assert pipeline.process([later]).readings == 0, "taken for one that was applied"
    pipeline.rewind(_name(0))
    assert pipeline.process([later]).readings == 100
