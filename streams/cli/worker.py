"""`yeji worker`: the main job on the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("worker")(worker)


def worker(
    name: Annotated[
        str | None,
        typer.Option(help="the worker's name in statistics (setting `worker.name`)", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="folder for its own files (setting `data`)", show_default="var"),
    ] = None,
) -> None:
    """Score readings from Kafka into InfluxDB; alarms and rejected input go back to Kafka.

    Start as many as there is work for: they share the partitions among them. SIGTERM ends one with a last
    checkpoint; killed, it loses nothing either.
    """
    from streams.agents.service import run_worker
    from streams.settings import load_settings

    settings = load_settings(data=data)
    if name is not None:
        settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"name": name})})
    run_worker(settings)
