"""What `yeji spread` does: models out of snapshots into a package, and a package into a site."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from connectors.base.clock import now_ms
from connectors.files.priors import priors_folder, read_prior, write_prior
from connectors.sqlite.store import SqliteSink
from desk.learning.modes import ModeBook
from desk.service.desk import Desk, desk_path
from pipeline.pipeline import Pipeline
from pipeline.snapshots.snapshot import SnapshotError
from pipeline.spreading.examples import Example
from pipeline.spreading.prior import Prior, PriorError, short
from pipeline.spreading.spreading import export
from streams.cli.errors import CommandError
from streams.cli.run_tune import simulated, store_of, user
from streams.settings import Settings


def write_package(
    settings: Settings,
    machine_class: str,
    to: Path,
    store: Path | None,
    kafka: bool,
    tenant: str | None,
    least: int,
) -> Iterator[str]:
    """Write ``to``; returns lines to print."""
    examples: tuple[Example, ...] = ()
    if tenant is not None:
        desk = Desk(desk_path(settings), settings)
        examples = ModeBook(desk).examples(tenant, machine_class)
        desk.close()
    if kafka:
        snapshots = _from_kafka(settings)
    else:
        path = store_of(settings.data, store)
        settings = simulated(settings, path)
        snapshots = _from_store(path)
    pipeline = Pipeline(settings)
    unread = 0
    for data in snapshots:
        try:
            pipeline.restore(data)
        except SnapshotError:
            unread += 1
    try:
        prior = export(pipeline, machine_class, made=now_ms(), examples=examples, least=least)
    except PriorError as error:
        raise CommandError(str(error)) from error
    size = write_prior(to, prior)
    yield f"{to}: {size / 1024:.0f} kB"
    yield from _lines(prior)
    if unread:
        yield f"{unread} unreadable snapshots were skipped"


def _from_store(path: Path) -> list[bytes]:
    if not path.is_file():
        raise CommandError(f"{path} is no file. Start `yeji run` first, or correct --store.")
    with SqliteSink(path) as sink:
        return [data for _, data in sink.snapshots()]


def _from_kafka(settings: Settings) -> list[bytes]:
    from streams.agents.snapshots import read_snapshots  # only a cluster needs its clients

    async def read() -> list[bytes]:
        found: list[bytes] = []
        for partition in range(settings.kafka.partitions):
            known = await read_snapshots(settings.kafka, partition)
            found += [choices[0].data for choices in known.values() if choices]
        return found

    return asyncio.run(read())


def adopt(settings: Settings, package: Path, tenant: str | None, by: str) -> Iterator[str]:
    """Put a package to use here; returns lines to print."""
    prior = _read(package)
    if prior.machine_class not in settings.classes:
        raise CommandError(
            f"{package} is of class {prior.machine_class!r}, which the settings do not have; they have "
            f"{', '.join(settings.classes)}."
        )
    here = settings.classes[prior.machine_class].detectors_for(len(prior.sensors))
    kinds = tuple(one.kind for one in here)
    if kinds != prior.detectors:
        raise CommandError(
            f"{package} was made with the detectors {', '.join(prior.detectors)}, and class "
            f"{prior.machine_class} has {', '.join(kinds)} here. Give it the same, or export anew."
        )
    path = priors_folder(settings.data) / f"{prior.machine_class}.yjpr"
    write_prior(path, prior)
    yield from _lines(prior)
    warmup = settings.classes[prior.machine_class].warmup_for(len(prior.sensors))
    yield f"New machines that it fits begin after {short(warmup)} readings instead of {warmup}: {path}"
    if tenant is not None and prior.examples:
        desk = Desk(desk_path(settings), settings)
        note = f"from {package.name}"
        version = ModeBook(desk).adopt(
            tenant, prior.machine_class, prior.examples, by=by or user(), note=note
        )
        desk.close()
        yield f"Failure modes of {tenant}: version {version}"
    elif prior.examples:
        yield "Its labels were left out: say --tenant whose alarms they are to name."


def described(package: Path) -> Iterator[str]:
    """What is in a package, as lines to print."""
    yield from _lines(_read(package))


def _read(package: Path) -> Prior:
    try:
        return read_prior(package)
    except PriorError as error:
        raise CommandError(str(error)) from error


def _lines(prior: Prior) -> Iterator[str]:
    made = datetime.fromtimestamp(prior.made / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"class {prior.machine_class}, made {made} of {prior.machines} machines"
    yield f"sensors: {', '.join(prior.sensors)}"
    sent = [
        kind
        for number, kind in enumerate(prior.detectors)
        if any(reference[number] for reference in prior.references)
    ]
    yield f"models: {len(prior.references)} of {', '.join(sent)}"
    modes = Counter(example.mode for example in prior.examples)
    labels = ", ".join(f"{mode} ({count})" for mode, count in sorted(modes.items())) or "none"
    yield f"labels: {labels}"
