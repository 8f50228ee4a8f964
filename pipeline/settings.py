"""Settings: flags over environment (`YEJI_…`) over `.env` over `yeji.toml` over defaults, type-checked."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from desk.settings.alarms import DeskSettings, NotifySettings
from detectors.vibration.iso20816 import ISO_20816_3


class SettingsError(Exception):
    """The settings cannot be used; the message says which one, why, and what to write instead."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class KafkaSettings(_Section):
    """The Kafka cluster and its topics."""

    brokers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    frames: str = Field("telemetry.frames", description="topic that readings come in on")
    rejected: str = Field("telemetry.rejected", description="topic for input that was not taken")
    scores: str | None = Field(None, description="topic to publish scores on; none = do not")
    alerts: str = Field("maintenance.alerts", description="topic of alarms, compacted by alarm id")
    feedback: str = Field("maintenance.feedback", description="topic of crews' verdicts")
    snapshots: str = Field("yeji.snapshots", description="topic of model snapshots, compacted by machine")
    group: str = Field("yeji", description="consumer group, and the Faust app's id")
    partitions: int = Field(8, ge=1, description="partitions of a topic that `yeji topics` creates")
    replication: int = Field(1, ge=1, description="copies of each partition")
    max_message_bytes: int = Field(1_000_000, ge=1000, description="larger messages are rejected undecoded")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to connect: SSL encrypts, SASL logs in"
    )
    username: str | None = Field(None, description="user of SASL (mechanism PLAIN)")
    password: SecretStr | None = Field(None, description="that user's password")
    ca_file: Path | None = Field(None, description="PEM file of the CA; none = the system's")


class InfluxSettings(_Section):
    """InfluxDB 2, where the worker writes."""

    url: str = Field("http://127.0.0.1:8086", description="address of its HTTP API")
    org: str = Field("yeji", description="organisation")
    bucket: str = Field("yeji", description="bucket for all measurements")
    token: SecretStr | None = Field(None, description="API token with write access to the bucket")
    timeout: float = Field(10.0, gt=0, description="seconds")
    readings: bool = Field(True, description="store every sensor's value too, not only what was found")


class GrafanaSettings(_Section):
    """Grafana, where `yeji grafana apply` puts folder, data source and dashboards."""

    url: str = Field("http://127.0.0.1:3000", description="its address; a path is kept")
    token: SecretStr | None = Field(None, description="service-account token with the Admin role")
    user: str | None = Field(None, description="in place of a token: a user with the Admin role")
    password: SecretStr | None = Field(None, description="that user's password")
    folder: str = Field("Yeji", description="title of the folder that the dashboards go into")
    influx_url: str | None = Field(None, description="InfluxDB as Grafana reaches it; none = influx.url")


class PageSettings(_Section):
    """The local page."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8010, ge=0, le=65535, description="port to listen on; 0 = any free one")
    language: Literal["en", "ko"] = Field("en", description="language until the reader chooses one")
    hosts: list[str] = Field(
        default_factory=list, description="names it is reached by, besides localhost and this machine's"
    )


class DetectorSettings(_Section):
    """One detector of a machine class and its parameters (see docs/detection.md)."""

    kind: str = Field(description="which detector, as half-space-trees")
    weight: float = Field(1.0, gt=0, description="its say in the score, relative to the others'")
    params: dict[str, Any] = Field(default_factory=dict, description="the detector's own parameters")


class IsoZoneSettings(_Section):
    """Which boundaries of ISO 20816-3 (ISO 10816-3) hold for a sensor of vibration velocity, mm/s RMS."""

    group: int = Field(1, ge=1, le=4, description="1 = large machines over 300 kW, 2 = 15 to 300 kW")
    mounting: Literal["rigid", "flexible"] = Field("rigid", description="of the machine's foundation")

    @property
    def key(self) -> str:
        """Its line in a class's `zones`."""
        return f"group {self.group} {self.mounting}"


class SensorSettings(_Section):
    """What is known of a sensor beforehand."""

    unit: str = Field("", description="unit of its values, for charts")
    label: str = Field("", description="what people call it, in English")
    label_ko: str = Field("", description="what people call it, in Korean")
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


class AlarmSettings(_Section):
    """When a score becomes an alarm (threshold, hysteresis and delays of ISA-18.2)."""

    threshold: float = Field(0.999, gt=0, lt=1, description="calibrated score that raises")
    clear: float = Field(0.99, gt=0, lt=1, description="score under which the episode may end (hysteresis)")
    on_delay: float = Field(10.0, ge=0, description="seconds over the threshold before an alarm is raised")
    off_delay: float = Field(60.0, ge=0, description="seconds under `clear` before it is cleared")
    budget: float = Field(
        30.0, gt=0, description="days a machine for one false alarm: more of them make it less sensitive"
    )
    min_readings: int = Field(3, ge=1, description="readings over the threshold before an alarm is raised")

    @model_validator(mode="after")
    def _ordered(self) -> AlarmSettings:
        if self.clear > self.threshold:
            raise ValueError(f"clear ({self.clear}) must not be above threshold ({self.threshold})")
        return self


