"""The documentation is held to the code: commands, settings, targets of make, links that lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md"), *(REPOSITORY / "deploy").rglob("*.md")])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES])

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


GENERATE = load("docs_generate", DOCS / "generate.py")
COMMANDS = GENERATE.all_commands()


@pytest.mark.parametrize("name", list(GENERATE.PAGES))
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATE.PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS, ids=[name for name, _, _ in COMMANDS])
def test_every_command_and_option_has_help(command: tuple[str, object, object]) -> None:
    name, known, context = command
    assert (known.help or "").strip().endswith("."), f"{name} says nothing of itself"  # type: ignore[attr-defined]
    for parameter in known.get_params(context):  # type: ignore[attr-defined]
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def models() -> list[tuple[str, type[BaseModel]]]:
    found: list[tuple[str, type[BaseModel]]] = list(GENERATE.sections(GENERATE.Settings))
    return found


@pytest.mark.parametrize("section", models(), ids=[path or "top" for path, _ in models()])
def test_every_setting_is_described(section: tuple[str, type[BaseModel]]) -> None:
    path, model = section
    assert model.__doc__, path
    for name, field in model.model_fields.items():
        assert field.description or GENERATE.nested(field.annotation), f"{path}.{name} has no description"


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {one.replace(" ", "-") for one in words}


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


@EACH_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    waiting, seen = [DOCS / "index.md"], set()
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            waiting += [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
    assert set(DOCS.rglob("*.md")) <= seen, set(DOCS.rglob("*.md")) - seen
    assert "docs/index.md" in set(links(REPOSITORY / "README.md"))


@EACH_PAGE
def test_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {name for name, _, _ in COMMANDS}
    for words in re.findall(r"(?:`|^|\s)yeji((?: [a-z]+)+)(?=[ `\n\]])", text, re.MULTILINE):
        first, *rest = words.split()
        if f"yeji {first}" == "yeji grafana" and rest:
            first = f"{first} {rest[0]}"
        if re.search(rf"`yeji {first}\b", text) or re.search(rf"^\s*yeji {first}\b", text, re.MULTILINE):
            assert f"yeji {first}" in known, f"{page.name} speaks of `yeji {first}`"
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"{page.name} speaks of `make {target}`"


def test_settings_that_are_named_as_variables_exist() -> None:
    from tests.deploy.reading import setting_exists

    for page in PAGES:
        for name in re.findall(r"YEJI_[A-Z0-9]+(?:__?[A-Z0-9]+)*", page.read_text(encoding="utf-8")):
            known = name in OTHER or name.startswith("YEJI_TEST_") or setting_exists(name)
            assert known, f"{page.name} speaks of {name}"


#: Read by Yeji's surroundings, not settings.
OTHER = {"YEJI_CONFIG", "YEJI_CACHE", "YEJI_REQUIRE_SERVICES", "YEJI_TOML"}


def test_makes_help_lists_every_target() -> None:
    text = (REPOSITORY / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    described = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert set(phony.split()) == described


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_says_when_what_else_and_what_follows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"\*\*Date:\*\* \d{4}-\d\d-\d\d\. \*\*Status:\*\* (accepted|superseded by \[)", text)
    for part in ("Context", "Decision", "Considered", "Consequences"):
        assert f"**{part}.**" in text, part


@pytest.mark.parametrize("example", sorted((DOCS / "examples").rglob("*.*")), ids=lambda path: path.name)
def test_an_example_stands_in_a_page_word_for_word(example: Path) -> None:
    code = example.read_text(encoding="utf-8")
    assert any(code in page.read_text(encoding="utf-8") for page in PAGES), "copy it into its page"
