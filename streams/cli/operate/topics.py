"""`yeji topics`: create and check the topics in Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.kafka.topics import TopicReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("topics")(topics)


def topics(
    check: Annotated[
        bool, typer.Option("--check", help="only tell what is missing or different; exit code 1 if any")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            help="partitions of new topics (setting `kafka.partitions`), and of those that have fewer",
            min=1,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Create missing topics and set what differs: partitions, retention, compaction, message size.

    Doing it again changes nothing. Topics keep their data, and a retention that you have set yourself.
    """
    from rich.console import Console

    from connectors.kafka.topics import Topics, TopicState
    from streams.settings import load_settings

    settings = load_settings().kafka
    if partitions is not None:
        settings = settings.model_copy(update={"partitions": partitions})
    admin = Topics(settings)
    try:
        before = admin.check()
        after = before if check else admin.apply(before, grow=partitions is not None)
    finally:
        admin.close()
    console = Console()
    console.print(_table(before, after, check))
    left = [report for report in after if report.state is not TopicState.FINE]
    for report in left:
        for problem in report.problems:
            console.print(f"{report.spec.name}: {problem}", style="yellow")
    if left:
        if check and any(report.settable or not report.partitions for report in left):
            console.print("Run `yeji topics` to create and set them.", style="yellow")
        raise typer.Exit(1)


def _table(before: list[TopicReport], after: list[TopicReport], check: bool) -> object:
    from rich.table import Table

    table = Table("topic", "partitions", "set", "state", box=None, padding=(0, 2, 0, 0))
    for old, new in zip(before, after, strict=True):
        state = new.state.value
        if not check and new.state.value == "fine" and old.state is not new.state:
            state = "created" if old.state.value == "missing" else "changed"
        configs = ", ".join(f"{key}={value}" for key, value in new.spec.configs.items())
        table.add_row(new.spec.name, str(new.partitions or "-"), configs, state)
    return table
