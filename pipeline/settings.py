"""Settings of the pipeline: machine classes, their detectors and alarms, and what input is taken."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from detectors.registry import detector_class
from detectors.vibration.iso20816 import ISO_20816_3
from pipeline.conversion import conversion
from pipeline.machine import DEFAULT_LEVELS, display_name


class SettingsError(Exception):
    """The settings cannot be used; the message says which one, why, and what to write instead."""


class Section(BaseModel):
    """A section of the settings: unknown names are refused.

    A secret may come from a file, whose name is the setting's with `_file` after it; never both.
    """

    # What was put in is not shown in errors: it may be a secret in the wrong place.
    model_config = ConfigDict(extra="forbid", validate_default=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name, field in cls.model_fields.items():
            path = values.get(f"{name}_file")
            if "SecretStr" not in str(field.annotation) or path is None or f"{name}_file" in cls.model_fields:
                continue
            if values.get(name) is not None:
                raise ValueError(f"{name} and {name}_file are both set: set one of them")
            values = {key: value for key, value in values.items() if key != f"{name}_file"}
            values[name] = _secret_in(Path(path), f"{name}_file")
        return values


def _secret_in(path: Path, name: str) -> str:
    try:
        secret = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} {path} cannot be read ({type(error).__name__})") from None
    if not secret:
        raise ValueError(f"{name} {path} is empty")
    return secret


class DetectorSettings(Section):
    """One detector of a machine class and its parameters (see docs/detection.md)."""

    kind: str = Field(description="which detector, as half-space-trees")
    weight: float = Field(1.0, gt=0, description="its say in the score, relative to the others'")
    params: dict[str, Any] = Field(default_factory=dict, description="the detector's own parameters")


class IsoZoneSettings(Section):
    """Which boundaries of ISO 20816-3 (ISO 10816-3) hold for a sensor of vibration velocity, mm/s RMS."""

    group: int = Field(1, ge=1, le=4, description="1 = large machines over 300 kW, 2 = 15 to 300 kW")
    mounting: Literal["rigid", "flexible"] = Field("rigid", description="of the machine's foundation")

    @property
    def key(self) -> str:
        """Its line in a class's `zones`."""
        return f"group {self.group} {self.mounting}"


class LabelledSection(Section):
    """Something that people call otherwise than its id."""

    label: str = Field("", description="what people call it, in English")
    label_ko: str = Field("", description="what people call it, in Korean")
    labels: dict[str, str] = Field(
        default_factory=dict, description='what people call it in other languages, as {ja = "振動"}'
    )

    def label_in(self, language: str) -> str:
        """What people call it in ``language``, else in English; "" when it has no name but its own."""
        return self.labels.get(language) or (self.label_ko if language == "ko" else "") or self.label


class SensorSettings(LabelledSection):
    """What is known of a sensor beforehand."""

    unit: str = Field("", description="unit of its values, for charts and limits")
    source_unit: str = Field(
        "", description="unit in which its values arrive; they are converted to `unit` when they come in"
    )
    low: float | None = Field(None, description="lowest value it can measure; at or under it = saturated")
    high: float | None = Field(None, description="highest value the sensor can measure")
    warn: float | None = Field(None, description="limit: at or over it a warning is raised")
    trip: float | None = Field(None, description="limit: at or over it an urgent alarm is raised")
    low_warn: float | None = Field(None, description="limit: at or under it a warning is raised")
    low_trip: float | None = Field(None, description="limit: at or under it an urgent alarm is raised")
    deadband: float | None = Field(
        None, ge=0, description="how far back a value must be to clear; none = 5 % of the limit"
    )
    symptom: bool | None = Field(
        None,
        description="it shows wear of the machine by itself, as vibration does, and is never said to "
        "drift; none = by its unit and name",
    )
    iso20816: IsoZoneSettings | None = Field(
        None, description="vibration velocity, mm/s RMS: alarms in zones C and D of ISO 20816-3"
    )

    @model_validator(mode="after")
    def _convertible(self) -> SensorSettings:
        if self.source_unit and self.source_unit != self.unit:
            if not self.unit:
                raise ValueError(
                    f"source_unit is {self.source_unit!r}, and there is no `unit` to convert it to"
                )
            conversion(self.source_unit, self.unit)
        return self


