"""`yeji desk` and `yeji run --desk` serve the desk's pages, and print the first link once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from local_services.process import free_port

pytestmark = pytest.mark.slow

YEJI = (sys.executable, "-c", "from streams.cli import main; main()")


def started(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Start `yeji …`; gives the process, and what it says under which word, up to its store."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YEJI_")} | {
        "YEJI_DESK__PORT": str(port),
        "YEJI_DESK__URL": f"http://127.0.0.1:{port}",
        "YEJI_PAGE__PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
    }
    command = [*YEJI, *arguments, "--data", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert process.stdout is not None
    said: dict[str, str] = {}
    while not {"Pages", "Desk"} <= set(said) or ("First" not in said and not (folder / "known").exists()):
        line = process.stdout.readline()
        assert line, f"it ended: {said}"
        word, _, rest = line.strip().partition(" ")
        said[word] = rest.strip()
    return process, said


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=200)
    return process.returncode


@pytest.mark.parametrize(
    "arguments", [("desk", "--no-kafka"), ("run", "--desk", "--csv")], ids=["desk", "run"]
)
def test_the_first_start_prints_a_link_and_a_later_one_does_not(tmp_path: Path, arguments: tuple[str, ...]):
    if "--csv" in arguments:
        readings = tmp_path / "press-1.csv"
        readings.write_text("time,a\n" + "".join(f"2026-01-01T00:00:{n:02}Z,{n % 7}\n" for n in range(60)))
        arguments = (*arguments, str(readings))
    process, said = started(tmp_path, *arguments)
    link = said["First"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/welcome/[\w-]{43}", link)
    with urllib.request.urlopen(link) as page:
        assert b"Welcome to Yeji" in page.read()
    form = b"name=boss&password=three+old+presses"
    with urllib.request.urlopen(link, data=form) as page:
        assert b"The password is set" in page.read()
    assert ended(process) in (0, 130)  # 130: ended before its handler stood
    (tmp_path / "known").touch()
    process, said = started(tmp_path, *arguments)
    assert "First" not in said
    assert ended(process) in (0, 130)


def test_a_taken_port_is_said_with_the_remedy(tmp_path: Path):
    process, said = started(tmp_path / "one", "desk", "--no-kafka")
    port = re.search(r"127\.0\.0\.1:(\d+)", said["Pages"])
    assert port is not None
    second = subprocess.run(
        [*YEJI, "desk", "--no-kafka"],
        env=os.environ | {"YEJI_DESK__PORT": port[1], "YEJI_DATA": str(tmp_path / "two")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert second.returncode == 1
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr
    assert ended(process) == 0
