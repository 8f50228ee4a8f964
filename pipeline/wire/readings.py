"""The wire format of readings: JSON bytes to `Frame` and back. See docs/wire.md."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from pipeline.machine import DEFAULT_LEVELS, machine_name
from pipeline.records import Floats, Frame, Ints, Message, Reason, Rejection
from pipeline.wire.cells import Bools, Cell, apply_quality, split_cells
from pipeline.wire.names import MAX_NAME, bad_sensor_name, sensor_names
from pipeline.wire.quality import Quality
from pipeline.wire.times import EARLIEST, LATEST, epoch_ms, to_ms
from pipeline.wire.waveform import WaveformError, waveform_sensors

#: This many sensors of one message are named one by one; a message must not become many times its own size.
MAX_REJECTIONS = 16
#: Longer names of machines are not looked at.
_MAX_MACHINE = 5 * 63 + 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


_NOTHING = msgspec.Raw()


class _WireFrame(msgspec.Struct):
    machine: str
    time: list[int] | int
    sensors: dict[str, list[float | None] | float | None]
    waveform: msgspec.Raw = _NOTHING
    quality: msgspec.Raw = _NOTHING


_decode_strict = msgspec.json.Decoder(_WireFrame).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may hold, and where a machine stands whose name does not say it (``levels``)."""

    message_bytes: int = 1_000_000
    sensors: int = 256
    readings: int = 100_000
    levels: tuple[str, ...] = DEFAULT_LEVELS


class RejectedError(Exception):
    """The whole message cannot be used."""

    def __init__(self, reason: Reason, detail: str, machine: str | None = None, sensor: str | None = None):
        super().__init__(detail)
        self.reason, self.detail, self.machine, self.sensor = reason, detail, machine, sensor


def reject(
    message: Message,
    reason: Reason,
    detail: str,
    *,
    machine: str | None = None,
    sensor: str | None = None,
    readings: int = 0,
) -> Rejection:
    """A rejection that keeps the message's bytes and where it came from.

    Its texts can be stored anywhere: what cannot be printed is escaped, and they are not endless.
    """
    return Rejection(
        reason=reason,
        detail=_shown(detail, 1000),
        original=message.value,
        received=message.received,
        machine=None if machine is None else _shown(machine, 320),
        sensor=None if sensor is None else _shown(sensor, MAX_NAME),
        readings=readings,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
    )


def _shown(text: str, most: int) -> str:
    r"""``text`` with characters that cannot be printed escaped.

    >>> _shown("a\n\ud800\u00fc", 80)
    'a\\n\\ud800ü'
    """
    text = text[:most]
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def decode(message: Message, limits: Limits = Limits()) -> tuple[Frame | None, list[Rejection]]:
    """Read one message: a frame or a single reading.

    Returns the frame (None when nothing can be used) and what was rejected. Never raises for bad input:
    a column with a wrong value loses that value, the rest of the frame is used.

    >>> frame, _ = decode(Message(b'{"machine":"a/b/c/d/e","time":1700000000000,"sensors":{"t":21.5}}', 0))
    >>> frame.sensors, frame.values.tolist()
    (('t',), [[21.5]])
    """
    try:
        if len(message.value) > limits.message_bytes:
            raise RejectedError(
                Reason.TOO_LARGE,
                f"{len(message.value)} bytes; at most {limits.message_bytes} are taken. "
                "Send frames of fewer readings.",
            )
        return _read(message, limits)
    except RejectedError as bad:
        return None, [reject(message, bad.reason, bad.detail, machine=bad.machine, sensor=bad.sensor)]


def _read(message: Message, limits: Limits) -> tuple[Frame | None, list[Rejection]]:
    name: str
    raw_time: Any
    raw_sensors: dict[str, Any]
    raw_quality: Any = None
    strict = True
    try:
        wire = _decode_strict(message.value)
        name, raw_time, raw_sensors = wire.machine, wire.time, wire.sensors
        strict = wire.waveform is _NOTHING and wire.quality is _NOTHING
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        strict = False
    if not strict:
        name, raw_time, raw_sensors, raw_quality = _read_loosely(message.value)
    machine = _machine(name, message, limits)
    single = not isinstance(raw_time, list)
    times: list[Any] = [raw_time] if single else raw_time
    if len(times) > limits.readings:
        raise RejectedError(
            Reason.TOO_LARGE, f"{len(times)} readings; at most {limits.readings} are taken.", machine
        )
    if not raw_sensors:
        raise RejectedError(Reason.SENSORS_MISSING, "`sensors` is empty: name at least one.", machine)
    if len(raw_sensors) > limits.sensors:
        raise RejectedError(
            Reason.TOO_MANY_SENSORS,
            f"{len(raw_sensors)} sensors; at most {limits.sensors} are taken (intake.max_sensors).",
            machine,
        )
    names = _sensors(tuple(raw_sensors), machine)
    time, usable = _times(times, machine)
    cells = list(raw_sensors.values())
    qualities: list[list[Cell] | None] | None = None
    if not strict:
        cells, qualities = split_cells(cells, tuple(raw_sensors), raw_quality, single)
    if single:
        _check_single(cells, names, machine)
        cells = [[raw] for raw in cells]
    _check_lengths(cells, names, len(times), machine)
    rejections: list[Rejection] = []
    uncertain: Bools | None = None
    if strict:  # the decoder has seen to it that all are finite numbers or null
        values = np.ascontiguousarray(np.array(cells, dtype=np.float64).T)
    else:
        values = np.empty((len(times), len(names)))
        for column, name in enumerate(names):
            values[:, column], problems = _column(cells[column])
            rejections += [
                reject(message, reason, f"{name!r}: {detail}", machine=machine, sensor=name, readings=count)
                for reason, detail, count in problems
            ]
        rejections = _summed_up(rejections, message, machine)
        if qualities is not None:
            uncertain = apply_quality(values, qualities)
    if usable is not None:
        rejections.append(
            reject(
                message,
                Reason.TIME_INVALID,
                _time_problem(times, usable),
                machine=machine,
                readings=int(len(times) - usable.sum()),
            )
        )
        time, values = time[usable], values[usable]
        uncertain = None if uncertain is None else uncertain[usable]
    if not len(time):
        return None, rejections
    return Frame(machine, time, names, values, uncertain), rejections


