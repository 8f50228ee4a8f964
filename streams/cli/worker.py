"""`yeji worker`: the main job on the stream."""

from __future__ import annotations

import os
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
    # The app is built when its module is imported, as Faust's users know it: flags must be set before.
    if name is not None:
        os.environ["YEJI_WORKER__NAME"] = name
    if data is not None:
        os.environ["YEJI_DATA"] = str(data)
    from streams.agents.app import app
    from streams.agents.run import load_agents, run_worker

    load_agents(app)
    run_worker(app)
