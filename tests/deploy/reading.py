"""What a deployment tells our commands, checked against what they read."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from streams.cli import make_app
from streams.settings import Settings, load_settings

REPOSITORY = Path(__file__).resolve().parents[2]
#: What the desk answers probes on.
HEALTH = "/healthz"
TOML = REPOSITORY / "deploy" / "yeji.toml"


def check_command(words: list[str]) -> str:
    """Parse a command line as `yeji` would, without running it. Gives its whole name."""
    command = typer.main.get_command(make_app())
    context = command.make_context("yeji", list(words))
    rest = [*context._protected_args, *context.args]
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None, f"yeji has no command {name!r}"
        context = command.make_context(name, rest, parent=context)
        rest = [*context._protected_args, *context.args]
    return context.command_path


def setting_exists(variable: str) -> bool:
    """Whether YEJI_A__B names a setting, or YEJI_A__B_FILE a file for a secret."""
    secret = variable.removesuffix("_FILE")
    if secret != variable and "SecretStr" in str(_annotation(secret)):
        return True
    return _annotation(variable) is not None


def _annotation(variable: str) -> object:
    """The type of a setting; None when there is none of that name."""
    kind: object = Settings
    for part in variable.removeprefix("YEJI_").lower().split("__"):
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or part not in kind.model_fields:
            return None
        kind = kind.model_fields[part].annotation
        if isinstance(kind, types.UnionType):
            kind = next(one for one in typing.get_args(kind) if one is not type(None))
    return kind


@contextmanager
def told(environment: Mapping[str, str]) -> Iterator[Settings]:
    """The settings of a container with these variables, and deploy/yeji.toml where it is mounted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(TOML.parent)  # no .env of the developer's
        for name, value in environment.items():
            if name.startswith("YEJI_"):
                assert name == "YEJI_CONFIG" or setting_exists(name), f"{name} is no setting"
                patch.setenv(name, value)
        if "YEJI_CONFIG" in environment:
            patch.setenv("YEJI_CONFIG", str(TOML))
        yield load_settings()
