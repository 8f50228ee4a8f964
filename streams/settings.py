"""Settings: flags over environment (`YEJI_…`) over `.env` over `yeji.toml` over defaults, type-checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from connectors.files.tuned import with_tuned
from connectors.plant.file import with_plant
from desk.settings.whole import SettingsWithDesk
from pipeline.settings import Section, SettingsError


class WorkerSettings(Section):
    """How a stream worker goes about it (docs/worker.md)."""

    name: str | None = Field(
        None, description="own name, in statistics and as a static member of the group; none = host and pid"
    )
    batch_messages: int = Field(20_000, ge=1, description="messages that are processed at once, at most")
    batch_bytes: int = Field(4_000_000, ge=1000, description="bytes of messages processed at once, at most")
    checkpoint: float = Field(10.0, gt=0, description="seconds between snapshots of the changed machines")
    report: float = Field(5.0, gt=0, description="seconds between the worker's own statistics")
    metrics_host: str = Field("127.0.0.1", description="address of the page of metrics, /alive and /ready")
    metrics_port: int = Field(0, ge=0, le=65535, description="its port, as 9464; 0 = no such page")
    session: float = Field(30.0, ge=6, description="seconds after which a silent worker is replaced")
    sinks: list[str] = Field(
        default_factory=lambda: ["influx"],
        min_length=1,
        description="where results go besides Kafka: influx, or names of [sinks.NAME]",
    )
    agents: list[str] = Field(
        default_factory=list, description="modules with Faust agents of your own (docs/agents.md)"
    )


class RunSettings(Section):
    """How `yeji run` goes about it (docs/embedded.md)."""

    sinks: list[str] = Field(
        default_factory=lambda: ["sqlite"],
        description="where results go: sqlite is the run's own store, others as worker.sinks",
    )
    keep_days: float | None = Field(
        366.0,
        gt=0,
        description="days of readings that the store keeps, back from the newest, of what is not a file's "
        "replay; none = all",
    )


class Settings(BaseSettings, SettingsWithDesk):
    """Everything that can be set. See docs/settings.md, which is made from these descriptions."""

    model_config = SettingsConfigDict(
        env_prefix="YEJI_", env_nested_delimiter="__", env_file=".env", extra="ignore", validate_default=True
    )

    log: Literal["pretty", "json"] = Field("pretty", description="form of log lines")
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    run: RunSettings = Field(default_factory=RunSettings)

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


def load_settings(**flags: Any) -> Settings:
    """Read the settings; ``flags`` (None = not given) win over everything else.

    Raises SettingsError with one line a mistake: which setting, what is wrong, where it may be set.
    """
    config = os.environ.get("YEJI_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"YEJI_CONFIG names {config}, which is no file. Correct the path or unset it.")
    try:
        given = Settings(**{name: value for name, value in flags.items() if value is not None})
        return with_tuned(with_plant(given))
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