class AlarmSettings(Section):
    """When a score becomes an alarm (threshold, hysteresis and delays of ISA-18.2)."""

    threshold: float = Field(0.999, gt=0, lt=1, description="calibrated score that raises")
    clear: float = Field(0.99, gt=0, lt=1, description="score under which the episode may end (hysteresis)")
    on_delay: float = Field(10.0, ge=0, description="seconds over the threshold before an alarm is raised")
    off_delay: float = Field(60.0, ge=0, description="seconds under `clear` before it is cleared")
    budget: float = Field(
        30.0, gt=0, description="days a machine for one false alarm: more of them make it less sensitive"
    )
    min_readings: int = Field(5, ge=1, description="readings over the threshold before an alarm is raised")

    @model_validator(mode="after")
    def _ordered(self) -> AlarmSettings:
        if self.clear > self.threshold:
            raise ValueError(f"clear ({self.clear}) must not be above threshold ({self.threshold})")
        return self


class LearningSettings(Section):
    """How a machine's model learns."""

    warmup: int | None = Field(
        None,
        ge=20,
        description="readings that are learned before the first score; none = what the detectors need "
        "(100 for `baseline` and `records`, 300 for others)",
    )
    block: int = Field(16, ge=1, le=256, description="learn in blocks of so many readings, one block late")
    restart: float = Field(
        60.0, ge=0, description="seconds after a gap in a machine's readings in which nothing is learned"
    )
    settle: float = Field(
        0.0,
        ge=0,
        description="seconds after the warm-up in which a machine is learned and raises no condition alarm; "
        "a day (86400) lets it learn its shifts",
    )


