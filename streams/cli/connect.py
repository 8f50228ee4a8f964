"""`yeji connect`: the plant's own systems to Kafka."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command and those under it."""
    group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
    group.callback()(connect)
    modbus = typer.Typer(no_args_is_help=True, help="Look at Modbus devices.")
    modbus.command("check")(modbus_check)
    group.add_typer(modbus, name="modbus")
    app.add_typer(group, name="connect")


def connect(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Option(help="run only this one (may be repeated)", show_default="all of the settings"),
    ] = None,
    report: Annotated[float, typer.Option(help="seconds between reports in the log", min=1)] = 60.0,
) -> None:
    """Bring readings from MQTT and the plant's other systems to Kafka: every source of the settings at once.

    While Kafka is away readings are held on disk, and delivered when it is back (settings `spool`). What a
    source brings is acknowledged to it only when Kafka or the disk has it.
    """
    if context.invoked_subcommand is not None:
        return
    from streams.agents.logs import set_up_logging
    from streams.cli.ending import ended_by_signals
    from streams.connect.run import ConnectRun
    from streams.settings import load_settings

    settings = load_settings()
    set_up_logging(settings)
    with ended_by_signals() as ending:
        run = ConnectRun(settings, source)
        ending.stops(run.stop)
        run.run(report)


def modbus_check(
    host: Annotated[str, typer.Option(help="address of the device or gateway")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="its port", min=1, max=65535)] = 502,
    unit: Annotated[int, typer.Option(help="the slave's number", min=0, max=255)] = 1,
    table: Annotated[str, typer.Option(help="holding or input")] = "holding",
    address: Annotated[int, typer.Option(help="first register, counted from 0: 40001 is 0", min=0)] = 0,
    count: Annotated[int, typer.Option(help="how many registers", min=1, max=125)] = 8,
    timeout: Annotated[float, typer.Option(help="seconds to wait for the answer")] = 2.0,
) -> None:
    """Show registers of a Modbus device as every type, in every order of bytes: one looks right."""
    from connectors.modbus.check import CheckError, check_lines
    from streams.cli.errors import CommandError

    try:
        for line in check_lines(host, port, unit, table, address, count, timeout):
            typer.echo(line)
    except CheckError as error:
        raise CommandError(str(error)) from error
