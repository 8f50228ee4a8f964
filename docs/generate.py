"""Write docs/settings.md, docs/cli.md and docs/index.md from the code and the pages (`make docs`)."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.base.sink_settings import SinkSettings
from connectors.base.sinks import OWN as SINKS
from connectors.base.source_settings import SourceSettings
from connectors.base.sources import OWN as SOURCES
from streams.cli import make_app
from streams.settings import Settings

HERE = Path(__file__).resolve().parent

SETTINGS_HEAD = """# Settings

Made by `make docs` from the settings' own descriptions; a test holds it to them.

Each is taken from the first of these that has it: a flag of the command, an environment variable, the file
`.env`, the file `yeji.toml` (or the one that `YEJI_CONFIG` names), its default. What `yeji tune promote` has
put into `tuned.toml` in the folder `data` wins over all of them
([tuning](feedback.md#tuning-with-the-facts-at-hand)). The variable of `kafka.brokers` is
`YEJI_KAFKA__BROKERS`: the name in capitals, two underscores for each dot. Lists and tables in variables are
written as JSON: `YEJI_PAGE__HOSTS='["yeji.plant"]'`. Secrets are never printed; give them as variables, or as
files: `YEJI_KAFKA__PASSWORD_FILE=/run/secrets/kafka` (or `password_file` in the file) for `password`, and so
for every setting of type secret; never both.
[deploy/yeji.toml](../deploy/yeji.toml) is an example. A mistake ends a command with one line for
each wrong setting; `yeji check` tries whether what they name can be reached.
"""

CLI_HEAD = """# Commands

Made by `make docs` from the commands' own help; a test holds it to them. `yeji COMMAND --help` tells the
same. Exit codes: 0 done, 1 it could not be done (one message says why and what to do), 2 wrong usage.
"""


def cell(text: str) -> str:
    """Text for a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def type_name(kind: Any) -> str:
    """A type as people write it.

    >>> type_name(dict[str, int]), type_name(str | None), type_name(Literal["a", "b"])
    ('table of integer', 'text', '`a`, `b`')
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(type_name(one) for one in arguments if one is not type(None))
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is tuple:
        return f"{len(arguments)} of {type_name(arguments[0])}"
    if origin is dict:
        return "table" if arguments[1] is Any else f"table of {type_name(arguments[1])}"
    names = {
        bool: "true or false",
        int: "integer",
        float: "number",
        str: "text",
        Path: "path",
        SecretStr: "secret",
    }
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def default_text(field: FieldInfo) -> str:
    """A default as TOML would have it; nothing for none, `required` where there is no default."""
    if field.default_factory is not None:
        value = field.default_factory()  # type: ignore[call-arg]
        if isinstance(value, dict | list) and (not value or isinstance(next(iter(value)), str)):
            return f"`{value}`" if isinstance(value, list) else ("`{}`" if not value else "see below")
        return "see below"
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None or field.default == "":
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`"


def nested(kind: Any) -> tuple[type[BaseModel], str] | None:
    """The section that a field holds, and what stands between its name and that section's settings."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    for argument in typing.get_args(kind):
        found = nested(argument)
        if found:
            model, between = found
            origin = typing.get_origin(kind)
            step = {dict: ".NAME", list: "[]"}.get(origin, "") if origin else ""
            return model, step + between
    return None


def sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with its path, outer ones first."""
    if model is SourceSettings or model is SinkSettings:
        yield from sections_of_kinds(path, SOURCES if model is SourceSettings else SINKS)
        return
    yield path, model
    for name, field in model.model_fields.items():
        found = nested(field.annotation)
        if found:
            yield from sections(found[0], f"{path}.{name}{found[1]}".lstrip("."))


def sections_of_kinds(path: str, kinds: Iterable[Any]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The section of each kind of source or sink; what kinds have in common stands once, after them."""
    shared: dict[tuple[str, type[BaseModel]], None] = {}
    for kind in kinds:
        yield f'{path} with kind = "{kind.kind}"', kind.settings
        for name, field in kind.settings.model_fields.items():
            found = nested(field.annotation)
            if found:
                shared[f"{path}.{name}{found[1]}", found[0]] = None
    for inner, model in shared:
        yield from sections(model, inner)


def settings_page() -> str:
    """docs/settings.md."""
    parts = [SETTINGS_HEAD]
    for path, model in sections(Settings):
        title = f"`{path}`" if path else "At the top"
        parts.append(f"\n## {title}\n\n{inspect.cleandoc(model.__doc__ or '')}\n")
        rows = []
        for name, field in model.model_fields.items():
            found = nested(field.annotation)
            if found:
                meaning = field.description or inspect.cleandoc(found[0].__doc__ or "").splitlines()[
                    0
                ].rstrip(".")
                rows.append(f"| `{name}` | section | | {cell(meaning)} |")
                continue
            kind, default = type_name(field.annotation), default_text(field)
            rows.append(f"| `{name}` | {cell(kind)} | {cell(default)} | {cell(field.description or '')} |")
        parts.append(
            "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def commands(command: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every command with its whole name and context; groups before their own."""
    yield context.command_path, command, context
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, type(context)(sub, info_name=name, parent=context))


def all_commands() -> list[tuple[str, Any, Any]]:
    """Every command of `yeji`."""
    command = typer.main.get_command(make_app())
    context = command.make_context("yeji", [], resilient_parsing=True)
    return list(commands(command, context))


def cli_page() -> str:
    """docs/cli.md."""
    parts = [CLI_HEAD]
    for name, command, context in all_commands():
        parts.append(f"\n## `{name}`\n\n{inspect.cleandoc(command.help or '')}\n")
        usage = " ".join([name, *(piece for piece in command.collect_usage_pieces(context))])
        parts.append(f"```\n{usage}\n```\n")
        rows = []
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is None or record[0].startswith(
                ("-h", "--help", "--install-completion", "--show-completion")
            ):
                continue
            rows.append(f"| `{cell(record[0])}` | {cell(record[1])} |")
        if rows:
            parts.append("| option | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
        subcommands = getattr(command, "commands", {})
        if subcommands:
            lines = [f"- `{name} {one}`: {sub.get_short_help_str(200)}" for one, sub in subcommands.items()]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


INDEX_HEAD = """# Documentation

Made by `make docs` from the pages' own titles and first sentences. Begin with the [README](../README.md).
"""

#: Which pages stand together, in which order; pages that nobody named come last.
GROUPS = {
    "Use": [
        "cli",
        "settings",
        "csv",
        "wire",
        "plant",
        "mapping",
        "connect",
        "mqtt",
        "sparkplug",
        "order-and-late-data",
        "opcua",
        "modbus",
        "http",
        "folder",
        "kafka-topic",
        "bad-input",
        "rejected",
        "page",
        "desk",
        "work-orders",
        "on-call",
        "notify",
    ],
    "Understand": [
        "glossary",
        "architecture",
        "detection",
        "bench",
        "vibration",
        "alarms",
        "advice",
        "training",
        "hall",
        "performance",
    ],
    "Run": [
        "deploy",
        "operations",
        "security",
        "threat-model",
        "survival",
        "scaling",
        "worker",
        "agents",
        "extend",
        "influx",
        "export",
        "grafana",
        "local-services",
        "testing",
    ],
}


def page_line(page: Path) -> str:
    """A link to a page, with its title and first sentence."""
    title, _, rest = page.read_text(encoding="utf-8").partition("\n")
    words = [line for line in rest.strip().splitlines() if line.strip()]
    first = ""
    if words and not words[0].startswith(("#", "|", "```", "-", "Made by")):
        paragraph = " ".join(rest.strip().split("\n\n")[0].split())
        first = ": " + re.split(r"(?<=[.:]) ", paragraph)[0].rstrip(".:") + "."
    first = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first)
    return f"- [{title.lstrip('# ').strip()}]({page.relative_to(HERE)}){first}"


def index_page() -> str:
    """docs/index.md."""
    pages = {page.stem: page for page in sorted(HERE.glob("*.md")) if page.stem != "index"}
    named = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, "More": [name for name in pages if name not in named]}
    parts = [INDEX_HEAD]
    for title, names in groups.items():
        lines = [page_line(pages[name]) for name in names if name in pages]
        if lines:
            parts.append(f"\n## {title}\n\n" + "\n".join(lines) + "\n")
    decisions = [page_line(page).partition(": **")[0] for page in sorted((HERE / "decisions").glob("*.md"))]
    if decisions:
        parts.append("\n## Why it is as it is\n\n" + "\n".join(decisions) + "\n")
    return "".join(parts)


PAGES = {"settings.md": settings_page, "cli.md": cli_page, "index.md": index_page}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
        print(HERE / name)


if __name__ == "__main__":
    main()