class ClassSettings(Section):
    """A class of machines: which they are, and how they are watched."""

    match: list[str] = Field(
        default_factory=lambda: ["*"], description="patterns of machine names, as */press-*"
    )
    detectors: list[DetectorSettings] = Field(
        default_factory=list,
        description="models, joined by calibrated score; none = chosen by the number of sensors",
    )
    alarm: AlarmSettings = Field(default_factory=AlarmSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    criticality: int = Field(2, ge=1, le=4, description="1 (spare exists) .. 4 (stops the plant)")
    failure_modes: list[str] = Field(
        default_factory=list, description="what may go wrong with them, offered where a verdict is written"
    )
    sensors: dict[str, SensorSettings] = Field(default_factory=dict)
    zones: dict[str, tuple[float, float, float]] = Field(
        default_factory=lambda: dict(ISO_20816_3),
        description="zone boundaries A/B, B/C, C/D in mm/s RMS by machine group and mounting",
    )

    @model_validator(mode="after")
    def _zones_known(self) -> ClassSettings:
        for name, sensor in self.sensors.items():
            if sensor.iso20816 is not None and sensor.iso20816.key not in self.zones:
                raise ValueError(
                    f"sensors.{name}.iso20816 asks for {sensor.iso20816.key!r}, which `zones` does not have; "
                    f"known are {', '.join(sorted(self.zones))}"
                )
        return self

    def detectors_for(self, width: int) -> list[DetectorSettings]:
        """The detectors of a machine of this class with ``width`` sensors.

        >>> [d.kind for d in ClassSettings().detectors_for(8)]
        ['baseline']
        """
        return self.detectors or [DetectorSettings(kind="records" if width == 1 else "baseline")]

    def warmup_for(self, width: int) -> int:
        """Readings that a machine with ``width`` sensors gives before its first score.

        >>> ClassSettings().warmup_for(8)
        100
        >>> ClassSettings(detectors=[DetectorSettings(kind="half-space-trees")]).warmup_for(8)
        300
        """
        if self.learning.warmup is not None:
            return self.learning.warmup
        return max(detector_class(one.kind).warmup for one in self.detectors_for(width))


class MachineSettings(LabelledSection):
    """One machine, where it is not as its class (docs/plant.md)."""

    machine_class: str = Field("", description="its class; none = the first whose pattern matches its name")
    sensors: dict[str, SensorSettings] = Field(
        default_factory=dict, description="its own sensors, or what is otherwise with those of its class"
    )


class IntakeSettings(Section):
    """What input is taken."""

    wait: float = Field(
        3.0,
        ge=0,
        description="seconds of event time that readings wait for others of their machine; what comes "
        "later is history",
    )
    grid: float = Field(
        0.0,
        ge=0,
        description="seconds within which readings of different sensors of a machine are one; 0 = learned",
    )
    levels: str = Field(
        "", description="levels in front of a machine whose name has fewer than five, as acme/gwangju/body"
    )
    future: float = Field(300.0, ge=0, description="seconds that a reading may be ahead of its arrival")
    machines: Literal["any", "listed"] = Field("any", description="listed = only machines that match a class")
    max_machines: int = Field(
        20_000, ge=1, description="machines of one worker; a warning comes at nine tenths"
    )
    retire: float = Field(
        90.0,
        gt=0,
        description="days without a reading after which a machine is retired, its alarms closed",
    )
    max_sensors: int = Field(256, ge=1, description="sensors of one machine")
    max_readings: int = Field(100_000, ge=1, description="readings in one frame")

    @property
    def default_levels(self) -> tuple[str, ...]:
        """``levels``, with what stands where nothing is said: enterprise, site, area, line."""
        given = tuple(part for part in self.levels.split("/") if part)[: len(DEFAULT_LEVELS)]
        return (*given, *DEFAULT_LEVELS[len(given) :])


class PipelineSettings(BaseModel):
    """What the pipeline reads. Each package to the right adds its own sections by inheritance."""

    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    classes: dict[str, ClassSettings] = Field(
        default_factory=lambda: {"default": ClassSettings()},
        description="machine classes; the first whose pattern matches a machine's name is taken",
    )

    machines: dict[str, MachineSettings] = Field(
        default_factory=dict, description="machines by their whole name, enterprise/site/area/line/machine"
    )
    places: dict[str, LabelledSection] = Field(
        default_factory=dict, description="what people call sites, areas and lines, as gwangju/ggm/body"
    )

    @field_validator("classes")
    @classmethod
    def _some(cls, classes: dict[str, ClassSettings]) -> dict[str, ClassSettings]:
        if not classes:
            raise ValueError("name at least one machine class, for example [classes.default]")
        return classes

    @property
    def max_message_bytes(self) -> int:
        """Larger messages are rejected undecoded; a transport with a limit of its own overrides it."""
        return 1_000_000

    def class_of(self, machine: str) -> str | None:
        """The machine's own class, or the name of the first that matches, or None.

        >>> PipelineSettings(classes={"press": {"match": ["*/press-*"]}}).class_of("a/b/c/d/press-1")
        'press'
        """
        own = self.machines.get(machine)
        if own is not None and own.machine_class in self.classes:
            return own.machine_class
        for name, settings in self.classes.items():
            if any(fnmatchcase(machine, pattern) for pattern in settings.match):
                return name
        return None

    def failure_modes_of(self, machine: str) -> list[str]:
        """What may go wrong with a machine, by its class."""
        found = self.classes.get(self.class_of(machine) or "")
        return [] if found is None else found.failure_modes

    def class_for(self, machine: str, machine_class: str) -> ClassSettings:
        """The class as it is for this machine: with what is otherwise with the machine's own sensors.

        >>> press = ClassSettings(sensors={"t": SensorSettings(unit="degC", warn=70)})
        >>> own = MachineSettings(sensors={"t": SensorSettings(warn=80)})
        >>> settings = PipelineSettings(classes={"press": press}, machines={"a/b/c/d/e": own})
        >>> settings.class_for("a/b/c/d/e", "press").sensors["t"].warn
        80.0
        """
        common, own = self.classes[machine_class], self.machines.get(machine)
        if own is None or not own.sensors:
            return common
        sensors = dict(common.sensors)
        for name, one in own.sensors.items():
            whole = sensors[name].model_dump(exclude_unset=True) if name in sensors else {}
            sensors[name] = SensorSettings.model_validate(whole | one.model_dump(exclude_unset=True))
        return common.model_copy(update={"sensors": sensors})

    def name_of(self, machine: str, language: str) -> str:
        """What people call a machine, without where it stands."""
        own = self.machines.get(machine)
        return (own.label_in(language) if own else "") or display_name(machine.rpartition("/")[2])

    def place_of(self, machine: str, language: str) -> list[str]:
        """What people call the levels in front of a machine: enterprise, site, area, line.

        >>> body = {"a/b/body": LabelledSection(label_ko="차체")}
        >>> PipelineSettings(places=body).place_of("a/b/body/d/e", "ko")
        ['a', 'b', '차체', 'd']
        """
        levels = machine.split("/")[:-1]
        found = [self.places.get("/".join(levels[: n + 1])) for n in range(len(levels))]
        return [
            (one.label_in(language) if one else "") or display_name(level)
            for one, level in zip(found, levels, strict=True)
        ]
