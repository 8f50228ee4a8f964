"""What `yeji machines` does: lists machines from their snapshots, tells the workers what is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kafka import KafkaProducer
from kafka.errors import KafkaError as ClientError

from connectors.base.clock import now_ms
from connectors.kafka.broadcast import broadcast
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from pipeline.snapshots.snapshot import Snapshot
from pipeline.wire.commands import CommandKind, MachineCommand, encode_command
from streams.operator_error import OperatorError
from streams.snapshot_archive import newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One machine as its newest snapshot shows it. ``last`` is its latest event time (ms UTC)."""

    machine: str
    machine_class: str
    partition: int
    last: int
    sensors: int
    learning: bool
    alarms: int


def listed(settings: KafkaSettings) -> list[Listed]:
    """Every machine that the workers know, by name."""
    return sorted(
        (
            Listed(
                machine=stored.machine,
                machine_class=snapshot.machine_class,
                partition=partition,
                last=snapshot.last,
                sensors=len(snapshot.layout)
                or (0 if snapshot.warmup is None else len(snapshot.warmup.layout)),
                learning=not snapshot.layout,
                alarms=len(snapshot.open),
            )
            for partition, stored, snapshot in newest(settings)
        ),
        key=lambda one: one.machine,
    )


def retire(settings: KafkaSettings, machines: Sequence[str], by: str) -> None:
    """Let go of machines for good: alarms cleared, models deleted. Raises `OperatorError`."""
    known = {stored.machine for _, stored, _ in newest(settings)}
    for machine in machines:
        if machine not in known:
            raise _unknown(machine)
    _send(settings, [_command(CommandKind.RETIRE, machine, by) for machine in machines])


def rename(settings: KafkaSettings, old: str, new: str, by: str) -> None:
    """Let ``new`` go on with what ``old`` has learned, and retire ``old``. Raises `OperatorError`."""
    found = _snapshots(settings, (old, new))
    if found[new].layout:
        raise OperatorError(
            f"{new} has a model of its own already. If both are one machine, `yeji machines merge {old} "
            f"{new}` keeps the model of the second and retires the first."
        )
    if not found[old].layout:
        raise OperatorError(f"{old} has not learned anything yet: retire it instead.")
    data = next(stored.data for _, stored, _ in newest(settings) if stored.machine == old)
    adopt = _command(CommandKind.ADOPT, new, by, data)
    _send(settings, [adopt, _command(CommandKind.RETIRE, old, by)])


def merge(settings: KafkaSettings, old: str, new: str, by: str) -> None:
    """Two names are one machine: keep the model of ``new``, or of ``old`` where ``new`` has none yet."""
    found = _snapshots(settings, (old, new))
    if not found[new].layout and found[old].layout:
        rename(settings, old, new, by)
    else:
        _send(settings, [_command(CommandKind.RETIRE, old, by)])


def _snapshots(settings: KafkaSettings, machines: Sequence[str]) -> dict[str, Snapshot]:
    found = {
        stored.machine: snapshot for _, stored, snapshot in newest(settings) if stored.machine in machines
    }
    for machine in machines:
        if machine not in found:
            raise _unknown(machine)
    return found


def _unknown(machine: str) -> OperatorError:
    return OperatorError(
        f"No worker has a machine {machine!r}. See `yeji machines list`; a machine is listed from its first "
        "checkpoint on, some seconds after its first reading."
    )


def _command(kind: CommandKind, machine: str, by: str, snapshot: bytes = b"") -> MachineCommand:
    return MachineCommand(kind, machine, now_ms(), by, snapshot)


def _send(settings: KafkaSettings, commands: Sequence[MachineCommand]) -> None:
    producer = KafkaProducer(
        **client_options(settings),
        client_id="yeji-machines",
        acks="all",
        enable_idempotence=True,
        max_request_size=16 << 20,
        allow_auto_create_topics=False,
    )
    try:
        for command in commands:
            for future in broadcast(
                producer, settings.feedback, command.machine.encode(), encode_command(command)
            ):
                future.get(timeout=30)
    except (ClientError, OSError) as error:
        raise KafkaError(
            f"The command cannot be written to {settings.feedback} at {settings.brokers}: "
            f"{type(error).__name__}: {error}. Give it again: twice does no harm."
        ) from error
    finally:
        producer.close()
