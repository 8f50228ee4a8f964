"""A supplier's package beside ours, installed: a detector, a source, a sink, a channel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / "docs" / "examples" / "acme_yeji"
MACHINE = "a/b/c/d/press-1"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it; built without a network."""
    target = tmp_path_factory.mktemp("site")
    copy = tmp_path_factory.mktemp("source") / "acme_yeji"
    copy.mkdir()
    for path in PACKAGE.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--no-index", "--target", str(target), str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def yeji(here: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in ``here`` with the package on its path."""
    path = os.pathsep.join([str(installed), str(REPOSITORY)])
    return subprocess.run(
        [str(Path(sys.executable).with_name("yeji")), *words],
        cwd=here,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_its_detector_is_listed_and_passes_the_checks(installed: Path, tmp_path: Path) -> None:
    listed = yeji(tmp_path, installed, "detectors", "list")
    assert "acme-range" in listed.stdout
    assert "least=50" in listed.stdout
    checked = yeji(tmp_path, installed, "detectors", "check", "acme-range")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "the same bits however batches are cut" in checked.stdout
    assert "µs a reading" in checked.stdout


def test_a_kind_that_is_none_is_said_to_be_none(installed: Path, tmp_path: Path) -> None:
    checked = yeji(tmp_path, installed, "detectors", "check", "acme-rang")
    assert checked.returncode == 1
    assert "There is no detector kind 'acme-rang'; write one of acme-range" in checked.stderr


def test_readings_come_from_its_source_through_its_detector_to_its_sink(
    installed: Path, tmp_path: Path
) -> None:
    lines = [f"{MACHINE};{1_700_000_000_000 + 1000 * n};t={20 + n % 7};p={5 + n % 3}" for n in range(400)]
    (tmp_path / "log.txt").write_text("\n".join([*lines, "what is this"]))
    (tmp_path / "yeji.toml").write_text(
        """
        [sources.controller]
        kind = "acme-log"
        path = "log.txt"

        [sinks.display]
        kind = "acme-file"
        folder = "shown"

        [run]
        sinks = ["sqlite", "display"]

        [classes.all]
        detectors = [{ kind = "acme-range" }]
        learning = { warmup = 100 }
        """
    )
    done = yeji(tmp_path, installed, "run", "--sources", "--exit", "--no-page")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 wrong-type" in done.stdout
    [shown] = (tmp_path / "shown").glob("*.json")
    latest = json.loads(shown.read_text())
    assert (latest["machine"], latest["time"]) == (MACHINE, 1_700_000_399_000)
    assert 0 <= latest["score"] <= 1


def test_a_sink_that_nobody_knows_is_named(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "yeji.toml").write_text('[run]\nsinks = ["sqlite", "wall"]\n')
    done = yeji(tmp_path, installed, "run", "--exit", "--no-page", "--history", "1h")
    assert done.returncode == 1
    assert "There is no sink 'wall'" in done.stderr
    (tmp_path / "yeji.toml").write_text('[sinks.wall]\nkind = "acme-wall"\n')
    done = yeji(tmp_path, installed, "run", "--exit", "--no-page", "--history", "1h")
    assert "write one of acme-file, influx, sqlite" in done.stderr


SEND = """
from desk.notify.channels import build_channels
from desk.rules.notification import Notification
from streams.settings import load_settings

[board] = build_channels(load_settings().notify).values()
fields = ("id", "raise", "crew", "board", "en", "high", "Press 7: bearing, look at it today", "", 0, "", ())
print(board.send(Notification(*fields), 0), board.repeatable)
"""


def test_its_channel_is_built_from_the_settings_and_sends(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "yeji.toml").write_text(
        f"""
        [notify.channels.board]
        kind = "acme-board"
        url = "file://{tmp_path}/board"
        options = {{ width = "16" }}
        """
    )
    path = os.pathsep.join([str(installed), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", SEND],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "board").read_text() == "Press 7: bearing\n"
