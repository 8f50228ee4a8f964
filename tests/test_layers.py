"""Who may import whom: one order of packages without exceptions, and no circle of modules."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

#: The one order of the packages: nothing imports what stands to the right of it, lazily or for types either.
ORDER = ("detectors", "pipeline", "connectors", "desk", "streams")

#: Entries that a listing of one folder may have, so that it is read at a glance.
LISTING = 25


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in ORDER for path in sorted((REPOSITORY / package).rglob("*.py"))
}


def imports(name: str) -> set[str]:
    """The modules that one imports, at any place: at the top, in functions, for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by a relative name"
            module = str(node.module)
            found.update(
                full if (full := f"{module}.{alias.name}") in MODULES else module for alias in node.names
            )
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


@pytest.mark.parametrize("name", list(MODULES))
def test_nothing_imports_what_stands_to_the_right_of_it(name: str) -> None:
    right = ORDER[ORDER.index(name.partition(".")[0]) + 1 :]
    assert not {one for one in imports(name) if one.partition(".")[0] in right}


@pytest.mark.parametrize("package", ORDER)
def test_a_listing_is_short_enough_to_read(package: str) -> None:
    for folder in [REPOSITORY / package, *(REPOSITORY / package).rglob("*")]:
        if folder.is_dir() and folder.name not in ("__pycache__", "vendor"):
            entries = [one.name for one in folder.iterdir() if one.name not in ("__pycache__", "__init__.py")]
            assert len(entries) <= LISTING, f"{folder}: {len(entries)} entries"


def test_connectors_are_one_folder_a_system_and_nothing_else() -> None:
    entries = {one.name for one in (REPOSITORY / "connectors").iterdir() if one.is_file()}
    assert entries == {"__init__.py", "py.typed"}


def test_only_one_module_imports_the_grafana_client_package() -> None:
    """It is no longer maintained, and can be replaced there."""
    assert [n for n in MODULES if any(under(one, ("grafana_api",)) for one in imports(n))] == [
        "connectors.grafana.client"
    ]


def test_nothing_goes_in_circles() -> None:
    graph = {name: {one for one in imports(name) if one in MODULES} for name in MODULES}
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


def test_no_script_hides_a_package() -> None:
    """``python benchmarks/x.py`` puts benchmarks/ first on the path: a connectors.py there hides ours."""
    scripts = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert not scripts & (set(ORDER) | sys.stdlib_module_names)
