"""`yeji run`: the main job in one process, from files, standard input or the simulated plant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: The exit code of a run that did its work, but for files that cannot be read.
UNREAD = 3

_SIMULATOR = "The simulated plant (when neither --csv nor --stdin is given)"
_FILES = "Files (--csv)"
_PLACE = "Where results go"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    csv: Annotated[
        Path | None, typer.Option(help="a CSV file, or a folder of them, to replay", show_default=False)
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="read JSON lines (docs/wire.md) from standard input")
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="read every source of the settings (docs/connect.md)")
    ] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="how other systems' payloads on standard input are read: a TOML file (docs/mapping.md)",
            show_default="what is plain",
        ),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            help="the files' one machine: a/b/c/d/press-07", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    machine_column: Annotated[
        str | None,
        typer.Option(
            help="column that names the machine", show_default="by its name", rich_help_panel=_FILES
        ),
    ] = None,
    under: Annotated[
        str | None,
        typer.Option(
            help="what stands before a machine's name: enterprise/site/area/line",
            show_default="local/csv/FOLDER/FILE",
            rich_help_panel=_FILES,
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option(help="column of the time", show_default="by its name", rich_help_panel=_FILES),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            help="as in strptime: '%d.%m.%Y %H:%M'", show_default="found out", rich_help_panel=_FILES
        ),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(
            help="what one is where times are numbers: 1s, 1ms, 1h",
            show_default="found out",
            rich_help_panel=_FILES,
        ),
    ] = None,
    time_step: Annotated[
        str | None,
        typer.Option(
            help="there are no times, rows are so far apart: 1s", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    start: Annotated[
        str, typer.Option(help="where times that only count begin", rich_help_panel=_FILES)
    ] = "2000-01-01",
    timezone: Annotated[
        str, typer.Option(help="zone of times that name none, and of the times that are printed")
    ] = "UTC",
    sensor_column: Annotated[
        str | None,
        typer.Option(
            help="column that names the sensor, one value a row",
            show_default="by its name",
            rich_help_panel=_FILES,
        ),
    ] = None,
    value_column: Annotated[
        str | None,
        typer.Option(help="column of that value", show_default="by its name", rich_help_panel=_FILES),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            help="one value a row: put times on a grid, as 1s", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="column that is no sensor (may be repeated)",
            show_default="labels, by name",
            rich_help_panel=_FILES,
        ),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="between cells", show_default="found out", rich_help_panel=_FILES)
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(help="decimal sign, . or ,", show_default="found out", rich_help_panel=_FILES),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="as cp949", show_default="found out", rich_help_panel=_FILES)
    ] = None,
    seed: Annotated[
        int, typer.Option(help="another number is another plant", rich_help_panel=_SIMULATOR)
    ] = 1,
    machines: Annotated[
        int | None,
        typer.Option(
            help="so many machines with random faults, in place of the demonstration's fifteen",
            min=1,
            show_default=False,
            rich_help_panel=_SIMULATOR,
        ),
    ] = None,
    history: Annotated[
        str, typer.Option(help="event time that is replayed first", rich_help_panel=_SIMULATOR)
    ] = "9d",
    interval: Annotated[
        str, typer.Option(help="time between two readings of a machine", rich_help_panel=_SIMULATOR)
    ] = "15s",
    speed: Annotated[
        float,
        typer.Option(help="after its history, event time runs so much faster", rich_help_panel=_SIMULATOR),
    ] = 1.0,
    data: Annotated[
        Path | None,
        typer.Option(help="folder for stores (setting `data`)", show_default="var", rich_help_panel=_PLACE),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="the SQLite file itself, in place of one a kind of source in the folder",
            show_default=False,
            rich_help_panel=_PLACE,
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="remove the store first: learn anew", rich_help_panel=_PLACE)
    ] = False,
    page: Annotated[bool, typer.Option(help="serve the local page (settings `page`)")] = True,
    desk: Annotated[
        bool, typer.Option("--desk", help="run the alarm desk too (settings `desk` and `notify`)")
    ] = False,
    exit_at_end: Annotated[
        bool,
        typer.Option("--exit", help="end with the input, or the history; otherwise the page stays up"),
    ] = False,
) -> None:
    """Watch machines: score every reading, raise alarms, keep it all in SQLite, show it on a local page.

    Without options it simulates a plant: nine days of history in seconds, then live. Ends with 3 where some
    of a folder's files cannot be read.
    """
    from connectors.csv.layout import CsvOptions
    from streams.cli.errors import CommandError
    from streams.cli.run_embedded import How, opened_store, run_embedded
    from streams.cli.sources import (
        Simulation,
        choose_csv,
        choose_simulator,
        choose_sources,
        choose_stdin,
        duration,
        milliseconds,
        moment,
        store_path,
        zone_of,
    )
    from streams.settings import load_settings

    if (csv is not None) + stdin + sources > 1:
        raise CommandError("Give one of --csv, --stdin and --sources.")
    settings = load_settings(data=data)
    zone = zone_of(timezone)
    options = CsvOptions(
        time_column=time_column,
        time_format=time_format,
        time_unit=None if time_unit is None else milliseconds(time_unit),
        time_step=None if time_step is None else duration(time_step),
        start=moment(start, zone),
        zone=zone,
        machine=machine,
        machine_column=machine_column,
        under=under,
        sensor_column=sensor_column,
        value_column=value_column,
        ignore=tuple(ignore or ()),
        delimiter=None if delimiter is None else delimiter.replace("\\t", "\t"),
        decimal=decimal,
        encoding=encoding,
        align=0 if align is None else duration(align),
    )
    simulation = Simulation(seed, duration(interval), duration(history), machines, speed=speed)
    kind = "csv" if csv is not None else "stdin" if stdin else "sources" if sources else "simulator"
    how = How(store_path(settings.data, kind, store), fresh, page, exit_at_end, zone, desk)
    chosen = None
    if csv is not None:
        chosen = choose_csv(csv, options)
    elif stdin:
        chosen = choose_stdin(mapping)
    elif sources:
        chosen = choose_sources(settings)
    keep_days = None if csv is not None else settings.run.keep_days  # a file's replay is whole
    with opened_store(how.store, fresh=fresh, keep_days=keep_days) as sink:
        if chosen is None:
            chosen, settings = choose_simulator(simulation, settings, sink, exit_at_end=exit_at_end)
        run_embedded(settings, chosen, sink, how)
    if chosen.unread:
        raise typer.Exit(UNREAD)
