"""The messages of Sparkplug B's protobuf schema that a host reads and writes, built from one table.

Numbers and types are those of the Eclipse Sparkplug specification 3.0, appendix "sparkplug_b.proto" (proto2).
Fields that are not listed here are kept by protobuf as unknown and ignored.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "org.eclipse.tahu.protobuf"
_SCALARS = {"uint32": 13, "uint64": 4, "float": 2, "double": 1, "bool": 8, "string": 9, "bytes": 12}
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3

#: message: lines of "number name type", "*" in front of a repeated one, "|" of one of the oneof `value`.
_TABLE = {
    "Payload": "1 timestamp uint64, 2 *metrics Metric, 3 seq uint64, 4 uuid string, 5 body bytes",
    "Metric": (
        "1 name string, 2 alias uint64, 3 timestamp uint64, 4 datatype uint32, 5 is_historical bool, "
        "6 is_transient bool, 7 is_null bool, 9 properties PropertySet, 10 |int_value uint32, "
        "11 |long_value uint64, 12 |float_value float, 13 |double_value double, 14 |boolean_value bool, "
        "15 |string_value string, 16 |bytes_value bytes, 18 |template_value Template"
    ),
    "PropertySet": "1 *keys string, 2 *values PropertyValue",
    "PropertyValue": (
        "1 type uint32, 2 is_null bool, 3 |int_value uint32, 4 |long_value uint64, 5 |float_value float, "
        "6 |double_value double, 7 |boolean_value bool, 8 |string_value string"
    ),
    "Template": "1 version string, 2 *metrics Metric, 4 template_ref string, 5 is_definition bool",
}


class DataType(IntEnum):
    """Types of a metric's value; those of whole numbers with a sign lie in unsigned fields."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    TEMPLATE = 19


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="yeji_sparkplug_b.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, table in _TABLE.items():
        message = file.message_type.add(name=name)
        if "|" in table:
            message.oneof_decl.add(name="value")
        for line in table.split(", "):
            number, title, kind = line.split()
            label = _REPEATED if title.startswith("*") else _OPTIONAL
            added = message.field.add(name=title.lstrip("*|"), number=int(number), label=label)
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type, added.type_name = _MESSAGE, f".{_PACKAGE}.{kind}"
            if title.startswith("|"):
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


#: The class of a payload: `Payload.FromString(data)`, `Payload(...).SerializeToString()`.
Payload: Any = _payload_class()
