"""`yeji simulate`: the simulated plant's readings as JSON lines, and the faults that are in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    out: Annotated[Path | None, typer.Option(help="file to write", show_default="standard output")] = None,
    truth: Annotated[
        Path | None, typer.Option(help="file for the faults, one JSON object a line", show_default=False)
    ] = None,
    machines: Annotated[
        int | None,
        typer.Option(
            help="so many machines with random faults, in place of the demonstration's fifteen",
            min=1,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="another number is another plant")] = 1,
    start: Annotated[str, typer.Option(help="event time of the first reading, UTC")] = "2026-01-05",
    history: Annotated[str, typer.Option(help="event time from the first reading to the last")] = "2d",
    interval: Annotated[str, typer.Option(help="time between two readings of a machine")] = "5s",
    fault_rate: Annotated[
        float, typer.Option(help="chance that a machine has a fault in ten days, with --machines")
    ] = 0.3,
    per_frame: Annotated[str, typer.Option(help="event time in one line")] = "10m",
) -> None:
    """Write a simulated plant's readings as JSON lines (docs/wire.md); same options, same bytes."""
    import os
    import sys
    from contextlib import nullcontext
    from datetime import UTC

    import msgspec

    from pipeline.wire.readings import encode_frame
    from streams.cli.errors import CommandError
    from streams.cli.sources import Simulation, duration, moment

    first, length = moment(start, UTC), duration(history)
    simulation = Simulation(seed, duration(interval), length, machines, fault_rate)
    plant = simulation.source(first + length, first).plant
    try:
        if truth is not None:
            truth.parent.mkdir(parents=True, exist_ok=True)
            lines = [msgspec.json.encode(fault) for fault in plant.faults(first, first + length)]
            truth.write_bytes(b"".join(line + b"\n" for line in lines))
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
        with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as stream:
            for frame in plant.frames(first, first + length, duration(per_frame)):
                stream.write(encode_frame(frame) + b"\n")
            stream.flush()
    except BrokenPipeError:
        # Whoever read this has enough. Python would flush once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise CommandError(f"{error.filename or out}: {error.strerror}. Give another path.") from error
