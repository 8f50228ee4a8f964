"""Prometheus remote write (version 1.0): snappy and protobuf to items that a mapping reads."""

from __future__ import annotations

from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "yeji.prometheus"
#: Labels that may name the machine, by the likeliest first.
_MACHINES = ("machine", "asset", "equipment", "device", "host", "instance")


class RemoteWriteError(Exception):
    """The body is no remote write request; the message says why."""


def _request_class() -> Any:
    """WriteRequest of prompb/remote.proto, the fields of 1.0."""
    file = descriptor_pb2.FileDescriptorProto(name="yeji_remote.proto", package=_PACKAGE, syntax="proto3")
    repeated, optional, message = 3, 1, 11
    table = {
        "Label": [("name", 1, optional, 9, ""), ("value", 2, optional, 9, "")],
        "Sample": [("value", 1, optional, 1, ""), ("timestamp", 2, optional, 3, "")],
        "TimeSeries": [
            ("labels", 1, repeated, message, "Label"),
            ("samples", 2, repeated, message, "Sample"),
        ],
        "WriteRequest": [("timeseries", 1, repeated, message, "TimeSeries")],
    }
    for name, fields in table.items():
        added = file.message_type.add(name=name)
        for title, number, label, kind, of in fields:
            one = added.field.add(name=title, number=number, label=label, type=kind)
            if of:
                one.type_name = f".{_PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


WriteRequest: Any = _request_class()


def unfolded_size(body: bytes) -> int:
    """How large a snappy block says that it is: its first bytes, a varint. Raises `RemoteWriteError`."""
    size = shift = 0
    for byte in body[:5]:
        size |= (byte & 127) << shift
        if not byte & 128:
            return size
        shift += 7
    raise RemoteWriteError("The body is no snappy block.")


def items(body: bytes, most_bytes: int) -> list[dict[str, Any]]:
    """A reading for each series and time: machine, time, and the value under the metric's name.

    Labels other than the machine's and Prometheus' own (``job``, ``__name__``) tell series of one metric
    apart, so they are part of the sensor's name. Raises `RemoteWriteError`.
    """
    if unfolded_size(body) > most_bytes:
        raise RemoteWriteError(f"The body unfolds to more than {most_bytes} bytes; send less at once.")
    try:
        request = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (cramjam.DecompressionError, DecodeError) as error:
        raise RemoteWriteError(f"The body is no remote write request: {error}.") from error
    found: list[dict[str, Any]] = []
    for series in request.timeseries:
        labels = {label.name: label.value for label in series.labels}
        metric = labels.pop("__name__", "value")
        labels.pop("job", None)
        key = next((name for name in _MACHINES if name in labels), None)
        machine = labels.pop(key) if key is not None else None
        if key != "instance":
            labels.pop("instance", None)
        suffix = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        sensor = f"{metric}{{{suffix}}}" if suffix else metric
        for sample in series.samples:
            item: dict[str, Any] = {"time": sample.timestamp, "sensors": {sensor: sample.value}}
            if machine is not None:
                item["machine"] = machine
            found.append(item)
    return found
