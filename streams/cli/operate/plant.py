"""`yeji plant`: the plant described once, checked, shown, proposed and imported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from connectors.plant.discover import Discovery

_File = Annotated[
    Path | None, typer.Argument(help="the description", show_default="setting `plant`: plant.toml")
]
_To = Annotated[
    Path | None, typer.Option(help="new file to write it into, as plant.toml", show_default="the terminal")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    plant = typer.Typer(
        no_args_is_help=True, add_completion=False, help="The plant described once (docs/plant.md)."
    )
    plant.command("check")(check)
    plant.command("show")(show)
    plant.command("discover")(discover)
    plant.command("import")(import_)
    app.add_typer(plant, name="plant")


def check(file: _File = None) -> None:
    """Say whether a description can be used: each mistake with its line and key."""
    from streams.settings import load_settings

    settings = load_settings(plant=file)
    if not settings.plant.is_file():
        raise _missing(settings.plant)
    sensors = sum(len(section.sensors) for section in settings.classes.values())
    sensors += sum(len(machine.sensors) for machine in settings.machines.values())
    print(
        f"{settings.plant}: {len(settings.machines)} machines, {len(settings.classes)} classes, "
        f"{sensors} sensors described. It can be used."
    )


def show(
    file: _File = None,
    machine: Annotated[
        str | None, typer.Option(help="only machines whose name holds this", show_default=False)
    ] = None,
    language: Annotated[str, typer.Option(help="language of the names")] = "en",
) -> None:
    """Show what is in force for each machine: class, sensors, units, ranges and limits."""
    from rich.console import Console
    from rich.table import Table

    from pipeline.wire.units import shown_unit
    from streams.settings import load_settings

    settings = load_settings(plant=file)
    table = Table("machine", "name", "class", "sensor", "called", "unit", "range", "limits", box=None)
    names = [name for name in settings.machines if not machine or machine in name]
    for name in names:
        kind = settings.class_of(name) or next(reversed(settings.classes))
        rows = [
            (
                sensor,
                one.label_in(language),
                shown_unit(one.unit) + (f" from {shown_unit(one.source_unit)}" if one.source_unit else ""),
                "" if one.low is None and one.high is None else f"{_number(one.low)} .. {_number(one.high)}",
                ", ".join(
                    f"{key} {value:g}"
                    for key in ("low_trip", "low_warn", "warn", "trip")
                    if (value := getattr(one, key)) is not None
                ),
            )
            for sensor, one in settings.class_for(name, kind).sensors.items()
        ] or [("", "", "", "", "")]
        for at, row in enumerate(rows):
            table.add_row(
                *((name, settings.name_of(name, language), kind) if at == 0 else ("", "", "")), *row
            )
    console = Console()
    if not console.is_terminal:
        console = Console(width=220)
    console.print(table)
    console.print(f"{len(names)} machines")


def discover(
    sample: Annotated[
        Path | None,
        typer.Argument(
            help="CSV files, or messages one a line as of `mosquitto_sub -v`", show_default="the sources"
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="listen to this source of the settings (may be repeated)", show_default="all"),
    ] = None,
    seconds: Annotated[float, typer.Option(help="how long to listen", min=0.1)] = 30.0,
    to: _To = None,
) -> None:
    """Propose a description from what a source sends, or from a file: machines, sensors, units, pace."""
    from connectors.plant.discover import Discovery
    from connectors.plant.write import plant_toml
    from streams.cli.errors import CommandError

    found = Discovery()
    units = _from_file(sample, found) if sample is not None else _from_sources(source, seconds, found)
    if not found.machines:
        raise CommandError(
            "No reading came. Look at the source with `yeji map`, listen longer (--seconds), or name a file."
        )
    plant = found.plant(units)
    _put(to, plant_toml(plant, found.remarks(plant)), found.elsewhere(plant))


def import_(
    file: Annotated[
        Path, typer.Argument(help="a spreadsheet (.xlsx, .csv) or Asset Administration Shells (.json, .aasx)")
    ],
    enterprise: Annotated[str | None, typer.Option(help="of all machines", show_default="the file's")] = None,
    site: Annotated[str | None, typer.Option(help="of all machines", show_default="the file's")] = None,
    area: Annotated[
        str | None, typer.Option(help="of machines without one", show_default="the file's")
    ] = None,
    line: Annotated[
        str | None, typer.Option(help="of machines without one", show_default="the file's")
    ] = None,
    to: _To = None,
) -> None:
    """Make a description from a spreadsheet, or from an Asset Administration Shell (AAS v3, JSON or AASX)."""
    from connectors.plant.aas import read_aas
    from connectors.plant.sheet import read_sheet
    from connectors.plant.write import plant_toml

    shells = file.suffix.lower() in (".json", ".aasx")
    plant, notes = (read_aas if shells else read_sheet)(file)
    for key, value in (("enterprise", enterprise), ("site", site)):
        if value is not None:
            setattr(plant, key, value)
    for machine in plant.machines:
        for key, value in (("area", area), ("line", line)):
            if value is not None and not getattr(machine, key):
                setattr(machine, key, value)
    _put(to, plant_toml(plant), notes)


def _number(value: float | None) -> str:
    return "…" if value is None else f"{value:g}"


def _missing(path: Path) -> Exception:
    from streams.cli.errors import CommandError

    return CommandError(
        f"There is no {path}: begin with `yeji plant discover` or `yeji plant import`, or write one as "
        "docs/plant.md shows."
    )


def _put(to: Path | None, text: str, notes: Iterable[str]) -> None:
    from streams.cli.errors import CommandError

    for note in notes:
        typer.echo(f"# {note}", err=True)
    if to is None:
        typer.echo(text, nl=False)
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{to} cannot be written ({error.strerror}). Name a new file.") from error
    typer.echo(f"Written to {to}. Look through it, then `yeji plant check {to}`.")


def _from_file(path: Path, found: Discovery) -> dict[tuple[str, str], str]:
    from connectors.base.clock import now_ms
    from connectors.csv.source import CsvError, CsvSource
    from connectors.mapping.propose import parse_samples, propose
    from pipeline.records import Frame
    from streams.cli.errors import CommandError

    if path.is_dir() or path.suffix.lower() in (".csv", ".tsv", ".txt"):
        try:
            for item in CsvSource(path):
                if isinstance(item, Frame):
                    found.add(item)
        except CsvError as error:
            raise CommandError(str(error)) from error
        return {}
    try:
        with path.open("rb") as file:
            samples = parse_samples(list(file))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error}.") from error
    if not samples:
        return {}
    units: dict[tuple[str, str], str] = {}
    for mapped in propose(samples, now_ms()).mapped:
        units |= mapped.units
        for frame in mapped.frames:
            found.add(frame)
    return units


def _from_sources(names: list[str] | None, seconds: float, found: Discovery) -> dict[tuple[str, str], str]:
    from threading import Timer

    from connectors.base.merged import MergedSource
    from connectors.base.sources import chosen_sources, open_source
    from pipeline.admission.admission import limits_of
    from pipeline.records import Frame, Message
    from pipeline.wire.readings import decode
    from streams.settings import load_settings

    settings = load_settings()
    chosen = chosen_sources(settings, names)
    opened = [open_source(name, _listening(name, settings.sources[name])) for name in chosen]
    source = opened[0] if len(opened) == 1 else MergedSource(opened)
    own = chosen[0] if len(chosen) == 1 else ""
    limits = limits_of(settings)
    timer = Timer(seconds, source.close)
    timer.start()
    try:
        for item in source:
            frame = decode(item, limits)[0] if isinstance(item, Message) else item
            if isinstance(frame, Frame):
                found.add(frame, own)
    finally:
        timer.cancel()
        source.close()
    return {}


def _listening(name: str, settings: Any) -> Any:
    """The source as one who only listens beside `yeji connect`: nothing is taken from it or moved."""
    from streams.cli.errors import CommandError

    if settings.kind == "folder":
        raise CommandError(f"[sources.{name}] moves the files that it reads: name one of them instead.")
    update: dict[str, Any] = {}
    broker = getattr(settings, "broker", None)
    if broker is not None:
        client = f"{broker.client_id or f'yeji-{name}'}-discover"
        update["broker"] = broker.model_copy(update={"client_id": client, "keep": 0.0})
    if hasattr(settings, "host_id"):
        update["host_id"] = None
    if hasattr(settings, "group"):
        update["group"] = f"{settings.group}-discover"
    return settings.model_copy(update=update)
