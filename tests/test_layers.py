"""Who may import whom: the core knows no connector, detectors know nobody, and nothing goes in circles."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = ("detectors", "streams", "connectors")

#: Parts of `streams` that bring the pipeline and the outside world together.
RUNNERS = ("streams.cli", "streams.agents", "streams.embedded.run", "streams.evaluation")


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in OURS for path in sorted((REPOSITORY / package).rglob("*.py"))
}


def imports(name: str, *, at_load: bool = False) -> set[str]:
    """The modules that one imports; ``at_load``: only while it is itself imported."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by a relative name"
            module = str(node.module)
            found.update(
                full if (full := f"{module}.{alias.name}") in MODULES else module for alias in node.names
            )
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            if not at_load:
                for child in node.body:
                    visit(child)
            return
        elif at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("name", [name for name in MODULES if under(name, ("detectors",))])
def test_detectors_know_nobody(name: str) -> None:
    compiles = name == "detectors.compiled"  # the one that knows Numba, and the folder for its machine code
    allowed = {"numpy", "scipy", "river", "detectors"} | set(sys.stdlib_module_names)
    foreign = {one for one in imports(name) if one.partition(".")[0] not in allowed}
    assert foreign == ({"numba"} if compiles else set())
    outside = {"time", "datetime", "socket", "subprocess", "threading", "asyncio", "os", "pathlib"}
    assert not imports(name) & (outside - ({"os", "pathlib"} if compiles else set())), "no clock, no files"
    drawn = re.findall(r"\brandom\.(\w+)\(", MODULES[name].read_text(encoding="utf-8"))
    assert set(drawn) <= {"Random", "default_rng"}, "chance only from a seed"


@pytest.mark.parametrize("name", [n for n in MODULES if under(n, ("streams",)) and not under(n, RUNNERS)])
def test_the_core_knows_no_connector(name: str) -> None:
    assert not {one for one in imports(name) if under(one, ("connectors",))}
    assert not {one for one in imports(name) if under(one, RUNNERS)}


@pytest.mark.parametrize("name", [name for name in MODULES if under(name, ("connectors",))])
def test_connectors_know_no_runner(name: str) -> None:
    assert not {one for one in imports(name) if under(one, RUNNERS)}


def test_only_one_module_imports_the_grafana_client_package() -> None:
    """It is no longer maintained, and can be replaced there."""
    assert [n for n in MODULES if any(under(one, ("grafana_api",)) for one in imports(n))] == [
        "connectors.grafana.client"
    ]


def test_nothing_goes_in_circles() -> None:
    graph = {name: {one for one in imports(name, at_load=True) if one in MODULES} for name in MODULES}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for one in sorted(graph[name]):
                walk(one, (*path, name))
            done.add(name)

    for name in MODULES:
        walk(name, ())


@pytest.mark.parametrize("name", list(MODULES))
def test_the_first_line_says_what_it_is_for(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), name
