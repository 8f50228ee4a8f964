"""BLAS has one thread in every program, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys

_SHOWN = "from threadpoolctl import threadpool_info; print([p['num_threads'] for p in threadpool_info()])"


def run(code: str) -> str:
    """What a new process prints that is told to use eight threads."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "8", "OMP_NUM_THREADS": "8"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_program_of_ours_has_one_thread() -> None:
    shown = run(f"import streams.settings, numpy, scipy.linalg; {_SHOWN}")
    assert set(shown.strip("[]\n").split(", ")) == {"1"}


def test_libraries_that_were_loaded_before_are_held_to_it() -> None:
    code = "import numpy, scipy.linalg; from streams.one_thread import one_thread; one_thread();"
    assert set(run(code + _SHOWN).strip("[]\n").split(", ")) == {"1"}
