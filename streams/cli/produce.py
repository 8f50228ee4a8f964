"""`yeji produce`: readings into Kafka, from files, standard input or the simulated plant."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.base.contract import Source
    from connectors.kafka.producer import FrameProducer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("produce")(produce)


def produce(
    csv: Annotated[
        Path | None, typer.Option(help="a CSV file, or a folder of them", show_default=False)
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="read JSON lines (docs/wire.md) from standard input")
    ] = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="the simulated plant")] = False,
    seed: Annotated[int, typer.Option(help="of the simulated plant")] = 1,
    machines: Annotated[
        int | None,
        typer.Option(help="of the simulated plant; none = the demonstration's", min=1, show_default=False),
    ] = None,
    history: Annotated[str, typer.Option(help="event time of the plant that is sent first")] = "9d",
    interval: Annotated[str, typer.Option(help="time between two readings of a simulated machine")] = "15s",
    exit_at_end: Annotated[
        bool, typer.Option("--exit", help="end with the plant's history; otherwise go on live")
    ] = False,
    readings: Annotated[int, typer.Option(help="readings in one message, at most", min=1)] = 200,
) -> None:
    """Send readings to `telemetry.frames`, keyed by machine, each acknowledged by all replicas.

    Sending the same readings again does no harm: the worker takes each machine and time once.
    """
    from connectors.kafka.producer import FrameProducer
    from connectors.kafka.topics import require_topics
    from streams.cli.errors import CommandError
    from streams.settings import load_settings

    if sum((csv is not None, stdin, simulate)) != 1:
        raise CommandError("Give one of --csv PATH, --stdin and --simulate.")
    settings = load_settings()
    require_topics(settings.kafka)
    source, total = _source(csv, stdin, (seed, interval, history, machines), exit_at_end)
    with FrameProducer(settings.kafka, readings) as producer:
        _send(source, total, producer)


def _source(
    csv: Path | None, stdin: bool, plant: tuple[int, str, str, int | None], exit_at_end: bool
) -> tuple[Source, int | None]:
    from connectors.base.clock import now_ms
    from streams.cli.sources import Simulation, choose_csv, choose_stdin, duration

    if csv is not None:
        chosen = choose_csv(csv)
        return chosen.source, chosen.total
    if stdin:
        return choose_stdin().source, None
    seed, interval, history, machines = plant
    simulation = Simulation(seed, duration(interval), duration(history), machines)
    live = now_ms()
    source = simulation.source(live, live - simulation.history)
    if exit_at_end:
        source = simulation.source(live, live - simulation.history, until=source.live)
    return source, source.total if exit_at_end else None


def _send(source: Source, total: int | None, producer: FrameProducer) -> None:
    """Send everything, and show how far it is: a bar in a terminal, else a line every ten seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    console = Console()
    columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.fields[text]}"))
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    began = said = time.monotonic()
    sent = 0
    with progress:
        task = progress.add_task("sending", total=total, text="")
        try:
            for item in source:
                sent += producer.send(item)
                now = time.monotonic()
                if now - said > (0.2 if console.is_terminal else 10):
                    said = now
                    text = f"{sent:,} readings, {sent / (now - began):,.0f}/s"
                    progress.update(task, completed=sent, text=text)
                    if not console.is_terminal:
                        console.print(f"… {text}")
        except KeyboardInterrupt:
            source.close()
        producer.flush()
    seconds = time.monotonic() - began
    console.print(
        f"{sent:,} readings in {producer.acknowledged:,} messages acknowledged, {producer.rejected:,} "
        f"rejected, in {seconds:.1f} s ({sent / max(seconds, 1e-9):,.0f} readings/s)"
    )
