"""`yeji run`: the main job in one process, from files, standard input or the simulated plant."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Annotated, Any

import typer

#: The exit code of a run that did its work, but for files that cannot be read.
UNREAD = 3

_SIMULATOR = "The simulated plant"
_FILES = "Files"
_PLACE = "Where results go"


#: Options that only one kind of source has; all others every kind has.
_OWN: dict[str, tuple[str, ...]] = {
    "csv": (
        "machine",
        "machine_column",
        "under",
        "time_column",
        "time_format",
        "time_unit",
        "time_step",
        "start",
        "sensor_column",
        "value_column",
        "align",
        "ignore",
        "delimiter",
        "decimal",
        "encoding",
    ),
    "stdin": ("mapping",),
    "sources": (),
    "simulate": ("seed", "machines", "history", "interval", "speed"),
}
#: The options of `yeji run` itself that its commands have taken the place of. They go on working.
_OLD = ("csv", "stdin", "sources", *_OWN["csv"], *_OWN["stdin"])


def register(app: typer.Typer) -> None:
    """Add the command and those under it."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(_with_options(_alone, ["context"], _run_options(hidden=_OLD), run.__doc__))
    path = inspect.Parameter(
        "path",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[Path, typer.Argument(help="a CSV file, or a folder of them")],
    )
    for kind, command in (("csv", _csv), ("stdin", _stdin), ("sources", _sources), ("simulate", _simulate)):
        others = {*_OLD, *_OWN["simulate"]} - set(_OWN[kind])
        options = [option for option in _run_options() if option.name not in others]
        first = [path] if kind == "csv" else []
        group.command(kind)(_with_options(command, [], [*first, *options], command.__doc__))
    app.add_typer(group, name="run")


def _alone(context: typer.Context, **options: Any) -> None:
    """`yeji run` without a command; options before a command would be lost, so they are refused."""
    if context.invoked_subcommand is None:
        run(**options)
        return
    for name in options:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            from streams.cli.errors import CommandError

            flag = "--" + name.replace("_", "-")
            command = context.invoked_subcommand
            raise CommandError(f"Write {flag} after the command: yeji run {command} {flag} …")


def _csv(path: Path, **options: Any) -> None:
    """Replay a CSV file, or all files of a folder (docs/csv.md).

    Ends with 3 where some of a folder's files cannot be read.
    """
    run(csv=path, **options)


def _stdin(**options: Any) -> None:
    """Read JSON lines from standard input (docs/wire.md)."""
    run(stdin=True, **options)


def _sources(**options: Any) -> None:
    """Read every source of the settings (docs/connect.md)."""
    run(sources=True, **options)


def _simulate(**options: Any) -> None:
    """Watch a simulated plant: nine days of history in seconds, then live."""
    run(**options)


def _run_options(hidden: tuple[str, ...] = ()) -> list[inspect.Parameter]:
    """The parameters of `run`, with their annotations; those ``hidden`` are left out of the help."""
    hints = typing.get_type_hints(run, include_extras=True)
    options = []
    for name, parameter in inspect.signature(run).parameters.items():
        kind, option = typing.get_args(hints[name])
        if name in hidden:
            option = copy(option)
            option.hidden = True
        options.append(parameter.replace(annotation=Annotated[kind, option], kind=parameter.KEYWORD_ONLY))
    return options


def _with_options(
    command: Callable[..., None], own: list[str], options: list[inspect.Parameter], about: str | None
) -> Callable[..., None]:
    """``command`` as Typer is to see it: its ``own`` parameters, then ``options`` in place of its ``**``."""

    def called(**given: Any) -> None:
        command(**given)

    signature = inspect.signature(command, eval_str=True)
    parameters = [
        *(signature.parameters[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in own),
        *options,
    ]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    called.__doc__ = about
    return called


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

    Without a command it simulates a plant: nine days of history in seconds, then live.
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
