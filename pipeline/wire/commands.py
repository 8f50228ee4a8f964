"""What an operator tells a worker about a machine, as `maintenance.feedback` carries it beside verdicts."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.wire.alerts import WireError


class CommandKind(StrEnum):
    """What is to be done with a machine."""

    RETIRE = "retire"  # it is gone: its alarms are closed, its model is let go of
    ADOPT = "adopt"  # go on with the model that comes along, of another name


class MachineCommand(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command. ``at`` (ms UTC) is when it was given, ``by`` who gave it.

    For `ADOPT`: ``snapshot`` is the state to go on with (base64 on the wire), ``partition`` where the
    machine's messages go, -1 = wherever it is watched.
    """

    command: CommandKind
    machine: str
    at: int
    by: str
    snapshot: bytes = b""
    partition: int = -1


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(MachineCommand).decode


def encode_command(command: MachineCommand) -> bytes:
    """One command as one JSON object.

    >>> one = MachineCommand(CommandKind.RETIRE, "a/b/c/d/e", 5, "Kim")
    >>> encode_command(one)
    b'{"command":"retire","machine":"a/b/c/d/e","at":5,"by":"Kim"}'
    >>> decode_command(encode_command(one)) == one
    True
    """
    return _encode(command)


def is_command(value: bytes) -> bool:
    """Whether the bytes mean to be a command, and no verdict."""
    return value.startswith(b'{"command":')


def decode_command(value: bytes) -> MachineCommand:
    """The inverse of `encode_command`. Raises `WireError`."""
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"Not a command: {error}.") from None
