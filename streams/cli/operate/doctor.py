"""`yeji doctor`: what is wrong with the running system, and what to do."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor() -> None:
    """Look at everything, running workers too, and say on one page what is wrong and what to do.

    Exit code 1 when something is. Secrets are never printed.
    """
    from rich.console import Console
    from rich.table import Table

    from streams.doctor import diagnose
    from streams.settings import load_settings

    findings = diagnose(load_settings())
    wrong = [finding for finding in findings if finding.state == "failed"]
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    table = Table("what", "found, and what to do", box=None, padding=(0, 2, 0, 0))
    for one in wrong:
        table.add_row(f"[red]{one.what}[/]", one.text)
    if wrong:
        console.print(table)
    well = [finding.what for finding in findings if finding.state == "ok"]
    console.print(f"{len(wrong)} to mend. Well: {', '.join(well) or 'nothing'}.")
    if wrong:
        raise typer.Exit(1)
