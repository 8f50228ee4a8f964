"""`yeji check`: whether everything that the settings name can be reached, and what to do where it cannot."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    create: Annotated[
        bool, typer.Option("--create", help="create the InfluxDB bucket and the topics when missing")
    ] = False,
) -> None:
    """Check Kafka and its topics, InfluxDB with bucket and token, Grafana, and the data folder.

    Exit code 1 when something that is configured does not work. Secrets are never printed.
    """
    from rich.console import Console
    from rich.table import Table

    from streams.checks import all_checks
    from streams.settings import load_settings

    findings = all_checks(load_settings(), create=create)
    table = Table("what", "", "found, or what to do", box=None, padding=(0, 2, 0, 0))
    colours = {"ok": "green", "skipped": "dim", "failed": "red"}
    for finding in findings:
        table.add_row(finding.what, f"[{colours[finding.state]}]{finding.state}[/]", finding.text)
    Console().print(table)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)