def _summed_up(rejections: list[Rejection], message: Message, machine: str) -> list[Rejection]:
    """The first of them, and the rest of each reason as one that counts its sensors."""
    kept, rest = rejections[:MAX_REJECTIONS], rejections[MAX_REJECTIONS:]
    for reason in dict.fromkeys(one.reason for one in rest):
        of_reason = [one for one in rest if one.reason is reason]
        names = ", ".join(repr(one.sensor) for one in of_reason[:8])
        detail = f"{len(of_reason)} more sensors of this message, as {names}: {of_reason[0].detail}"
        count = max(one.readings for one in of_reason)
        kept.append(reject(message, reason, detail, machine=machine, readings=count))
    return kept


def _read_loosely(value: bytes) -> tuple[str, Any, dict[str, Any], Any]:
    """The slow way, for what the strict decoder refuses: NaN, RFC 3339 times, qualities, mistakes."""
    try:
        wire = json.loads(value)
    except RecursionError:
        raise RejectedError(Reason.NOT_JSON, "Not JSON: nested too deeply.") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise RejectedError(
            Reason.NOT_JSON, f"Not JSON: {error}. Send UTF-8 JSON, see docs/wire.md."
        ) from None
    if not isinstance(wire, dict):
        raise RejectedError(Reason.WRONG_TYPE, f"A {_kind(wire)} where an object was expected.")
    machine = wire.get("machine")
    if machine is None:
        raise RejectedError(Reason.MACHINE_MISSING, "No `machine`: name it, for example a/b/c/d/press-07.")
    if not isinstance(machine, str):
        raise RejectedError(Reason.WRONG_TYPE, f"`machine` is a {_kind(machine)}, not a string.")
    if wire.get("time") is None:
        raise RejectedError(Reason.TIME_MISSING, "No `time`: send ms since 1970 UTC or RFC 3339.", machine)
    sensors = wire.get("sensors", {} if "waveform" in wire else None)
    if sensors is None:
        raise RejectedError(Reason.SENSORS_MISSING, "No `sensors`: an object of name and value.", machine)
    if not isinstance(sensors, dict):
        raise RejectedError(Reason.WRONG_TYPE, f"`sensors` is a {_kind(sensors)}, not an object.", machine)
    if "waveform" in wire:
        sensors = _waveform(wire, machine) | sensors
    return machine, wire["time"], sensors, wire.get("quality")


def _waveform(wire: dict[str, Any], machine: str) -> dict[str, Any]:
    """A raw waveform is one reading of its features."""
    if isinstance(wire["time"], list):
        raise RejectedError(
            Reason.LENGTHS, "`time` is a list: a waveform has one time, when it began.", machine
        )
    try:
        return dict(waveform_sensors(wire))
    except WaveformError as bad:
        raise RejectedError(Reason.WRONG_TYPE, bad.detail, machine, bad.sensor) from None


def _kind(value: Any) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")


@lru_cache(maxsize=1 << 17)  # parsing a name costs more than decoding a reading
def _named(name: str, levels: tuple[str, ...]) -> tuple[str, str]:
    """The machine's id, or why there is none."""
    try:
        return machine_name(name, levels), ""
    except ValueError as error:
        return "", str(error)


def _machine(name: str, message: Message, limits: Limits) -> str:
    if len(name) > _MAX_MACHINE:  # not asked the cache, which would keep it
        raise RejectedError(
            Reason.MACHINE_INVALID, f"A machine's name of {len(name)} characters is too long.", name
        )
    machine, problem = _named(name, limits.levels)
    if problem:
        raise RejectedError(Reason.MACHINE_INVALID, problem, name)
    if message.key is not None and message.key not in (machine.encode(), name.encode()):
        raise RejectedError(
            Reason.KEY_MISMATCH,
            f"The message's key is {message.key[:200]!r}: it must be the machine's name, "
            "or its readings would be spread over partitions and lose their order.",
            machine,
        )
    return machine


