"""One machine: score, health, what raised the score, its prognosis, and every sensor."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from connectors.grafana.dashboards import frame, panels
from connectors.grafana.dashboards.flux import CHOSEN, ONE, pipe, select, series, tag_values, window

SENSORS = """import "influxdata/influxdb/schema"
schema.fieldKeys(bucket: v.defaultBucket, start: v.timeRangeStart, stop: v.timeRangeStop,
    predicate: (r) => r._measurement == "reading" and r.machine == "${machine}")
  |> filter(fn: (r) => r._value !~ /^(score|health|state)$/)"""

ALARMS = pipe(
    select("alarm", where=ONE),
    'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
    "group()",
    'keep(columns: ["_time", "kind", "phase", "priority", "sensor", "score", "sensors", "detail"])',
    'sort(columns: ["_time"], desc: true)',
    "limit(n: 100)",
)


def dashboard() -> build.Dashboard:
    """The machine's dashboard."""
    made = frame.new(
        "yeji-machine",
        "Yeji: machine",
        "One machine's condition: how it is, since when, which sensors say so, and how long it may last.",
        span="6h",
        refresh="30s",
    )
    frame.alarms_drawn(made, "${machine}")
    frame.place_variables(made)
    machines = tag_values("machine", CHOSEN)
    made.with_variable(frame.variable("machine", "Machine", "Of the lines", machines, several=False))
    made.with_variable(frame.variable("sensor", "Sensor", "Charts below", SENSORS, several=True))
    _numbers(made)
    _condition(made)
    _sensors(made)
    return made


def desk_link(desk: str) -> dict[str, object]:
    """A link to the page of the same machine and time on the desk at address ``desk``."""
    return {
        "title": "Alarm desk",
        "type": "link",
        "url": f"{desk}/machines/${{machine:raw}}?from=${{__from}}&to=${{__to}}",
        "icon": "bell",
        "targetBlank": False,
        "includeVars": False,
        "keepTime": False,
        "asDropdown": False,
        "tags": [],
        "tooltip": "The same machine and time on the alarm desk",
    }


def _numbers(made: build.Dashboard) -> None:
    def last(field: str, measurement: str = "reading") -> str:
        return pipe(select(measurement, field, where=ONE), "last()", 'keep(columns: ["_time", "_value"])')

    state = panels.number("State", "The last reading's state.", last("state"))
    made.with_panel(state.mappings(panels.value_names(panels.STATE_LOOK)))
    made.with_panel(
        panels.number("Health", "0 to 100; slow.", last("health"), colors=panels.HEALTH_STEPS).decimals(0)
    )
    made.with_panel(
        panels.number(
            "Score",
            "A score of p or more comes in a share 1 − p of healthy readings.",
            last("score"),
            unit="percentunit",
            colors=((None, panels.GREEN), (0.99, panels.YELLOW), (0.999, panels.RED)),
        ).decimals(2)
    )
    made.with_panel(
        panels.number(
            "Threshold in",
            "Hours until health is expected to reach its threshold; – = not within the horizon.",
            last("remaining", "prognosis"),
            unit="h",
            colors=((None, panels.RED), (24.0, panels.YELLOW), (168.0, panels.GREEN)),
        ).decimals(1)
    )
    raised = pipe(select("alarm", "severity", where=f'{ONE} and r.phase == "raised"'), "group()", "count()")
    warn = ((None, panels.GREEN), (1.0, panels.YELLOW))
    made.with_panel(panels.number("Alarms", "Alarms raised in this time.", raised, colors=warn).no_value("0"))
    seen = pipe(
        select("reading", "state", where=ONE),
        "last()",
        "map(fn: (r) => ({_time: r._time, _value: float(v: int(v: r._time)) / 1000000.0}))",
    )
    made.with_panel(
        panels.number(
            "Last reading",
            "When the last reading was scored.",
            seen,
            unit="dateTimeFromNow",
            colors=((None, panels.BLUE),),
        )
    )


def _condition(made: build.Dashboard) -> None:
    state = pipe(select("reading", "state", where=ONE), window("max"), series("unit"))
    made.with_panel(
        panels.timeline(
            "State", "The worst state in each stretch of time.", state, name="${__field.labels.unit}", h=4
        )
    )
    score = select("reading", "score", where=ONE)
    steps = ((None, panels.GREEN), (0.99, panels.YELLOW), (0.999, panels.RED))
    chart = panels.lines(
        "Score",
        "Mean and highest score. The dashed lines are the default limits to clear and to raise.",
        pipe(score, window("mean"), series()),
        pipe(score, window("max"), series()),
        unit="percentunit",
        colors=steps,
        low=0,
        high=1,
    )
    chart.override_by_query("A", [panels.setting("displayName", "mean")])
    chart.override_by_query("B", [panels.setting("displayName", "highest")])
    made.with_panel(chart)
    health = pipe(select("reading", "health", where=ONE), window("mean"), series())
    made.with_panel(
        panels.lines(
            "Health",
            "Slow: it falls while scores stay high, and recovers when they do.",
            health,
            name="health",
            colors=panels.HEALTH_STEPS,
            low=0,
            high=100,
        )
    )
    shares = pipe(select("contribution", where=ONE), window("mean"), series("_field"))
    made.with_panel(
        panels.bars(
            "What raised the score",
            "Each sensor's share of the score, while it was over the threshold.",
            shares,
            unit="percentunit",
            name="${__field.labels._field}",
        ).no_value("The score never was over the threshold.")
    )
    ahead = pipe(select("prognosis", "remaining", "low", "high", where=ONE), window("last"), series("_field"))
    made.with_panel(
        panels.lines(
            "Time to threshold",
            "Expected hours until health reaches its threshold, and the 90 % interval around them.",
            ahead,
            unit="h",
            name="${__field.labels._field}",
            low=0,
        ).no_value("Health is not expected to reach its threshold.")
    )
    table = panels.rows(
        "Alarms",
        "The last 100 begins and ends of this machine's alarms.",
        ALARMS,
        {
            "_time": "Time",
            "kind": "Kind",
            "phase": "Phase",
            "priority": "Priority",
            "sensor": "Sensor",
            "score": "Score",
            "sensors": "Sensors that raised it",
            "detail": "Detail",
        },
        empty="No alarms in this time.",
        h=7,
    )
    panels.colored("Priority", table, panels.PRIORITY_LOOK)
    made.with_panel(panels.measured("Score", table, "percentunit", 2))


def _sensors(made: build.Dashboard) -> None:
    made.with_row(build.Row("Sensors"))
    values = select("reading", where=f'{ONE} and r._field == "${{sensor}}"')
    chart = panels.lines(
        "$sensor",
        "Mean, lowest and highest value in each stretch of time, in the sensor's own unit.",
        *(pipe(values, window(function), series()) for function in ("mean", "min", "max")),
        w=12,
        h=7,
    )
    for ref, name in (("A", "mean"), ("B", "lowest"), ("C", "highest")):
        chart.override_by_query(ref, [panels.setting("displayName", name)])
    made.with_panel(chart.repeat("sensor").repeat_direction("h"))
