"""Readings joined and in order: what waits, what is history, and that only the messages decide it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.admission.order import NO_ARRIVAL, EventOrder, Taken, Timing
from pipeline.pipeline import Item, Pipeline
from pipeline.records import AlarmPhase, Frame, Message, Reason, Results, State
from pipeline.settings import IntakeSettings
from streams.settings import Settings
from tests.pipeline.plant import SENSORS, recording, settings, through

M = "a/b/c/d/m"
T0 = 1_788_220_800_000
TIMING = Timing(wait=3000, future=300_000)


def waiting(wait: float = 3.0, grid: float = 0.0) -> Settings:
    """The test plant's settings, with a wait."""
    quick = settings()
    return quick.model_copy(update={"intake": IntakeSettings(wait=wait, grid=grid)})


def message(time: int, sensors: dict[str, float], received: int | None = None, offset: int = -1) -> Message:
    value = json.dumps({"machine": M, "time": time, "sensors": sensors}).encode()
    return Message(value, time if received is None else received, M.encode(), "f", 0, offset)


def rows(results: Iterable[Results]) -> dict[int, dict[str, float]]:
    """The scored readings: by time, the values that are there. A time that is scored twice is an error."""
    out: dict[int, dict[str, float]] = {}
    for one in (s for r in results for s in r.scored):
        for time, values in zip(one.time.tolist(), one.values.tolist(), strict=True):
            assert time not in out, "a reading was scored twice"
            out[time] = {
                name: value for name, value in zip(one.sensors, values, strict=True) if not math.isnan(value)
            }
    return out


def history(results: Iterable[Results]) -> dict[int, dict[str, float]]:
    out: dict[int, dict[str, float]] = {}
    for one in (s for r in results for s in [*r.history, *r.complements]):
        for time, values in zip(one.time.tolist(), one.values.tolist(), strict=True):
            there = {n: v for n, v in zip(one.sensors, values, strict=True) if not math.isnan(v)}
            out.setdefault(time, {}).update(there)
    return out


def rejected(results: Iterable[Results]) -> dict[Reason, int]:
    out: dict[Reason, int] = {}
    for one in (rejection for r in results for rejection in r.rejections):
        out[one.reason] = out.get(one.reason, 0) + one.readings
    return out


# -- the cases of plants


def test_a_message_a_tag_is_one_reading_and_a_fault_in_the_last_tag_alarms() -> None:
    frame = recording(M, 400, 1, fault=(300, 400))
    sent: list[Item] = []
    for i, time in enumerate(frame.time.tolist()):
        for column, name in enumerate(frame.sensors):
            if math.isfinite(frame.values[i, column]):
                sent.append(message(time, {name: float(frame.values[i, column])}))
    results = through(Pipeline(waiting()), sent)
    assert not results.rejections
    assert not results.history
    assert len(rows([results])) == 400
    raised = [a for a in results.alarms if a.phase is AlarmPhase.RAISED and a.onset >= frame.time[300]]
    assert raised
    whole = through(Pipeline(waiting()), [frame])
    assert rows([whole]) == rows([results])
    assert [a.id for a in whole.alarms] == [a.id for a in results.alarms]


def test_a_second_gateway_two_seconds_behind_is_joined_by_a_learned_grid() -> None:
    frame = recording(M, 300, 1)
    frame.values[np.isnan(frame.values)] = 1.0
    sent: list[Item] = []
    for i, time in enumerate(frame.time.tolist()):
        sent.append(message(time, dict(zip(SENSORS[:2], frame.values[i, :2].tolist(), strict=True))))
        if i >= 2:
            behind = frame.values[i - 2, 2:].tolist()
            sent.append(message(time - 2000 + 300, dict(zip(SENSORS[2:], behind, strict=True))))
    results = through(Pipeline(waiting()), sent)
    assert not results.rejections
    assert not results.history
    joined = rows([results])
    assert sum(len(values) for values in joined.values()) == 2 * 300 + 2 * 298
    whole = [time for time, values in joined.items() if len(values) == 4]
    assert len(whole) > 290, "but for the first few, from which the grid is learned"


def test_a_set_grid_joins_from_the_first_row_on() -> None:
    sent: list[Item] = []
    for i in range(10):
        sent.append(message(T0 + 1000 * i, {"a": 1.0}))
        sent.append(message(T0 + 1000 * i + 300, {"b": 2.0}))
    joined = rows([through(Pipeline(waiting(grid=0.5)), sent)])
    assert joined == {T0 + 1000 * i: {"a": 1.0, "b": 2.0} for i in range(10)}


