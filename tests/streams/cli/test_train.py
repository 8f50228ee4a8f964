"""`yeji train` serves the lessons by itself, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from local_services.process import free_port

MAIN = "from streams.cli import main; main()"

pytestmark = pytest.mark.slow


def test_it_serves_the_lessons_and_ends(tmp_path: Path):
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YEJI_")}
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "train", "--port", str(port), "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.getcwd()},
    )
    try:
        assert process.stdout is not None
        said: dict[str, str] = {}
        while "Training" not in said:
            line = process.stdout.readline()
            assert line, f"it ended: {said}"
            word, _, rest = line.strip().partition(" ")
            said[word] = rest.strip()
        assert said["Training"] == f"http://127.0.0.1:{port}/training"
        with urllib.request.urlopen(said["Training"]) as page:
            assert b"Sign in" in page.read()
        with urllib.request.urlopen(said["First"]) as page:
            assert b"Welcome to Yeji" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert (tmp_path / "training" / "training.sqlite").exists()
