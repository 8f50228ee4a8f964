"""`yeji train`: the training of floor staff on a practice plant, with nothing to connect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    data: Annotated[
        Path | None,
        typer.Option(help="folder of the training's accounts and progress", show_default="var/train"),
    ] = None,
    port: Annotated[int, typer.Option(help="port to listen on, on this machine", min=1, max=65535)] = 8012,
) -> None:
    """Serve the twelve lessons for floor staff: a desk of its own, on a simulated plant.

    On a running desk the same lessons are under Training. Nothing here touches a real desk.
    """
    from streams.cli.run_desk import run_training
    from streams.settings import load_settings

    run_training(load_settings(data=data), port=port, own=data is not None)