def test_a_backlog_is_history_scored_and_pages_nobody() -> None:
    frame = recording(M, 600, 1)
    frame.values[200:400, 3] += 30.0  # would alarm, were it live
    order = [*range(200), *range(400, 420), *range(200, 400), *range(420, 600)]
    sent: list[Item] = [frame.rows(slice(i, i + 1)) for i in order]
    results = through(Pipeline(waiting()), sent)
    assert not results.rejections
    assert sorted(rows([results])) == [frame.time[i] for i in range(600) if not 200 <= i < 400]
    late = history([results])
    assert sorted(late) == frame.time[200:400].tolist()
    assert late[int(frame.time[300])]["vibration"] == frame.values[300, 3]
    scores = np.concatenate([one.score for one in results.history])
    states = np.concatenate([one.state for one in results.history])
    assert (scores > 0.99).mean() > 0.9
    assert (states == State.SUSPECT).any()
    assert not [a for a in results.alarms if frame.time[200] <= a.onset < frame.time[400]]
    live = through(Pipeline(waiting()), [frame.rows(np.array([i for i in range(600) if not 200 <= i < 400]))])
    assert [a.id for a in live.alarms] == [a.id for a in results.alarms]
    scored = [np.concatenate([one.score for one in r.scored]).tobytes() for r in (live, results)]
    assert scored[0] == scored[1], "what came late has changed no model"


@pytest.mark.parametrize("ahead", [250_000, 400 * 86_400_000])
@pytest.mark.parametrize("clock", ["the record's", "wrong too", "none"])
def test_a_lone_jump_of_the_clock_moves_nothing(ahead: int, clock: str) -> None:
    sent: list[Item] = []
    for i in range(600):
        time = T0 + 1000 * i + (ahead if i == 300 else 0)
        received = {"the record's": T0 + 1000 * i + 50, "wrong too": time, "none": NO_ARRIVAL}[clock]
        sent.append(message(time, {"a": float(i)}, received))
    results = through(Pipeline(waiting()), sent)
    assert sorted(rows([results])) == [T0 + 1000 * i for i in range(600) if i != 300]
    assert rejected([results]) == {Reason.TIME_FUTURE: 1}
    assert str(T0 + 300_000 + ahead) in results.rejections[0].detail
    assert not results.history


def test_a_first_reading_of_the_future_moves_nothing_either() -> None:
    for step in (100, 1000, 300_000):
        times = [T0 + 10**10, *range(T0, T0 + 60 * step, step)]
        results = through(Pipeline(waiting()), [message(time, {"a": 1.0}, NO_ARRIVAL) for time in times])
        assert sorted(rows([results])) == times[1:]
        assert rejected([results]) == {Reason.TIME_FUTURE: 1}


def test_after_a_pause_time_goes_on() -> None:
    times = [*range(T0, T0 + 60_000, 1000), *range(T0 + 10**9, T0 + 10**9 + 60_000, 1000)]
    results = through(Pipeline(waiting()), [message(time, {"a": 1.0}, NO_ARRIVAL) for time in times])
    assert sorted(rows([results])) == times
    assert not results.rejections


