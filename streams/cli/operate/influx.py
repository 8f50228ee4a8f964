"""`yeji influx`: what InfluxDB needs before workers can write there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    influx = typer.Typer(
        no_args_is_help=True, add_completion=False, help="Tokens that may do one thing with one bucket."
    )
    influx.callback()(_influx)
    influx.command("token")(token)
    app.add_typer(influx, name="influx")


def _influx() -> None:
    """Tokens that may do one thing with one bucket."""


def token(
    purpose: Annotated[
        Literal["worker", "reader"],
        typer.Argument(help="worker: may write to the bucket; reader: may read it (Grafana, the desk)"),
    ],
    to: Annotated[Path, typer.Argument(help="new file to write it into, for YEJI_INFLUX__TOKEN_FILE")],
) -> None:
    """Make a token for the bucket of the settings, with an all-access token in YEJI_INFLUX__TOKEN."""
    from connectors.influx.tokens import Purpose, keep_token, make_token
    from streams.settings import load_settings

    settings = load_settings().influx
    keep_token(make_token(settings, Purpose(purpose)), to)
    print(f"{to}: may {'write to' if purpose == 'worker' else 'read'} bucket {settings.bucket}, nothing else")
