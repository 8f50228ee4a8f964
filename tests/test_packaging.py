"""The five generic package names are ours alone, and a wheel holds all that the command needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = ("detectors", "pipeline", "connectors", "desk", "streams")


@pytest.mark.parametrize("package", OURS)
def test_the_name_belongs_to_yeji_alone(package: str) -> None:
    """`streams` and the like are generic: another distribution with the same name would shadow it."""
    found = __import__(package)
    assert Path(found.__file__ or "").resolve().is_relative_to(REPOSITORY)
    owners = set(packages_distributions().get(package, ["yeji"]))
    assert owners == {"yeji"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*command, "-w", str(folder), str(REPOSITORY)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("yeji-*.whl")
    return made


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(REPOSITORY))
        for package in OURS
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith((".pyc", ".part"))
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted
    for kind in (".html", ".css", ".js"):
        assert any(name.endswith(kind) for name in held), f"no {kind} of the page"


def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = "import streams, sys; assert streams.__file__.startswith(sys.argv.pop(1)), streams.__file__; "
    program += "from streams.cli import main; sys.argv[0] = 'yeji'; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Predictive maintenance" in done.stdout
