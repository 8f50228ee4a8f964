"""The panels' Flux: each query begins with the dashboard's time range and ends with few, small columns.

`v.…` is what Grafana gives every query (time range, a window as wide as a few pixels, the data source's
bucket), `${name:regex}` the dashboard's variables. Windows come before everything else, so that InfluxDB
computes them where the data lies and a month costs as few rows as an hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

#: Known under the same name whether provisioned from a file or made by `yeji grafana apply`.
SOURCE_UID = "yeji-influx"
SOURCE = DataSourceRef(type_val="influxdb", uid=SOURCE_UID)

#: The machines that a fleet dashboard's variables choose; `tenant` is a machine's first two levels.
CHOSEN = "r.machine =~ /^${tenant:regex}\\// and r.area =~ /^${area:regex}$/ and r.line =~ /^${line:regex}$/"
#: The one machine of the machine dashboard.
ONE = 'r.machine == "${machine}"'


def select(measurement: str, *fields: str, where: str = "", start: str = "v.timeRangeStart") -> str:
    """All of a measurement's points in the time range, or only some fields, where a condition holds.

    >>> print(select("reading", "score", "health"))
    from(bucket: v.defaultBucket)
      |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
      |> filter(fn: (r) => r._measurement == "reading")
      |> filter(fn: (r) => r._field == "score" or r._field == "health")
    """
    steps = [
        "from(bucket: v.defaultBucket)",
        f"range(start: {start}, stop: v.timeRangeStop)",
        f'filter(fn: (r) => r._measurement == "{measurement}")',
    ]
    if fields:
        steps.append("filter(fn: (r) => " + " or ".join(f'r._field == "{name}"' for name in fields) + ")")
    if where:
        steps.append(f"filter(fn: (r) => {where})")
    return pipe(*steps)


def pipe(*steps: str) -> str:
    """One step after the other."""
    return "\n  |> ".join(steps)


def window(function: str, *, empty: bool = False) -> str:
    """One value a window."""
    create = "true" if empty else "false"
    return f"aggregateWindow(every: v.windowPeriod, fn: {function}, createEmpty: {create})"


def series(*labels: str) -> str:
    """Cut points down to time, value and the labels by which lines are told apart."""
    columns = ", ".join(f'"{name}"' for name in ("_time", "_value", *labels))
    groups = ", ".join(f'"{name}"' for name in labels)
    return pipe(f"keep(columns: [{columns}])", f"group(columns: [{groups}])")


def per_second() -> str:
    """A window's sum as a rate."""
    seconds = "(float(v: int(v: v.windowPeriod)) / 1000000000.0)"
    return f"map(fn: (r) => ({{r with _value: float(v: r._value) / {seconds}}}))"


def count_where(condition: str) -> str:
    """How many of the (few, already reduced) rows fulfil a condition: one row, also when none does."""
    choose = f"map(fn: (r) => ({{r with _value: if {condition} then 1 else 0}}))"
    return pipe("group()", choose, "sum()")


def tag_values(tag: str, where: str, measurement: str = "reading") -> str:
    """The values of a tag within the time range, for a variable."""
    return (
        'import "influxdata/influxdb/schema"\n'
        f'schema.tagValues(bucket: v.defaultBucket, tag: "{tag}", start: v.timeRangeStart, '
        f"stop: v.timeRangeStop, predicate: (r) => r._measurement == "
        f'"{measurement}"{f" and {where}" if where else ""})'
    )


@dataclass(frozen=True)
class FluxQuery(Builder[Dataquery], Dataquery):
    """One query of a panel, as Grafana's InfluxDB data source takes it."""

    text: str
    ref: str = "A"

    def build(self) -> Dataquery:
        """It is its own builder: there is nothing to build up."""
        return self

    def to_json(self) -> dict[str, object]:
        """The target's JSON."""
        return {"refId": self.ref, "datasource": SOURCE, "query": self.text}
