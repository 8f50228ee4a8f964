"""The fleet: how every machine of a tenant, area or line is now, and what needs somebody."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from connectors.grafana.dashboards import frame, panels
from connectors.grafana.dashboards.flux import CHOSEN, count_where, pipe, select, series, window
from pipeline.records import State

PLACE = "${__field.labels.line}/${__field.labels.unit}"

LAST_STATE = pipe(select("reading", "state", where=CHOSEN), "last()")

LAST_ALL = pipe(select("reading", "state", "score", "health", where=CHOSEN), "last()", "toFloat()")

MACHINES = f"""now = {LAST_ALL}
seen = {LAST_STATE}
  |> map(fn: (r) => ({{r with _field: "seen", _value: float(v: int(v: r._time)) / 1000000.0}}))
  |> drop(columns: ["_time"])
union(tables: [now |> drop(columns: ["_time"]), seen])
  |> group(columns: ["machine", "class", "area", "line"])
  |> pivot(rowKey: ["machine"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> keep(columns: ["machine", "class", "area", "line", "state", "health", "score", "seen"])
  |> sort(columns: ["health"])"""

TROUBLED = f"""states = {pipe(select("reading", "state", where=CHOSEN), window("max"))}
troubled = states
  |> max()
  |> group()
  |> filter(fn: (r) => r._value >= {int(State.SUSPECT)})
  |> limit(n: 50)
  |> findColumn(fn: (key) => true, column: "machine")
states
  |> filter(fn: (r) => contains(value: r.machine, set: troubled))
  |> {series("machine", "line", "unit")}"""

LOWEST = f"""lowest = {pipe(select("reading", "health", where=CHOSEN), "last()", "group()")}
  |> bottom(n: 10)
  |> findColumn(fn: (key) => true, column: "machine")
{pipe(select("reading", "health", where=CHOSEN), window("mean"))}
  |> filter(fn: (r) => contains(value: r.machine, set: lowest))
  |> {series("machine", "line", "unit")}"""

PROGNOSES = f"""{pipe(select("prognosis", where=CHOSEN), "last()")}
  |> pivot(rowKey: ["machine"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> filter(fn: (r) => exists r.remaining)
  |> keep(columns: ["machine", "health", "remaining", "low", "high"])
  |> sort(columns: ["remaining"])
  |> limit(n: 20)"""

ALARMS = pipe(
    select("alarm", where=CHOSEN),
    'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
    "group()",
    'keep(columns: ["_time", "machine", "kind", "phase", "priority", "score", "sensor", '
    '"sensors", "detail"])',
    'sort(columns: ["_time"], desc: true)',
    "limit(n: 200)",
)


def dashboard() -> build.Dashboard:
    """The fleet's dashboard."""
    made = frame.new(
        "yeji-fleet",
        "Yeji: fleet",
        "Every machine's state, health and alarms. Choose tenant, area and line above.",
        span="6h",
        refresh="30s",
    )
    frame.alarms_drawn(frame.place_variables(made))
    _numbers(made)
    _machines(made)
    _over_time(made)
    _alarms(made)
    return made


def _numbers(made: build.Dashboard) -> None:
    def machines(state: State) -> str:
        return pipe(LAST_STATE, count_where(f"r._value == {int(state)}"))

    warn = ((None, panels.GREEN), (1.0, panels.YELLOW))
    act = ((None, panels.GREEN), (1.0, panels.RED))
    raised = pipe(
        select("alarm", "severity", where=f'{CHOSEN} and r.phase == "raised"'), "group()", "count()"
    )
    health = pipe(select("reading", "health", where=CHOSEN), "last()", "group()", "min()")
    made.with_panel(
        panels.number(
            "Machines",
            "Machines that were heard of in this time.",
            pipe(LAST_STATE, "group()", "count()"),
            colors=((None, panels.BLUE),),
        )
    )
    made.with_panel(
        panels.number("In alarm", "Machines whose last state is alarm.", machines(State.ALARM), colors=act)
    )
    made.with_panel(
        panels.number(
            "Suspect",
            "Over the threshold, not yet for long enough to alarm.",
            machines(State.SUSPECT),
            colors=warn,
        )
    )
    made.with_panel(
        panels.number(
            "Learning",
            "Machines whose model still learns what is normal; they raise no alarms yet.",
            machines(State.LEARNING),
            colors=((None, panels.BLUE),),
        )
    )
    made.with_panel(
        panels.number(
            "Lowest health",
            "The lowest last health of all machines, 0 to 100.",
            health,
            colors=panels.HEALTH_STEPS,
        ).decimals(0)
    )
    made.with_panel(panels.number("Alarms", "Alarms raised in this time.", raised, colors=warn).no_value("0"))


def _machines(made: build.Dashboard) -> None:
    columns = {
        "machine": "Machine",
        "state": "State",
        "health": "Health",
        "score": "Score",
        "seen": "Last reading",
        "class": "Class",
        "area": "Area",
        "line": "Line",
    }
    table = panels.rows(
        "All machines",
        "Last state, health and score of each machine, the weakest first. A click on a name opens it.",
        MACHINES,
        columns,
        empty="No readings in this time. Choose a longer one, or see whether `yeji worker` runs.",
        h=11,
    )
    panels.machine_link("Machine", table)
    panels.colored("State", table, panels.STATE_LOOK)
    panels.measured("Health", table, "short", 0, panels.HEALTH_STEPS)
    panels.measured("Score", table, "percentunit", 2)
    panels.measured("Last reading", table, "dateTimeFromNow")
    made.with_panel(table)


def _over_time(made: build.Dashboard) -> None:
    made.with_panel(
        panels.timeline(
            "Machines that were suspect or in alarm",
            "Up to 50 machines that left the normal state in this time; each band is the worst state in it.",
            TROUBLED,
            name=PLACE,
        )
    )
    made.with_panel(
        panels.lines(
            "The ten lowest healths",
            "Health over time of the ten machines that are worst off now.",
            LOWEST,
            name=PLACE,
            colors=panels.HEALTH_STEPS,
            low=0,
            high=100,
        )
    )
    table = panels.rows(
        "Soonest to reach the threshold",
        "Hours until health is expected to reach its threshold, with a 90 % interval (ISO 13381-1).",
        PROGNOSES,
        {
            "machine": "Machine",
            "health": "Health",
            "remaining": "Remaining",
            "low": "At least",
            "high": "At most",
        },
        empty="No machine is expected to reach its threshold.",
        w=12,
        h=8,
    )
    panels.machine_link("Machine", table)
    panels.measured("Health", table, "short", 0, panels.HEALTH_STEPS)
    for name in ("Remaining", "At least", "At most"):
        panels.measured(name, table, "h", 1)
    made.with_panel(table)


def _alarms(made: build.Dashboard) -> None:
    raised = f'{CHOSEN} and r.phase == "raised"'
    by_area = pipe(
        select("alarm", "severity", where=raised), 'group(columns: ["area"])', window("count", empty=True)
    )
    made.with_panel(
        panels.bars(
            "Alarms raised, by area",
            "How many alarms began in each stretch of time.",
            pipe(by_area, series("area")),
            name="${__field.labels.area}",
            w=24,
            h=6,
        )
    )
    table = panels.rows(
        "Alarms",
        "The last 200 begins and ends of alarms. Score and sensors tell why.",
        ALARMS,
        {
            "_time": "Time",
            "machine": "Machine",
            "kind": "Kind",
            "phase": "Phase",
            "priority": "Priority",
            "sensor": "Sensor",
            "score": "Score",
            "sensors": "Sensors that raised it",
            "detail": "Detail",
        },
        empty="No alarms in this time.",
    )
    panels.machine_link("Machine", table)
    panels.colored("Priority", table, panels.PRIORITY_LOOK)
    panels.measured("Score", table, "percentunit", 2)
    made.with_panel(table)