@pytest.mark.parametrize("steps", [[3_600_000], [1000, 60_000, 600_000], [1000, 50_000_000, 20_000_000]])
def test_slow_and_uneven_machines_are_no_jumps(steps: list[int]) -> None:
    times = [T0]
    for i in range(60):
        times.append(times[-1] + steps[i * len(steps) // 60])
    results = through(Pipeline(waiting()), [message(time, {"a": 1.0}, NO_ARRIVAL) for time in times])
    assert sorted(rows([results])) == times
    assert not results.rejections


def test_duplicates_are_told_and_a_straggling_sensor_completes_its_row() -> None:
    pipeline = Pipeline(waiting())
    sent: list[Item] = [message(T0 + 1000 * i, {"a": float(i)}) for i in range(60)]
    sent.append(message(T0 + 59_000, {"a": 7.0}))  # still waits: the first value counts
    sent.append(message(T0 + 59_000, {"b": 8.0}))
    sent.append(message(T0 + 30_000, {"a": 7.0}))  # gone on
    sent.append(message(T0 + 30_000, {"b": 9.0}))
    sent.append(message(T0 + 30_000, {"b": 9.0}))
    results = through(pipeline, sent)
    assert rejected([results]) == {Reason.DUPLICATE: 3}
    assert rows([results])[T0 + 59_000] == {"a": 59.0, "b": 8.0}
    assert history([results]) == {T0 + 30_000: {"b": 9.0}}
    assert not results.history, "the row was scored; its values alone are added"


def test_a_quiet_machine_s_rows_go_on_by_the_clock_and_its_next_message() -> None:
    sent = [message(T0 + 60_000 * i, {"a": float(i)}, T0 + 60_000 * i + 40) for i in range(20)]
    pipeline = Pipeline(waiting())
    results = [pipeline.process([one]) for one in sent]
    assert sorted(rows(results)) == [T0 + 60_000 * i for i in range(19)], "the next message shows the quiet"
    assert pipeline.waits
    now = T0 + 60_000 * 19 + 40
    assert not pipeline.let_go(now).scored
    assert not pipeline.let_go(now + 2000).scored
    assert sorted(rows([pipeline.let_go(now + 4000)])) == [T0 + 60_000 * 19]
    assert not pipeline.waits
    assert not pipeline.finish().scored


def test_what_is_sent_again_after_the_clock_let_it_go_is_a_duplicate() -> None:
    pipeline = Pipeline(waiting())
    pipeline.process([message(T0 + 1000 * i, {"a": 1.0}) for i in range(10)])
    pipeline.let_go(T0 + 20_000)
    pipeline.let_go(T0 + 30_000)
    again = pipeline.process([message(T0 + 9000, {"a": 1.0}, T0 + 9500)])
    assert rejected([again]) == {Reason.DUPLICATE: 1}


# -- whatever comes


def everything(results: Iterable[Results]) -> dict[str, object]:
    """All that was found, bit for bit, however it was batched."""
    results = list(results)
    out: dict[str, object] = {}
    for kind in ("scored", "history", "complements"):
        cells: list[object] = []
        for one in (s for r in results for s in getattr(r, kind)):
            for i, time in enumerate(one.time.tolist()):
                values = {
                    n: one.values[i, j].tobytes()
                    for j, n in enumerate(one.sensors)
                    if np.isfinite(one.values[i, j])
                }
                cells.append(
                    (
                        time,
                        one.score[i].tobytes(),
                        one.health[i].tobytes(),
                        int(one.state[i]),
                        sorted(values.items()),
                    )
                )
        out[kind] = cells
    out["alarms"] = sorted(repr(a) for r in results for a in r.alarms)
    out["rejections"] = [(x.reason, x.readings, x.detail) for r in results for x in r.rejections]
    return out


arrivals = st.lists(
    st.tuples(
        st.integers(0, 40),  # seconds since the one before
        st.sampled_from([0, 0, 0, 0, 0, -1500, -2500, -9000, 200_000, 10**9]),  # how wrong its time is
        st.sampled_from(["ab", "a", "b", "abc", "c"]),
        st.integers(0, 4000),  # how long it is on its way
    ),
    min_size=1,
    max_size=60,
)


def sent_of(steps: list[tuple[int, int, str, int]]) -> list[Message]:
    out: list[Message] = []
    now = T0
    for number, (step, wrong, names, way) in enumerate(steps):
        now += step * 100
        values = {name: float((number * 7 + j) % 11) for j, name in enumerate(names)}
        out.append(message(now + wrong, values, now + way, offset=number))
    return out


@hypothesis_settings(max_examples=20, deadline=None)
@given(arrivals, st.lists(st.integers(1, 60), max_size=8), st.sampled_from([0.0, 0.5]))
def test_how_messages_are_batched_changes_nothing(
    steps: list[tuple[int, int, str, int]], cuts: list[int], grid: float
) -> None:
    sent = sent_of([(10, 0, "ab", 0)] * 70 + steps)
    chosen = waiting(grid=grid)
    one = Pipeline(chosen)
    whole = everything([one.process(list(sent)), one.finish()])
    edges = sorted({0, len(sent), *(70 + cut for cut in cuts if cut < len(steps))})
    other = Pipeline(chosen)
    parts = [other.process(list(sent[a:b])) for a, b in pairwise(edges)]
    assert everything([*parts, other.finish()]) == whole
    single = Pipeline(chosen)
    assert everything([*[single.process([m]) for m in sent], single.finish()]) == whole


@hypothesis_settings(max_examples=20, deadline=None)
@given(arrivals, st.integers(0, 60))
def test_a_snapshot_carries_what_waits(steps: list[tuple[int, int, str, int]], stop: int) -> None:
    sent = sent_of([(10, 0, "ab", 0)] * 70 + steps)
    stop = 70 + min(stop, len(steps))
    one = Pipeline(waiting())
    whole = everything([one.process(list(sent[:stop])), one.process(list(sent[stop:])), one.finish()])
    first = Pipeline(waiting())
    done = first.process(list(sent[:stop]))
    second = Pipeline(waiting())
    for name in first.names():
        second.restore(first.dump(name))
    # the consumer goes back to before the snapshot: what is in it is not counted again
    assert everything([done, second.process(list(sent[60:])), second.finish()]) == whole


@given(arrivals)
def test_each_value_is_taken_or_told(steps: list[tuple[int, int, str, int]]) -> None:
    order, timing = EventOrder(), TIMING
    sent = taken = told = 0
    released: list[int] = []
    for m in sent_of(steps):
        wire = json.loads(m.value)
        values = np.array([list(wire["sensors"].values())])
        frame = Frame(M, np.array([wire["time"]]), tuple(wire["sensors"]), values)
        sent += 1
        outcome: Taken = order.arrange(frame, m.received, timing)
        told += sum(len(one.rows) for one in outcome.left_out)
        taken += sum(len(one) for one in (outcome.history, outcome.complement) if one is not None)
        released += [int(t) for one in order.release(timing) for t in one.time]
    told += sum(len(one.rows) for one in order.flush(None, timing))
    released += [int(t) for one in order.release(timing) for t in one.time]
    assert released == sorted(set(released)), "strictly forward"
    assert not order.waits
    assert len(released) + taken + told <= sent, "rows of one time are one"
    assert len(released) + taken + told > 0
