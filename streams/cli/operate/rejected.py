"""`yeji rejected`: what was not taken and why, and the way back for it once that is mended."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from streams.rejected.choice import Choice

_Machine = Annotated[str, typer.Option(help="of machines by this pattern, as */press-*")]
_Sensor = Annotated[str, typer.Option(help="of sensors by this pattern")]
_Reason = Annotated[list[str] | None, typer.Option(help="for this reason (may be given several times)")]
_Since = Annotated[str, typer.Option(help="rejected since: 2h, 7d, or 2026-01-31T05:00 (UTC)")]
_Until = Annotated[str, typer.Option(help="rejected before: likewise")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rejected = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        help="List and explain rejected input, keep it in a file, take it again once it is mended.",
    )
    rejected.command("list")(list_)
    rejected.command("explain")(explain)
    rejected.command("export")(export)
    rejected.command("retake")(retake)
    rejected.command("journal")(journal)
    app.add_typer(rejected, name="rejected")


def list_(
    machine: _Machine = "",
    sensor: _Sensor = "",
    reason: _Reason = None,
    since: _Since = "24h",
    until: _Until = "",
    most: Annotated[int, typer.Option(help="so many of the newest", min=1)] = 50,
) -> None:
    """List what was rejected, and count it by reason."""
    from rich.table import Table

    from connectors.base.times import instant
    from streams.rejected.choice import overview
    from streams.settings import load_settings

    found = overview(load_settings().kafka, _choice(machine, sensor, reason, since, until), most)
    table = Table("rejected", "reason", "machine", "sensor", "readings", "message", box=None)
    for one in found.newest:
        again = "  (taken again)" if one.message in found.taken else ""
        table.add_row(
            instant(one.at).isoformat(" ", "seconds"),
            one.reason,
            one.machine,
            one.sensor,
            str(one.readings or ""),
            one.message + again,
        )
    console = _console()
    console.print(table)
    total = found.reasons.total()
    counts = ", ".join(f"{count} {name}" for name, count in found.reasons.most_common())
    console.print(f"{total} rejections{': ' if counts else ''}{counts}")
    if total > len(found.newest):
        console.print(f"The newest {len(found.newest)} are shown: --most shows more, --reason fewer kinds.")


def explain(
    message: Annotated[str, typer.Argument(help="the message, as `yeji rejected list` names it")],
) -> None:
    """Say all that is known of a rejected message: reasons, where it came from, its bytes, what was done."""
    from connectors.base.times import instant
    from streams.cli.errors import CommandError
    from streams.rejected.archive import originals
    from streams.rejected.choice import Choice, overview
    from streams.settings import load_settings

    kafka = load_settings().kafka
    found = overview(kafka, Choice(messages=frozenset({message})))
    if not found.newest:
        raise CommandError(
            f"No rejected message {message!r}. `yeji rejected list --since 30d` names those that there are."
        )
    first = found.newest[0]
    came = instant(first.received).isoformat(" ", "milliseconds")
    print(
        f"{first.topic or 'unknown source'}, partition {first.partition}, offset {first.offset}, came {came}"
    )
    for one in found.newest:
        where = " / ".join(part for part in (one.machine, one.sensor) if part)
        lost = f" ({one.readings} readings left out)" if one.readings else ""
        print(f"{one.reason}{lost}{': ' if where else ''}{where}\n  {one.detail}")
    entry = found.taken.get(message)
    if entry is not None:
        when = instant(entry.at).isoformat(" ", "seconds")
        print(f"taken again {when} by {entry.by}: {entry.readings} readings {entry.how}".rstrip())
    for original in originals(kafka, {message: first}):
        value = original.value or b""
        print(f"{original.size or len(value)} bytes:\n{value[:4000].decode('utf-8', 'backslashreplace')}")


def export(
    to: Annotated[Path, typer.Argument(help="new file, a JSON object a line")],
    machine: _Machine = "",
    sensor: _Sensor = "",
    reason: _Reason = None,
    since: _Since = "30d",
    until: _Until = "",
) -> None:
    """Write rejected messages with their bytes into a file, to be looked at or mended by hand."""
    from streams.rejected.archive import export as written
    from streams.settings import load_settings

    count = written(load_settings().kafka, _choice(machine, sensor, reason, since, until), to)
    print(f"{count} messages in {to}")


def retake(
    message: Annotated[
        list[str] | None,
        typer.Argument(help="messages, as `yeji rejected list` names them; none = by options"),
    ] = None,
    machine: _Machine = "",
    sensor: _Sensor = "",
    reason: _Reason = None,
    since: _Since = "30d",
    until: _Until = "",
    mapping: Annotated[
        Path | None, typer.Option(help="read the payloads by this mapping, as `yeji map` writes it")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="messages of this file (`yeji rejected export`), as mended there"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="send nothing, only tell what would go")] = False,
    by: Annotated[str, typer.Option(help="who does it", show_default="the user's name")] = "",
) -> None:
    """Send rejected messages again, which can be taken now: each at most once, however often this is given.

    Choose by name, by options or by a file. What still cannot be read is left out and told.
    """
    from dataclasses import replace

    from connectors.mapping.files import load_mapping
    from connectors.mapping.mapping import Mapping
    from streams.cli.errors import CommandError
    from streams.rejected.archive import read
    from streams.rejected.retake import Mended
    from streams.rejected.retake import retake as taken_again
    from streams.settings import load_settings

    if not (message or machine or sensor or reason or file):
        raise CommandError(
            "Say which: messages, --machine, --sensor, --reason or --from FILE. `--dry-run` only tells."
        )
    values = None if file is None else read(file)
    choice = _choice(machine, sensor, reason, since, until)
    names = frozenset(message or ()) | frozenset(values or ())
    if names or values is not None:
        choice = replace(choice, messages=names or frozenset({""}))
    mended = Mended(
        None if mapping is None else Mapping(load_mapping(mapping)),
        " ".join(f"{word} {path.name}" for word, path in (("by", mapping), ("from", file)) if path),
        values,
    )
    done = taken_again(load_settings(), choice, by or getpass.getuser(), mended, dry=dry_run)
    for name, why in done.left_out:
        print(f"{name}: left out, {why}")
    readings = sum(one.readings for one in done.taken)
    verb = "would be sent" if dry_run else "were sent"
    print(
        f"{len(done.taken)} messages with {readings} readings {verb} again, {len(done.left_out)} were left "
        f"out, {len(done.before)} were taken again before"
    )


def journal() -> None:
    """List what was taken again: when, by whom, through what."""
    from rich.table import Table

    from connectors.base.times import instant
    from streams.rejected.choice import journal as entries
    from streams.settings import load_settings

    found = entries(load_settings().kafka)
    table = Table("taken again", "by", "readings", "through", "message", box=None)
    for one in found.values():
        when = instant(one.at).isoformat(" ", "seconds")
        table.add_row(when, one.by, str(one.readings), one.how, one.message)
    console = _console()
    console.print(table)
    console.print(f"{len(found)} messages were taken again")


def _choice(machine: str, sensor: str, reason: list[str] | None, since: str, until: str) -> Choice:
    from connectors.base.clock import now_ms
    from pipeline.records import Reason
    from streams.cli.errors import CommandError
    from streams.rejected.choice import Choice, moment

    known = {one.value for one in Reason}
    for one in reason or ():
        if one not in known:
            raise CommandError(
                f"There is no reason {one!r}. Those that there are: {', '.join(sorted(known))}."
            )
    now = now_ms()
    return Choice(
        machine,
        sensor,
        frozenset(reason or ()),
        moment(since, now) if since else 0,
        moment(until, now) if until else 1 << 62,
    )


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=220)
