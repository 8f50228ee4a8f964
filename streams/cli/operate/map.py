"""`yeji map`: a mapping proposed for some messages of a source."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.mapping.propose import Proposal

_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("map")(map_sample)


def map_sample(
    sample: Annotated[
        Path, typer.Argument(help="messages, one a line; - for standard input, as of `mosquitto_sub -v`")
    ],
    source: Annotated[str, typer.Option(help="the source's name in the settings")] = "my-source",
    mapping: Annotated[
        Path | None,
        typer.Option(help="try this mapping (a TOML file) on the sample", show_default="propose one"),
    ] = None,
    most: Annotated[int, typer.Option(help="messages that are looked at", min=1)] = 1000,
) -> None:
    """Propose how a source's messages become readings: TOML, what it makes of them, what is not sure.

    A message is a payload, or a topic, a space and a payload.
    """
    from itertools import islice

    from connectors.base.clock import now_ms
    from connectors.mapping.files import load_mapping
    from connectors.mapping.mapping import Mapping
    from connectors.mapping.propose import Proposal, parse_samples, propose
    from streams.cli.errors import CommandError

    try:
        if str(sample) == "-":
            lines = list(islice(sys.stdin.buffer, most))
        else:
            with sample.open("rb") as file:
                lines = list(islice(file, most))
    except OSError as error:
        raise CommandError(f"{sample} cannot be read: {error}.") from error
    samples = parse_samples(lines)
    if not samples:
        raise CommandError(f"{sample} holds no message: write one a line, as `mosquitto_sub -v` prints them.")
    if mapping is None:
        proposal = propose(samples, now_ms())
        typer.echo(proposal.toml(source))
    else:
        chosen = load_mapping(mapping)
        made = Mapping(chosen, source)
        proposal = Proposal(chosen, mapped=[made.apply(one.payload, one.topic, now_ms()) for one in samples])
    for line in _shown(proposal):
        typer.echo(line)


def _shown(proposal: Proposal) -> list[str]:
    from connectors.base.times import instant
    from pipeline.machine import display_name

    frames = [frame for mapped in proposal.mapped for frame in mapped.frames]
    rejections = [one for mapped in proposal.mapped for one in mapped.rejections]
    machines = sorted({frame.machine for frame in frames})
    sensors = sorted({name for frame in frames for name in frame.sensors})
    lines = [
        f"# {len(proposal.mapped)} messages: {sum(map(len, frames))} readings of {len(machines)} machines, "
        f"{len(sensors)} sensors; {len(rejections)} messages not taken, or not whole"
    ]
    for machine in machines[:_SHOWN]:
        shown = display_name(machine)
        lines.append(f"# machine {machine}" + (f"  (shown as {shown})" if shown != machine else ""))
    lines += [f"# … and {len(machines) - _SHOWN} more machines"] if len(machines) > _SHOWN else []
    lines.append(f"# sensors {', '.join(sensors[:20])}{', …' if len(sensors) > 20 else ''}")
    units = {sensor: unit for mapped in proposal.mapped for (_, sensor), unit in mapped.units.items()}
    lines += [f"# unit of {sensor}: {unit}" for sensor, unit in sorted(units.items())[:_SHOWN]]
    for frame in frames[:3]:
        values = ", ".join(
            f"{name} {value:g}" for name, value in zip(frame.sensors, frame.values[0].tolist(), strict=True)
        )
        lines.append(f"#   {instant(int(frame.time[0])).isoformat()} {frame.machine}: {values}")
    told = proposal.doubts or [
        f"{rejection.reason.value}: {rejection.detail}" for rejection in rejections[:_SHOWN]
    ]
    return lines + [f"# not sure: {doubt}" for doubt in told]
