"""`yeji acls`: who may do what on Kafka, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("acls")(acls)


def acls(
    file: Annotated[Path, typer.Argument(help="the rules, as deploy/kafka/acls.toml")],
    check: Annotated[
        bool, typer.Option("--check", help="only list what is missing; exit code 1 if any")
    ] = False,
) -> None:
    """Add Kafka's access rules that are missing. Rules that are there are never removed."""
    from connectors.kafka.acls import apply_acls, missing_acls, read_acls
    from streams.settings import load_settings

    settings = load_settings().kafka
    wanted = read_acls(file, settings)
    if not check:
        print(f"{apply_acls(settings, wanted)} rules added, {len(wanted)} are there")
        return
    missing = missing_acls(settings, wanted)
    for one in missing:
        resource = one.resource_pattern
        print(f"{one.principal} may not {one.operation.name} {resource.resource_name}")
    if missing:
        raise typer.Exit(1)