def _sensors(given: tuple[str, ...], machine: str) -> tuple[str, ...]:
    bad = bad_sensor_name(given)
    if bad is not None:
        raise RejectedError(
            Reason.SENSOR_NAME,
            f"Sensor name {bad[:80]!r} is empty, longer than {MAX_NAME} or has control characters.",
            machine,
            bad,
        )
    names = sensor_names(given)
    if names is None:
        raise RejectedError(
            Reason.SENSOR_NAME, "Two sensors have names that differ only in how a sign is written.", machine
        )
    return names


def _check_single(cells: list[Any], names: tuple[str, ...], machine: str) -> None:
    for cell, name in zip(cells, names, strict=True):
        if isinstance(cell, list):
            raise RejectedError(
                Reason.LENGTHS, f"`time` is one time, the value of {name!r} is a list.", machine, name
            )


def _check_lengths(cells: list[Any], names: tuple[str, ...], readings: int, machine: str) -> None:
    for column, name in zip(cells, names, strict=True):
        if not isinstance(column, list):
            raise RejectedError(
                Reason.LENGTHS, f"`time` is a list, the values of {name!r} are not.", machine, name
            )
        if len(column) != readings:
            raise RejectedError(
                Reason.LENGTHS,
                f"{readings} times but {len(column)} values of {name!r}: columns must be equally long.",
                machine,
                name,
            )


def _times(times: list[Any], machine: str) -> tuple[Ints, np.ndarray[Any, np.dtype[np.bool_]] | None]:
    """Times in ms, and which can be used (None = all)."""
    if not times:
        raise RejectedError(Reason.TIME_MISSING, "`time` is an empty list.", machine)
    if all(type(t) is int for t in times):
        try:
            out = np.array(times, dtype=np.int64)
        except OverflowError:
            out = np.array([t if abs(t) < 2**62 else 0 for t in times], dtype=np.int64)
    else:
        out = np.array([_one_time(t) for t in times], dtype=np.int64)
    usable = (out >= EARLIEST) & (out < LATEST)
    if usable.all():
        return out, None
    out = to_ms(out)
    usable = (out >= EARLIEST) & (out < LATEST)
    return out, None if usable.all() else usable


def _one_time(value: Any) -> int:
    """One time in ms, or 0 (which is outside the range that is taken) when it is none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value if abs(value) < 2**62 else 0
    if isinstance(value, float):
        return epoch_ms(value) or 0
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            return 0
        # whole numbers: a float of seconds would lose milliseconds
        return 0 if parsed.tzinfo is None else (parsed - _EPOCH) // _MS
    return 0


def _time_problem(times: list[Any], usable: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    bad = times[int(np.argmin(usable))]
    shown = repr(bad)[:80]
    if isinstance(bad, int | float) and not isinstance(bad, bool):
        return f"Time {shown} lies outside the years 2000 to 2199. Send ms since 1970 UTC."
    return f"Time {shown} is no time with a zone. Send ms since 1970 or RFC 3339, 2026-11-24T03:00:00Z."


def _column(cells: list[Any]) -> tuple[Floats, list[tuple[Reason, str, int]]]:
    """One sensor's values; those that are not finite become NaN and are reported."""
    problems: list[tuple[Reason, str, int]] = []
    wrong = [cell for cell in cells if type(cell) is not float and type(cell) is not int and cell is not None]
    if wrong:
        first = repr(wrong[0])[:80]
        problems.append(
            (
                Reason.VALUE_TYPE,
                f"{first} is a {_kind(wrong[0])}, not a number; send numbers bare.",
                len(wrong),
            )
        )
        cells = [cell if type(cell) in (float, int) else None for cell in cells]
    try:
        values = np.array(cells, dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        values = np.array([None if c is None else _as_float(c) for c in cells], dtype=np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan
        problems.append(
            (Reason.INFINITE, "an infinite value; send null when there is none.", int(infinite.sum()))
        )
    return values, problems


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def encode_frame(frame: Frame) -> bytes:
    """The frame as `telemetry.frames` carries it; NaN becomes null. Floats come back to the last bit.

    >>> encode_frame(Frame("a/b/c/d/e", np.array([5]), ("t",), np.array([[np.nan]])))
    b'{"machine":"a/b/c/d/e","time":[5],"sensors":{"t":[null]}}'
    """
    sensors = {name: frame.values[:, column].tolist() for column, name in enumerate(frame.sensors)}
    wire: dict[str, Any] = {"machine": frame.machine, "time": frame.time.tolist(), "sensors": sensors}
    if frame.uncertain is not None:
        good, uncertain = int(Quality.GOOD), int(Quality.UNCERTAIN)
        wire["quality"] = {
            name: [uncertain if doubt else good for doubt in frame.uncertain[:, column].tolist()]
            for column, name in enumerate(frame.sensors)
            if frame.uncertain[:, column].any()
        }
    return _encode(wire)
