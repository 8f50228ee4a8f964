"""`yeji grafana`: dashboards into Grafana, and an annotation there for every alarm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path("deploy/grafana/dashboards")


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with Grafana or Kafka ends the command with its message alone."""
    from connectors.grafana.client import GrafanaError
    from connectors.kafka.errors import KafkaError
    from streams.cli.errors import CommandError

    try:
        yield
    except (GrafanaError, KafkaError) as error:
        raise CommandError(str(error)) from error


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Dashboards into Grafana, and alarms as annotations.", no_args_is_help=True)
    group.command("apply")(apply)
    group.command("annotate")(annotate)
    group.command("write")(write)
    app.add_typer(group, name="grafana")


def apply(
    url: Annotated[
        str | None, typer.Option(help="Grafana's address (setting `grafana.url`)", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what would be done")] = False,
) -> None:
    """Create or update folder, data source and dashboards; doing it again changes nothing.

    Needs YEJI_GRAFANA__TOKEN (a service account's, with the Admin role) and YEJI_INFLUX__TOKEN.
    """
    from connectors.grafana import apply as work
    from connectors.grafana.client import Grafana
    from streams.settings import load_settings

    settings = load_settings()
    if url is not None:
        settings = settings.model_copy(update={"grafana": settings.grafana.model_copy(update={"url": url})})
    with _told():
        grafana = Grafana(settings.grafana)
        typer.echo(f"Grafana {grafana.version()} at {grafana.url}")
        for change in work.apply(grafana, settings, dry=dry_run, desk=settings.desk.url):
            typer.echo(f"  {change.kind:<12} {change.name:<22} {change.action.value}")
    if dry_run:
        typer.echo("Nothing was changed (--dry-run).")


def annotate(
    once: Annotated[
        bool, typer.Option("--once", help="stop at the topic's end; otherwise go on until interrupted")
    ] = False,
) -> None:
    """Follow the topic of alerts and post an annotation for every alarm, once each.

    Where it left off is kept in Kafka, for the consumer group `<kafka.group>-grafana`.
    """
    from connectors.grafana.client import Grafana
    from connectors.grafana.follow import AlarmFollower
    from streams.settings import load_settings

    settings = load_settings()
    with _told():
        grafana = Grafana(settings.grafana)
        typer.echo(f"Grafana {grafana.version()} at {grafana.url}, alarms of {settings.kafka.alerts}")
        follower = AlarmFollower(settings.kafka, grafana)
        try:
            follower.run_to_end() if once else follower.run()
        finally:
            follower.close()
            typer.echo(f"{follower.annotated} annotations posted or changed.")


def write(
    folder: Annotated[Path, typer.Argument(help="where the JSON files go")] = FOLDER,
) -> None:
    """Write the dashboards as JSON files, as Grafana's file provisioning takes them."""
    from connectors.grafana.dashboards.build import write_all

    for path in write_all(folder):
        typer.echo(str(path))
