"""A mapping in a file of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.mapping.settings import MappingSettings
from pipeline.settings import SettingsError


def load_mapping(path: Path) -> MappingSettings:
    """The mapping in a TOML file: at its top, under ``[mapping]``, or that of the one source it has.

    Raises `SettingsError` with a line a mistake.
    """
    try:
        return MappingSettings.model_validate(_found(tomllib.loads(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}.") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise SettingsError(f"{path}: this mapping cannot be used:\n" + "\n".join(lines)) from None


def _found(toml: dict[str, Any]) -> Any:
    sources = toml.get("sources")
    if isinstance(sources, dict) and len(sources) == 1:
        toml = next(iter(sources.values()))
    return toml.get("mapping", toml)
