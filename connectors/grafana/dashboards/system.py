"""The system itself: what the workers do, how far behind they are, and what was not taken."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from connectors.grafana.dashboards import frame, panels
from connectors.grafana.dashboards.flux import per_second, pipe, select, series, window

WORKER = "${__field.labels.worker}"

REJECTED = pipe(
    select("rejected"),
    'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
    "group()",
    'keep(columns: ["_time", "reason", "count", "readings", "machine", "topic", "partition", "detail"])',
    'sort(columns: ["_time"], desc: true)',
    "limit(n: 100)",
)


def dashboard() -> build.Dashboard:
    """The system's dashboard."""
    made = frame.new(
        "yeji-system",
        "Yeji: system",
        "The workers' rate, lag and times, and the input that was rejected.",
        span="3h",
        refresh="30s",
    )
    _numbers(made)
    _workers(made)
    _rejected(made)
    return made


def _numbers(made: build.Dashboard) -> None:
    made.with_panel(
        panels.number(
            "Workers",
            "Workers that reported in this time.",
            pipe(select("worker", "machines"), "last()", "group()", "count()"),
            colors=((None, panels.RED), (1.0, panels.GREEN)),
        )
    )

    def last(field: str, function: str) -> str:
        return pipe(select("worker", field), "last()", "group()", f"{function}()")

    blue = ((None, panels.BLUE),)
    made.with_panel(
        panels.number(
            "Machines", "Machines whose models the workers hold.", last("machines", "sum"), colors=blue
        )
    )
    rate = pipe(
        select("worker", "readings"),
        window("sum"),
        'group(columns: ["_time"])',
        "sum()",
        "group()",
        'sort(columns: ["_time"])',
        per_second(),
    )
    made.with_panel(
        panels.number("Readings a second", "All workers, last stretch.", rate, unit="short", colors=blue)
    )
    lag = ((None, panels.GREEN), (1000.0, panels.YELLOW), (100_000.0, panels.RED))
    made.with_panel(
        panels.number("Lag", "Messages that wait in Kafka, all workers.", last("lag", "sum"), colors=lag)
    )
    late = ((None, panels.GREEN), (1000.0, panels.YELLOW), (10_000.0, panels.RED))
    made.with_panel(
        panels.number(
            "Slowest batch",
            "From a batch's first message to its commit, the slowest worker's last.",
            last("batch_ms", "max"),
            unit="ms",
            colors=late,
        )
    )
    rejected = pipe(select("rejected", "count"), "group()", "sum()")
    made.with_panel(
        panels.number(
            "Rejected",
            "Messages that were not taken, whole or in part, in this time.",
            rejected,
            colors=((None, panels.GREEN), (1.0, panels.YELLOW)),
        ).no_value("0")
    )


def _workers(made: build.Dashboard) -> None:
    def chart(field: str, title: str, about: str, unit: str, *, rate: bool = False) -> None:
        query = pipe(select("worker", field), window("sum" if rate else "max"), series("worker"))
        if rate:
            query = pipe(query, per_second())
        made.with_panel(panels.lines(title, about, query, unit=unit, name=WORKER, low=0).interval("10s"))

    chart("readings", "Readings a second", "What each worker scored.", "short", rate=True)
    chart("lag", "Lag", "Messages that wait in each worker's partitions.", "short")
    times = pipe(
        select("worker", "batch_ms", "process_ms", "write_ms"), window("max"), series("worker", "_field")
    )
    made.with_panel(
        panels.lines(
            "Where a batch's time goes",
            "Slowest batch of each stretch: whole, in the pipeline (process), in the sinks (write).",
            times,
            unit="ms",
            name="${__field.labels._field} ${__field.labels.worker}",
            low=0,
        )
    )
    chart("snapshot_age_s", "Age of the oldest snapshot", "A restart replays no more than this.", "s")
    chart("memory_mb", "Memory", "Resident memory of each worker.", "decmbytes")
    chart("machines", "Machines", "Machines whose models each worker holds.", "short")


def _rejected(made: build.Dashboard) -> None:
    reasons = pipe(
        select("rejected", "count"),
        'group(columns: ["reason"])',
        window("sum", empty=True),
        series("reason"),
    )
    made.with_panel(
        panels.bars(
            "Rejected, by reason",
            "Messages that were not taken, whole or in part (docs/bad-input.md says what each reason means).",
            reasons,
            name="${__field.labels.reason}",
        ).no_value("Nothing was rejected.")
    )
    table = panels.rows(
        "Rejected",
        "The last 100; the original bytes are in the topic `telemetry.rejected`.",
        REJECTED,
        {
            "_time": "Time",
            "reason": "Reason",
            "count": "Messages",
            "readings": "Readings",
            "machine": "Machine",
            "topic": "Topic",
            "partition": "Partition",
            "detail": "Detail",
        },
        empty="Nothing was rejected.",
        w=12,
        h=8,
    )
    made.with_panel(table)
