"""`yeji spread`: take what a machine class has learned at one site to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_Data = Annotated[Path | None, typer.Option(help="folder of stores (setting `data`)", show_default="var")]
_Tenant = Annotated[
    str | None,
    typer.Option(help="whose labels: enterprise/site, as gwangju/ggm; none = no labels", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    spread = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="Let another site begin with what a machine class has learned here, without its readings.",
    )
    spread.command("export")(export)
    spread.command("import")(import_)
    spread.command("show")(show)
    app.add_typer(spread, name="spread")


def export(
    machine_class: Annotated[str, typer.Argument(metavar="CLASS", help="the machine class")],
    to: Annotated[Path, typer.Argument(help="the package to write, as press.yjpr")],
    store: Annotated[
        Path | None,
        typer.Option(help="the SQLite file of `yeji run` to take models from", show_default=False),
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="take models from the workers' snapshots (settings `kafka`)")
    ] = False,
    tenant: _Tenant = None,
    least: Annotated[
        int, typer.Option(help="readings that a machine must have given since its warm-up")
    ] = 1000,
    data: _Data = None,
) -> None:
    """Write a package: models of a few machines, calibration, and the labels of confirmed faults."""
    from streams.cli.run_spread import write_package
    from streams.settings import load_settings

    for line in write_package(load_settings(data=data), machine_class, to, store, kafka, tenant, least):
        print(line)


def import_(
    package: Annotated[Path, typer.Argument(help="what `yeji spread export` wrote")],
    tenant: _Tenant = None,
    data: _Data = None,
    by: Annotated[str, typer.Option(help="who does it", show_default="the user's name")] = "",
) -> None:
    """Let new machines of the class begin with a package, once workers and `yeji run` start again."""
    from streams.cli.run_spread import adopt
    from streams.settings import load_settings

    for line in adopt(load_settings(data=data), package, tenant, by):
        print(line)


def show(package: Annotated[Path, typer.Argument(help="what `yeji spread export` wrote")]) -> None:
    """Say what is in a package, after checking that it is whole."""
    from streams.cli.run_spread import described

    for line in described(package):
        print(line)
