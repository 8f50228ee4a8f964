"""The command `yeji`: one module a verb, imported only when the command runs."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from streams.cli.errors import EXPECTED

#: Modules of this package, each with `register(app)`, in the order in which help lists their commands.
VERBS: tuple[str, ...] = (
    "run",
    "simulate",
    "grafana",
    "worker",
    "produce",
    "connect",
    "operate.map",
    "operate.plant",
    "operate.topics",
    "operate.check",
    "operate.doctor",
    "operate.acls",
    "operate.influx",
    "operate.export",
    "operate.snapshots",
    "operate.machines",
    "operate.rejected",
    "detectors",
    "bench",
    "life",
    "remaining",
    "desk",
    "train",
    "operate.modes",
    "tune",
    "spread",
)


def make_app() -> typer.Typer:
    """The whole command, with every verb registered."""
    app = typer.Typer(
        name="yeji",
        help="Predictive maintenance on streams: score every reading, warn of what is coming.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_yeji)
    for verb in VERBS:
        import_module(f"streams.cli.{verb}").register(app)
    return app


def _yeji() -> None:
    """Predictive maintenance on streams: score every reading, warn of what is coming."""


def main() -> None:
    """Run the command; what can be expected to go wrong ends in one message, not in a traceback."""
    try:
        make_app()()
    except EXPECTED as error:
        print(f"yeji: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
