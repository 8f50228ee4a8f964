"""Results of an hour on three machines, with everything in them that a dashboard can show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from connectors.base.stats import WorkerStats
from connectors.influx.schema import alarm_line, prognosis_line, rejected_lines, scored_lines, worker_line
from desk.rules.kpis import BadActor, Kpis
from desk.service.measures import kpi_lines
from pipeline.pipeline import Pipeline
from pipeline.priority import Priority
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    AlarmPhase,
    Contribution,
    Frame,
    Message,
    Prognosis,
    Reason,
    Rejection,
    Results,
    Scored,
    State,
    VerdictKind,
    alarm_id,
)
from tests.pipeline import plant

PRESS = "gwangju/ggm/body/press-line-2/press-07"
PUMP = "gwangju/ggm/paint/pumps/pump-1"
ROBOT = "busan/yard/welding/cell (a)/robot.3"  # characters that regular expressions would take for theirs
MACHINES = {PRESS: "press", PUMP: "pump", ROBOT: "robot"}
SENSORS = ("temperature", "vibration_rms", "오일 압력")
STEP = 5_000
COUNT = 720  # an hour


@dataclass
class Recording:
    """What was written, and when it was."""

    begin: int
    results: Results = field(default_factory=Results)
    stats: list[WorkerStats] = field(default_factory=list)
    desk: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Just after the last reading."""
        return self.begin + COUNT * STEP

    def lines(self) -> list[bytes]:
        """All of it in line protocol, times in ms."""
        made = list(scored_lines(self.results.scored))
        made += [alarm_line(one) for one in self.results.alarms]
        made += [prognosis_line(one) for one in self.results.prognoses]
        return [*made, *(worker_line(one) for one in self.stats), *self.desk]

    def rejected(self) -> list[bytes]:
        """The rejections, times in ns."""
        return list(rejected_lines(self.results.rejections))


def event(machine: str, kind: AlarmKind, phase: AlarmPhase, onset: int, time: int) -> AlarmEvent:
    """An alarm's begin or end."""
    sensor = SENSORS[1] if kind is AlarmKind.QUALITY else None
    contributions = (
        Contribution(SENSORS[0], 0.8, 84.0, 61.5, 9.3),
        Contribution(SENSORS[1], 0.2, 4, None, None),
    )
    return AlarmEvent(
        id=alarm_id(machine, kind, sensor or "", onset),
        machine=machine,
        machine_class=MACHINES[machine],
        kind=kind,
        phase=phase,
        onset=onset,
        time=time,
        score=0.9997,
        threshold=0.999,
        severity=3,
        contributions=contributions if kind is AlarmKind.CONDITION else (),
        sensor=sensor,
        detail="" if kind is AlarmKind.CONDITION else "flat for 120 s",
    )


def desk_lines(begin: int) -> list[bytes]:
    """What the desk measured every minute of an hour: everything, a place, and a crew, each with its own."""
    lines: list[bytes] = []
    for minute in range(60):
        for number, (place, crew) in enumerate([("", ""), ("gwangju/ggm", ""), ("", "body")], start=1):
            lines += kpi_lines(
                place,
                crew,
                Kpis(
                    start=begin - 86_400_000,
                    end=begin + minute * 60_000,
                    alarms=100 * number + minute,
                    a_day=100.0 * number + minute,
                    budget=150.0,
                    peak=4 * number,
                    flood_time=0.004,
                    flood_alarms=0.1,
                    chattering=1,
                    stale=2,
                    bad_actors=(
                        BadActor(f"{PRESS} condition", PRESS, 40 - minute, 0.4),
                        BadActor("p", PUMP, 9, 0.1),
                    ),
                    priorities=dict.fromkeys(Priority, 10),
                    acknowledged=50,
                    ack_median=90.0,
                    ack_p90=400.0,
                    verdicts=dict.fromkeys(VerdictKind, 2),
                    false_share=0.25,
                ),
            )
    return lines


