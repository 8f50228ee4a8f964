"""A file is written whole or not at all, and one process alone uses what is locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.base.clock import now_ms
from connectors.files.whole import InUseError, alone_with, write_whole

HOLD = """
import sys
from pathlib import Path
from connectors.files.whole import alone_with
with alone_with(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_is_written_replaces_what_was_there_and_leaves_nothing_beside_it(tmp_path: Path):
    path = tmp_path / "new" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    write_whole(path, b"one")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("connectors.files.whole.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"two")
    assert path.read_bytes() == b"one"


def test_one_process_alone_has_it_until_it_ends_or_is_killed(tmp_path: Path):
    path = tmp_path / "sub" / "desk.sqlite"
    with alone_with(path), pytest.raises(InUseError), alone_with(path):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InUseError), alone_with(path):
        pass
    holder.kill()
    holder.communicate()
    with alone_with(path):
        pass


def test_the_clock_is_in_ms():
    assert now_ms() > 1_700_000_000_000
