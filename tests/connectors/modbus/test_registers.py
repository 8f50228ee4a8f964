"""Registers to values, and sensors to requests."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.registers import MOST, blocks, ordered, value_of
from connectors.modbus.settings import ModbusSettings, RegisterSettings


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4),
        st.builds(
            RegisterSettings,
            address=st.integers(0, 3000),
            type=st.sampled_from(["int16", "float32", "uint64"]),
            table=st.sampled_from(["holding", "input"]),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 20),
)
def test_every_sensor_is_in_one_request_whole_and_no_request_is_too_long(
    registers: dict[str, RegisterSettings], gap: int
) -> None:
    found = blocks(registers, gap)
    assert sorted(name for block in found for name in block.sensors) == sorted(registers)
    for block in found:
        assert 0 < block.count <= MOST[block.table]
        for name in block.sensors:
            one = registers[name]
            assert block.table == one.table
            assert block.address <= one.address
            assert one.address + one.words <= block.address + block.count


@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]),
)
def test_a_value_comes_back_from_every_order(value: float, order: str) -> None:
    raw = struct.pack(">f", value)
    there = ordered([int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:], "big")], order)
    words = [int.from_bytes(there[:2], "big"), int.from_bytes(there[2:], "big")]
    assert value_of(words, RegisterSettings(address=0, type="float32", order=order)) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "register", "value"),
    [
        ([0x7FFF], {"missing": [32767]}, math.nan),
        ([0b1010], {"bit": 1}, 1.0),
        ([0b1010], {"bit": 2}, 0.0),
        ([0x7FC0, 0], {"type": "float32"}, math.nan),
        ([0xFFFF], {"type": "uint16", "scale": 0.1, "offset": -40.0}, 6513.5),
        ([0xFFFF] * 4, {"type": "int64"}, -1.0),
        ([1], {"type": "bool", "table": "coil"}, 1.0),
    ],
)
def test_what_a_register_means(words: list[int], register: dict[str, object], value: float) -> None:
    found = value_of(words, RegisterSettings.model_validate({"address": 0, **register}))
    assert found == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"maps": {"a": {"x": {"address": 1}}}, "devices": [{"machine": "m", "map": "b"}]}, "there are a"),
        ({"maps": {"a": {}}, "devices": [{"machine": "m", "map": "a"}]}, "map 'a' is empty"),
        (
            {
                "maps": {"a": {"x": {"address": 65535, "type": "float32"}}},
                "devices": [{"machine": "m", "map": "a"}],
            },
            "would go beyond 65535",
        ),
        (
            {"maps": {"a": {"x": {"address": 1, "table": "coil"}}}, "devices": []},
            "at least 1 item",
        ),
        (
            {"maps": {"a": {"x": {"address": 1, "table": "coil", "type": "int32"}}}, "devices": []},
            "a coil is one bit",
        ),
    ],
)
def test_mistakes_in_a_map_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModbusSettings.model_validate(settings)
