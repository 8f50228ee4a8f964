"""The API as schemathesis finds it: each call of the OpenAPI document, right and wrong, by each role."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.access.roles import Role
from desk.web.page.server import ThreadedServer
from desk.web.pages.live_updates import LiveUpdates
from tests.desk.web.plant import OURS, Plant, make_plant

#: Cases of each call for who may do all, besides the boundaries of its document that are always tried.
CASES = 6
SEED = 20_251_009


@pytest.fixture
def served(tmp_path: Path, filled: Path) -> Iterator[tuple[Plant, str]]:
    """The desk on a port of its own, with nobody called too often."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    plant = make_plant(tmp_path, access={"calls": 10_000_000})
    server = ThreadedServer(plant.web.app, LiveUpdates(plant.desk), "127.0.0.1", 0, "desk", moves=False)
    yield plant, server.start().rstrip("/")
    server.stop()
    plant.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "who", [None, Role.VIEWER, Role.CREW, Role.ENGINEER], ids=lambda one: one.key if one else "nobody"
)
def test_every_call_is_as_its_document_says(served: tuple[Plant, str], who: Role | None, tmp_path: Path):
    plant, url = served
    options = ["--max-examples", str(CASES)]
    if who is not Role.ENGINEER:  # what others are refused is soon tried
        options = ["--phases", "coverage"]
    if who is not None:
        key = plant.web.accounts.new_key("fuzz", who, [OURS], "root")
        options += ["--header", f"Authorization: Bearer {key}"]
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"),
            *("--url", f"{url}/api/v1", "--seed", str(SEED)),
            *("--generation-deterministic", "--warnings", "off"),
            *("--no-shrink", "--suppress-health-check", "all", "--no-color", *options),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2000:]
    assert "Test cases" in ran.stdout