class LearningSettings(_Section):
    """How a machine's model learns."""

    warmup: int = Field(300, ge=20, description="readings that are learned before the first score")
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


class ClassSettings(_Section):
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
        ['mspc', 'half-space-trees']
        """
        kinds = ("records",) if width == 1 else ("mspc", "half-space-trees")
        return self.detectors or [DetectorSettings(kind=kind) for kind in kinds]


class IntakeSettings(_Section):
    """What input is taken."""

    future: float = Field(300.0, ge=0, description="seconds that a reading may be ahead of its arrival")
    machines: Literal["any", "listed"] = Field("any", description="listed = only machines that match a class")
    max_sensors: int = Field(256, ge=1, description="sensors of one machine")
    max_readings: int = Field(100_000, ge=1, description="readings in one frame")


class WorkerSettings(_Section):
    """How a stream worker goes about it (docs/worker.md)."""

    name: str | None = Field(
        None, description="own name, in statistics and as a static member of the group; none = host and pid"
    )
    batch_messages: int = Field(20_000, ge=1, description="messages that are processed at once, at most")
    batch_bytes: int = Field(4_000_000, ge=1000, description="bytes of messages processed at once, at most")
    checkpoint: float = Field(10.0, gt=0, description="seconds between snapshots of the changed machines")
    report: float = Field(5.0, gt=0, description="seconds between the worker's own statistics")
    session: float = Field(30.0, ge=6, description="seconds after which a silent worker is replaced")


class Settings(BaseSettings):
    """Everything that can be set. See docs/settings.md, which is made from these descriptions."""

    model_config = SettingsConfigDict(
        env_prefix="YEJI_", env_nested_delimiter="__", env_file=".env", extra="ignore", validate_default=True
    )

    data: Path = Field(Path("var"), description="folder for the embedded store and a worker's own files")
    log: Literal["pretty", "json"] = Field("pretty", description="form of log lines")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    influx: InfluxSettings = Field(default_factory=InfluxSettings)
    grafana: GrafanaSettings = Field(default_factory=GrafanaSettings)
    page: PageSettings = Field(default_factory=PageSettings)
    desk: DeskSettings = Field(default_factory=DeskSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    classes: dict[str, ClassSettings] = Field(
        default_factory=lambda: {"default": ClassSettings()},
        description="machine classes; the first whose pattern matches a machine's name is taken",
    )

    @field_validator("classes")
    @classmethod
    def _some(cls, classes: dict[str, ClassSettings]) -> dict[str, ClassSettings]:
        if not classes:
            raise ValueError("name at least one machine class, for example [classes.default]")
        return classes

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, `.env`, the TOML file, defaults."""
        path = Path(os.environ.get("YEJI_CONFIG", "yeji.toml"))
        toml = TomlConfigSettingsSource(settings_cls, toml_file=path)
        return init_settings, env_settings, dotenv_settings, toml

    def class_of(self, machine: str) -> str | None:
        """The name of the first class that matches, or None.

        >>> Settings(classes={"press": {"match": ["*/press-*"]}}).class_of("a/b/c/d/press-1")
        'press'
        """
        for name, settings in self.classes.items():
            if any(fnmatchcase(machine, pattern) for pattern in settings.match):
                return name
        return None


def load_settings(**flags: Any) -> Settings:
    """Read the settings; ``flags`` (None = not given) win over everything else.

    Raises SettingsError with one line a mistake: which setting, what is wrong, where it may be set.
    """
    config = os.environ.get("YEJI_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"YEJI_CONFIG names {config}, which is no file. Correct the path or unset it.")
    from connectors.files.tuned import with_tuned  # it needs the settings of this module

    try:
        return with_tuned(Settings(**{name: value for name, value in flags.items() if value is not None}))
    except ValidationError as error:
        lines = []
        for one in error.errors():
            path = [str(part) for part in one["loc"]]
            lines.append(
                f"  {'.'.join(path)}: {one['msg']} (set it in yeji.toml or as YEJI_{'__'.join(path).upper()})"
            )
        raise SettingsError("These settings cannot be used:\n" + "\n".join(lines)) from None
    except ValueError as error:  # a TOML file that is not TOML
        raise SettingsError(f"The settings file cannot be read: {error}") from error
