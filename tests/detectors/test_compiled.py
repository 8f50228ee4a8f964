"""Where machine code is kept, and what happens where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from detectors import compiled

pytestmark = [pytest.mark.slow, pytest.mark.compiler]

ASK = """
from detectors.compiled import kept
print(kept())
"""


def run(folder: Path, program: str) -> str:
    environment = dict(os.environ, YEJI_CACHE=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


COMPILE = """
import numpy, numba
from detectors.batch import Batch
from detectors.scaling import FleetMinMaxScaler
scaler = FleetMinMaxScaler(2)
scaler.resize(1)
scaler.reset(0, 0)
one = numpy.ones(1, dtype=numpy.int64)
scaler.learn_scale(Batch(one - 1, one, one, numpy.ones((1, 2))))
print(numba.config.CACHE_DIR)
"""


def test_kept_after_it_was_compiled(tmp_path: Path) -> None:
    assert run(tmp_path, ASK) == "False"
    assert run(tmp_path, COMPILE).startswith(str(tmp_path))
    assert run(tmp_path, ASK) == "True"


def test_folder_that_cannot_be_written_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YEJI_CACHE", str(tmp_path))
    built = compiled.cache_folder()
    built.mkdir(parents=True)
    (built / "one.nbi").write_bytes(b"index")

    def refused(**_: object) -> None:
        raise PermissionError("Read-only file system")

    monkeypatch.setattr(compiled.tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    compiled._keep()
    used = Path(numba.config.CACHE_DIR)
    assert used != built
    assert (used / "one.nbi").read_bytes() == b"index"
    assert compiled.kept()


def test_no_folder_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("YEJI_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    compiled._keep()
    assert numba.config.CACHE_DIR == ""
    assert not compiled.kept()


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-20].rstrip(b"."), lambda data: bytes(len(data))]
)
@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_damaged_machine_code_is_compiled_anew(
    tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    run(tmp_path, COMPILE)
    files = list(tmp_path.rglob(kind))
    assert files
    for path in files:
        path.write_bytes(damage(path.read_bytes()))
    assert run(tmp_path, COMPILE).startswith(str(tmp_path))
