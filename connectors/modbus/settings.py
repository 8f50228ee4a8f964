"""The settings of a Modbus TCP source: devices, and what their registers mean."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from connectors.base.source_settings import SourceSettings
from connectors.mapping.settings import MappingSettings
from pipeline.settings import Section

ValueType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool"]
#: Registers of 16 bits that a value of each type takes.
WORDS: dict[str, int] = {
    "int16": 1,
    "uint16": 1,
    "bool": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}


class RegisterSettings(Section):
    """Where a sensor's value stands, and what it means."""

    address: int = Field(
        ge=0, le=65_535, description="address as it is sent, counted from 0: 40001 is address 0"
    )
    table: Literal["holding", "input", "coil", "discrete"] = Field(
        "holding",
        description="which of the device's tables: holding (4xxxx), input (3xxxx), coil, discrete (1xxxx)",
    )
    type: ValueType = Field("int16", description="type of the value")
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = Field(
        "ABCD",
        description="order of the bytes of a value: ABCD = high first (Modbus' own), CDAB = low word first, "
        "BADC = bytes swapped, DCBA = both; `yeji connect modbus check` shows all",
    )
    bit: int | None = Field(
        None, ge=0, le=15, description="only this bit of the register (0 = lowest), as 0 or 1"
    )
    scale: float = Field(1.0, description="the register's number times this …")
    offset: float = Field(0.0, description="… plus this is the sensor's value")
    missing: list[float] = Field(
        default_factory=list, description="numbers of the register that say there is no value, as 32767"
    )

    @property
    def words(self) -> int:
        """How many registers, coils or inputs the value takes."""
        return WORDS[self.type]

    @model_validator(mode="after")
    def _fits(self) -> RegisterSettings:
        if self.table in ("coil", "discrete") and self.words > 1:
            raise ValueError(f"a {self.table} is one bit: type {self.type} cannot stand there")
        if self.bit is not None and self.words > 1:
            raise ValueError(f"bit is of one register of 16 bits, not of {self.type}")
        if self.address + self.words > 65_536:
            raise ValueError(f"{self.type} at address {self.address} would go beyond 65535")
        return self


class DeviceSettings(Section):
    """One slave, which is one machine."""

    machine: str = Field(description="the machine's name")
    map: str = Field(description="its map of registers, one of `maps`")
    unit: int = Field(1, ge=0, le=255, description="the slave's number behind its gateway")
    host: str | None = Field(None, description="its own address; none = the source's")
    port: int | None = Field(None, ge=1, le=65535, description="its own port; none = the source's")


class ModbusSettings(SourceSettings):
    """Readings from registers of Modbus TCP devices and gateways (docs/modbus.md)."""

    kind: Literal["modbus"] = Field("modbus", description="this section's kind")
    host: str = Field("127.0.0.1", description="address of the device or gateway")
    port: int = Field(502, ge=1, le=65535, description="its port")
    every: float = Field(1.0, gt=0, description="seconds between two readings of a device")
    timeout: float = Field(1.0, gt=0, description="seconds to wait for an answer")
    again: float = Field(
        60.0,
        gt=0,
        description="seconds at most until a slave that does not answer is asked again; doubled up to here",
    )
    share: bool = Field(
        False, description="slaves behind one gateway share a connection, for gateways that take few"
    )
    gap: int = Field(
        8, ge=0, le=120, description="registers between two values that are read along, to save a request"
    )
    maps: dict[str, dict[str, RegisterSettings]] = Field(
        min_length=1, description="maps of registers by name: sensor and where it stands"
    )
    devices: list[DeviceSettings] = Field(min_length=1, description="the slaves to read")
    mapping: MappingSettings = Field(
        default_factory=MappingSettings,
        description="`levels`, `machines`, `names` and `ignore` of it count here",
    )

    @model_validator(mode="after")
    def _known_maps(self) -> ModbusSettings:
        for device in self.devices:
            if device.map not in self.maps:
                known = ", ".join(sorted(self.maps))
                raise ValueError(f"device {device.machine!r} has map {device.map!r}; there are {known}")
            if not self.maps[device.map]:
                raise ValueError(f"map {device.map!r} is empty: name at least one register")
        return self