def record(begin: int) -> Recording:
    """An hour from ``begin``: the press alarms and stays so, the pump recovers, the robot learns."""
    made = Recording(begin)
    random = np.random.default_rng(7)
    time = begin + np.arange(COUNT) * STEP
    for number, (machine, machine_class) in enumerate(MACHINES.items()):
        state = np.full(COUNT, State.NORMAL, np.uint8)
        state[:100] = State.LEARNING
        if machine == ROBOT:
            state[:] = State.LEARNING
        if machine == PUMP:
            state[300:305], state[305:500] = State.SUSPECT, State.ALARM
        if machine == PRESS:
            state[600:605], state[605:] = State.SUSPECT, State.ALARM
        score = np.where(state >= State.SUSPECT, 0.9995, random.uniform(0, 0.99, COUNT))
        score[state == State.LEARNING] = np.nan
        shares = np.where((state >= State.SUSPECT)[:, None], [0.7, 0.2, 0.1], 0.0)
        health = np.linspace(100, 30 + 20 * number, COUNT)
        values = random.normal([60, 2, 5.5], 1, (COUNT, 3))
        made.results.scored.append(
            Scored(
                machine=machine,
                machine_class=machine_class,
                time=time,
                sensors=SENSORS,
                values=values,
                score=score,
                health=health,
                state=state,
                contributions=shares,
            )
        )
    raised, cleared = AlarmPhase.RAISED, AlarmPhase.CLEARED
    condition, quality = AlarmKind.CONDITION, AlarmKind.QUALITY
    made.results.alarms += [
        event(PUMP, condition, raised, int(time[300]), int(time[305])),
        event(PUMP, condition, cleared, int(time[300]), int(time[500])),
        event(PRESS, condition, raised, int(time[600]), int(time[605])),
        event(PRESS, quality, raised, int(time[600]), int(time[605])),
    ]
    for at in range(600, COUNT, 24):
        hours = float(72 - at / 24)
        made.results.prognoses.append(
            Prognosis(PRESS, "press", int(time[at]), 50.0, 40.0, hours, hours / 2, hours * 2)
        )
    made.desk = desk_lines(begin)
    made.results.prognoses.append(Prognosis(PUMP, "pump", int(time[-1]), 80.0, 40.0, None, None, None))
    for offset in range(3):
        made.results.rejections.append(
            Rejection(
                Reason.NOT_JSON,
                "not JSON at byte 0",
                b"x",
                int(time[50]),
                topic="telemetry.frames",
                offset=offset,
            )
        )
    for worker in ("one", "two"):
        for at in range(0, COUNT, 2):
            made.stats.append(
                WorkerStats(
                    worker=worker,
                    time=int(time[at]),
                    readings=3000,
                    messages=30,
                    rejected=0,
                    machines=2,
                    history=0,
                    lag=5,
                    batch_ms=80.5,
                    process_ms=20.5,
                    write_ms=40.0,
                    snapshot_age_s=12.0,
                    memory_mb=210.0,
                )
            )
    return made


def by_the_pipeline() -> Recording:
    """What the pipeline itself finds: a wearing press, a stuck sensor, faults that end and stay."""
    made = Recording(plant.START)
    count, frames = 4000, []
    for seed, machine in enumerate(MACHINES):
        fault = {PUMP: (count - 20, count), ROBOT: (1500, 1700)}.get(machine)
        frame = plant.recording(machine, count, seed + 1, fault=fault)
        values = frame.values.copy()
        if machine == PRESS:
            values += np.clip((np.arange(count) - 1500) / 2500, 0, 1)[:, None] * [2.0, 1.0, 12.0, 1.2]
            values[1000:1400, 1] = values[1000, 1]
        whole = Frame(machine, frame.time, frame.sensors, values)
        frames += plant.pieces(whole, range(0, count, 200))
    bad = [Message(b"{bad", plant.START + 5000, b"x", "telemetry.frames", 0, 10_000 + n) for n in range(3)]
    made.results = Pipeline(plant.settings()).process([*plant.messages(frames), *bad])
    made.desk = desk_lines(plant.START)
    made.stats = [
        WorkerStats(
            worker="one",
            time=plant.START + at * 5000,
            readings=1000,
            messages=10,
            rejected=0,
            machines=3,
            history=0,
            lag=0,
            batch_ms=9.5,
            process_ms=2.5,
            write_ms=4.0,
            snapshot_age_s=7.0,
            memory_mb=180.0,
        )
        for at in range(800)
    ]
    return made
