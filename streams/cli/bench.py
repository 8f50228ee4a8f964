"""`yeji bench`: how good the detection is, measured on labelled recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from streams.evaluation.report import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    path: Annotated[Path, typer.Argument(help="the set's folder, or one file of it", exists=True)],
    form: Annotated[str, typer.Option("--format", help="skab, nab, cmapss, ims or events")] = "events",
    choices: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of variants of the class settings, a table each: which do the sets choose, "
            "each left out once",
            show_default=False,
            exists=True,
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="folder to draw plots into (needs yeji[bench])", show_default=False)
    ] = None,
) -> None:
    """Replay labelled recordings through the pipeline; print what a crew would have felt.

    One pass, in order, with one fixed configuration for the whole set (docs/detection.md); beside it
    detectors that ignore the sensors, and River's own. A folder of several sets (format events) is judged
    with the default settings, beside frozen T² and isolation forest at no more false episodes.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    from streams.cli.errors import CommandError
    from streams.evaluation.choices import compare_variants, read_variants
    from streams.evaluation.draw import write_plots
    from streams.evaluation.formats import FORMATS, runner
    from streams.evaluation.reader import sets_of
    from streams.evaluation.report import BenchError

    if form not in FORMATS:
        raise CommandError(f"There is no format {form!r}. Write --format with one of {', '.join(FORMATS)}.")
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    try:
        columns = (
            TextColumn("{task.description:<32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            tasks: dict[str, TaskID] = {}

            def watch(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = progress.add_task(what, total=total)
                progress.update(tasks[what], completed=done, total=total)

            if choices is not None:
                report = compare_variants(f"choices on {path}", sets_of(path), read_variants(choices), watch)
            else:
                report = runner(form)(path, watch)
        _print(console, report)
        if plots is not None:
            files = write_plots(report.plots, plots)
            console.print(f"{len(files)} plots in {plots}")
    except BenchError as error:
        raise CommandError(str(error)) from error


def _print(console: Console, report: Report) -> None:
    from rich.table import Table

    from streams.evaluation.report import shown

    console.rule(report.title)
    for table in report.tables:
        laid = Table(title=table.title, title_justify="left")
        for i, column in enumerate(table.columns):
            laid.add_column(column, justify="right" if i else "left", no_wrap=i == 0)
        for row in table.rows:
            laid.add_row(*(shown(cell) for cell in row))
        console.print(laid)
    for note in report.notes:
        console.print(note)
