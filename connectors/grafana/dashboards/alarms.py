"""How the alarm system itself does: the figures that ISA-18.2 and EEMUA 191 judge one by."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from connectors.grafana.dashboards import frame, panels
from connectors.grafana.dashboards.flux import CHOSEN, count_where, pipe, select, series, window
from pipeline.priority import Priority

RAISED = f'{CHOSEN} and r.phase == "raised"'

#: Begins in ten-minute stretches, over all chosen machines.
TEN_MINUTES = pipe(
    select("alarm", "severity", where=RAISED),
    "group()",
    "aggregateWindow(every: 10m, fn: count, createEmpty: true)",
)

EVENTS = pipe(
    select("alarm", "id", "priority", "onset", where=CHOSEN),
    'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
    'group(columns: ["id"])',
    'sort(columns: ["_time"])',
)

STANDING = pipe(
    EVENTS,
    'last(column: "phase")',
    "group()",
    'filter(fn: (r) => r.phase == "raised")',
    'keep(columns: ["_time", "machine", "kind", "sensor", "priority"])',
    'sort(columns: ["_time"])',
    "limit(n: 100)",
)

DURATIONS = pipe(
    EVENTS,
    'last(column: "phase")',
    "group()",
    'filter(fn: (r) => r.phase == "cleared")',
    "map(fn: (r) => ({_time: r._time, kind: r.kind, "
    "_value: (float(v: int(v: r._time)) / 1000000.0 - float(v: r.onset)) / 1000.0}))",
)


def dashboard() -> build.Dashboard:
    """The alarm system's dashboard."""
    made = frame.new(
        "yeji-alarms",
        "Yeji: alarm system",
        "Whether people can cope with the alarms: rate, floods, bad actors, standing alarms (ISA-18.2).",
        span="7d",
        refresh="5m",
    )
    frame.place_variables(made)
    _numbers(made)
    _charts(made)
    return made


def _numbers(made: build.Dashboard) -> None:
    hours = "(float(v: uint(v: v.timeRangeStop) - uint(v: v.timeRangeStart)) / 3600000000000.0)"
    an_hour = pipe(
        select("alarm", "severity", where=RAISED),
        "group()",
        "count()",
        f"map(fn: (r) => ({{_value: float(v: r._value) / {hours}}}))",
    )
    good = ((None, panels.GREEN), (6.0, panels.YELLOW), (12.0, panels.RED))
    made.with_panel(
        panels.number(
            "Alarms an hour",
            "Average of this time. ISA-18.2: about 6 an hour can be handled by one person, 12 at most.",
            an_hour,
            colors=good,
            w=6,
        )
        .decimals(2)
        .no_value("0")
    )
    flood = ((None, panels.GREEN), (10.0, panels.RED))
    made.with_panel(
        panels.number(
            "Most in ten minutes",
            "More than 10 in ten minutes is a flood (ISA-18.2).",
            pipe(TEN_MINUTES, "max()"),
            colors=flood,
            w=6,
        ).no_value("0")
    )
    share = pipe(
        TEN_MINUTES,
        "map(fn: (r) => ({_value: if r._value > 10 then 1.0 else 0.0}))",
        "mean()",
    )
    made.with_panel(
        panels.number(
            "Time in flood",
            "Share of ten-minute stretches with more than 10 alarms. ISA-18.2: under 1 %.",
            share,
            unit="percentunit",
            colors=((None, panels.GREEN), (0.01, panels.RED)),
            w=6,
        )
        .decimals(1)
        .no_value("0 %")
    )
    made.with_panel(
        panels.number(
            "Standing",
            "Alarms raised in this time whose condition has not ended.",
            pipe(EVENTS, 'last(column: "phase")', count_where('r.phase == "raised"')),
            colors=((None, panels.GREEN), (5.0, panels.YELLOW)),
            w=6,
        ).no_value("0")
    )


def _charts(made: build.Dashboard) -> None:
    def raised(label: str, title: str, about: str) -> None:
        query = pipe(
            select("alarm", "severity", where=RAISED),
            f'group(columns: ["{label}"])',
            window("count", empty=True),
            series(label),
        )
        made.with_panel(panels.bars(title, about, query, name=f"${{__field.labels.{label}}}"))

    raised("kind", "Raised, by kind", "condition = the machine, limit = a fixed limit, quality = a sensor.")
    raised("area", "Raised, by area", "Where they come from.")
    worst = pipe(
        select("alarm", "severity", where=RAISED),
        'group(columns: ["machine", "line", "unit"])',
        "count()",
        "group()",
        "top(n: 10)",
        'group(columns: ["machine", "line", "unit"])',
    )
    made.with_panel(
        panels.ranking(
            "Bad actors",
            "The ten machines with most alarms. A few causes often make most of the load: mend or tune them.",
            worst,
            name="${__field.labels.line}/${__field.labels.unit}",
        )
    )
    words = " else ".join(
        [
            *(
                f'if r._value == {int(priority)} then "{priority.name.lower()}"'
                for priority in list(Priority)[:-1]
            ),
            f'"{Priority.URGENT.name.lower()}"',
        ]
    )
    priorities = pipe(
        select("alarm", "priority", where=RAISED),
        "group()",
        f"map(fn: (r) => ({{_time: r._time, priority: {words}, _value: 1}}))",
        'group(columns: ["priority"])',
        "sum()",
    )
    ranking = panels.ranking(
        "Raised, by priority",
        "Good practice: some 80 % low, 15 % medium, 5 % high, under 1 % urgent (ISA-18.2).",
        priorities,
        name="${__field.labels.priority}",
    )
    made.with_panel(ranking)
    lasted = pipe(DURATIONS, 'group(columns: ["kind"])', window("median"))
    made.with_panel(
        panels.lines(
            "How long alarms lasted",
            "Median time from onset to the condition's end, of those that ended.",
            lasted,
            unit="s",
            name="${__field.labels.kind}",
            low=0,
        ).no_value("None ended in this time.")
    )
    table = panels.rows(
        "Standing alarms",
        "Raised in this time and not ended, the oldest first.",
        STANDING,
        {"_time": "Since", "machine": "Machine", "kind": "Kind", "sensor": "Sensor", "priority": "Priority"},
        empty="None.",
        w=12,
        h=8,
    )
    panels.colored("Priority", table, panels.PRIORITY_LOOK)
    made.with_panel(panels.machine_link("Machine", table))
