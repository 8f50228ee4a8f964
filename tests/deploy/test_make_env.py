"""`make env`: strong secrets for every variable that the composed stack asks for, made once."""

from __future__ import annotations

import base64
import importlib.util
import re
import stat
from pathlib import Path
from types import ModuleType

import pytest

from tests.deploy.reading import REPOSITORY


@pytest.fixture(scope="module")
def make_env() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_env", REPOSITORY / "deploy" / "make_env.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_every_required_variable_gets_a_secret(make_env: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    assert make_env.main(first) == 0
    assert make_env.main(second) == 0
    wanted = set(re.findall(r"\$\{(\w+):\?", (REPOSITORY / "docker-compose.yml").read_text()))
    assert set(read(first)) == wanted
    assert all(read(first)[name] != read(second)[name] for name in wanted)
    assert all(len(value) >= 22 and re.fullmatch(r"[\w-]+", value) for value in read(first).values())
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(read(first)["KAFKA_CLUSTER_ID"] + "==")) == 16


def test_a_file_that_is_there_is_kept(
    make_env: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "env"
    path.write_text("GRAFANA_PASSWORD=mine\n")
    assert make_env.main(path) == 0
    assert path.read_text() == "GRAFANA_PASSWORD=mine\n"
    assert "left as it is" in capsys.readouterr().err
