"""The alarm desk: how a crew copes with its alarms, by the desk's own measures of the last 24 hours."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from connectors.grafana.dashboards import frame, panels
from connectors.grafana.dashboards.flux import pipe, select, series, window
from pipeline.priority import Priority
from pipeline.records import VerdictKind

#: The desk measures everything, each place and each crew; one of them is chosen.
CHOSEN = (
    'if exists r.crew then "crew " + r.crew == "${of}" '
    'else if exists r.place then r.place == "${of}" else "${of}" == "everything"'
)

OF = """import "array"
import "influxdata/influxdb/schema"
values = (tag) => schema.tagValues(bucket: v.defaultBucket, tag: tag, start: v.timeRangeStart,
    stop: v.timeRangeStop, predicate: (r) => r._measurement == "desk")
union(tables: [
  array.from(rows: [{_value: "everything"}]),
  values(tag: "place") |> filter(fn: (r) => r._value != ""),
  values(tag: "crew") |> filter(fn: (r) => r._value != "") |> map(fn: (r) => ({_value: "crew " + r._value})),
])
  |> keep(columns: ["_value"])
  |> group()"""

ACTORS = f"""actors = {select("desk_actor", where=CHOSEN)}
last = actors
  |> filter(fn: (r) => r._field == "rank")
  |> group()
  |> max(column: "_time")
  |> findRecord(fn: (key) => true, idx: 0)
actors
  |> filter(fn: (r) => r._time == last._time)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> keep(columns: ["machine", "point", "rank", "count", "share"])
  |> sort(columns: ["rank"])"""


def dashboard() -> build.Dashboard:
    """The desk's dashboard."""
    made = frame.new(
        "yeji-desk",
        "Yeji: alarm desk",
        "How crews cope: alarms a day, floods, time to acknowledge, false alarms (ISA-18.2). "
        "Each value is of the 24 hours before it.",
        span="7d",
        refresh="1m",
    )
    about = "Everything, a place, or a crew"
    made.with_variable(frame.variable("of", "Of", about, OF, several=False))
    _numbers(made)
    _charts(made)
    return made


def _numbers(made: build.Dashboard) -> None:
    def number(title: str, about: str, field: str, unit: str, colors: panels.Steps, digits: int = 0) -> None:
        query = pipe(select("desk", field, where=CHOSEN), "group()", 'sort(columns: ["_time"])', "last()")
        panel = panels.number(title, about, query, unit=unit, colors=colors, w=3)
        made.with_panel(panel.decimals(digits))

    good, warn, bad = panels.GREEN, panels.YELLOW, panels.RED
    number(
        "Alarms a day",
        "Announced in 24 hours.",
        "a_day",
        "short",
        ((None, good), (150.0, warn), (300.0, bad)),
    )
    number(
        "Peak", "Most in any ten minutes; over 10 is a flood.", "peak", "short", ((None, good), (10.0, bad))
    )
    number(
        "Time in flood",
        "Share of time; under 1 %.",
        "flood_time",
        "percentunit",
        ((None, good), (0.01, bad)),
        1,
    )
    number(
        "Chattering",
        "Points that came and went too often.",
        "chattering",
        "short",
        ((None, good), (1.0, warn)),
    )
    number("Stale", "Alarms that stood longer than the limit.", "stale", "short", ((None, good), (5.0, warn)))
    quick = ((None, good), (600.0, warn), (1800.0, bad))
    number("To acknowledge", "Median time until somebody acknowledged.", "ack_median", "s", quick)
    number("Nine of ten in", "90 % were acknowledged within.", "ack_p90", "s", quick)
    doubtful = ((None, good), (0.2, warn), (0.5, bad))
    number("False alarms", "Share of the crews' verdicts.", "false_share", "percentunit", doubtful, 0)


def _charts(made: build.Dashboard) -> None:
    def over_time(*fields: str) -> str:
        return pipe(select("desk", *fields, where=CHOSEN), window("last"), series("_field"))

    name = "${__field.labels._field}"
    made.with_panel(
        panels.lines(
            "Alarms a day, and what a crew can handle",
            "Announced in the 24 hours before; the budget is the setting desk.budget.",
            over_time("a_day", "budget"),
            name=name,
            low=0,
        )
    )
    made.with_panel(
        panels.lines(
            "Time to acknowledge",
            "Of the alarms of the 24 hours before: half, and nine of ten, were acknowledged within.",
            over_time("ack_median", "ack_p90"),
            unit="s",
            name=name,
            low=0,
        )
    )
    priorities = [f"priority_{priority.name.lower()}" for priority in Priority]
    made.with_panel(
        panels.lines(
            "By priority",
            "Good practice: some 80 % low, 15 % medium, 5 % high and urgent (ISA-18.2).",
            over_time(*priorities),
            name=name,
            low=0,
        )
    )
    verdicts = [f"verdict_{kind.name.lower()}" for kind in VerdictKind]
    made.with_panel(
        panels.lines(
            "What crews found",
            "Verdicts of the 24 hours before, by kind.",
            over_time(*verdicts),
            name=name,
            low=0,
        )
    )
    made.with_panel(
        panels.lines(
            "Floods",
            "Share of time, and of alarms, in a flood.",
            over_time("flood_time", "flood_alarms"),
            unit="percentunit",
            name=name,
            low=0,
            high=1,
        )
    )
    table = panels.rows(
        "Bad actors",
        "The points with most alarms now: mend them, or tune them with `yeji tune`.",
        ACTORS,
        {"rank": "Rank", "machine": "Machine", "point": "Point", "count": "Alarms", "share": "Share"},
        empty="None.",
        w=12,
        h=8,
    )
    panels.machine_link("Machine", table)
    made.with_panel(panels.measured("Share", table, "percentunit", 0))
