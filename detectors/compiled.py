"""Kernels: plain loops over readings, compiled to machine code by Numba when they are first called.

A kernel is a function of arrays and numbers, decorated with `compiled`. It reads like the definition of what
it computes: for each machine, for each reading. Why compiled: docs/decisions/compiled-kernels.md.

* Arithmetic is IEEE 754's, in the order that is written (no ``fastmath``), so that results are the same bits
  on every processor and in every split of the readings. Dividing by 0 returns inf or NaN, as in NumPy.
* The interpreter's lock is free while a kernel runs: other threads go on.
* Machine code is kept in a folder of the user's (`cache_folder`), apart for each state of the sources, and so
  compiled once. Where no folder can be written, each process compiles for itself.

Tests run kernels with bounds checked (``NUMBA_BOUNDSCHECK=1``, tests/conftest.py); used, they are not.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def cache_folder() -> Path:
    """Where machine code is kept: ``kernels`` in ``$YEJI_CACHE``, or in ``yeji`` of ``$XDG_CACHE_HOME``.

    Each state of the sources has a folder of its own there: Numba itself looks only at the file that a kernel
    is in, not at the kernels that it calls in others.
    """
    sources = hashlib.sha256(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        sources.update(path.read_bytes())
    own = os.environ.get("YEJI_CACHE")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yeji"
    return base / "kernels" / sources.hexdigest()[:16]


def kept() -> bool:
    """Whether kernels were compiled before on this machine, so that a start will be quick."""
    return any(Path(numba.config.CACHE_DIR).rglob("*.nbi")) if numba.config.CACHE_DIR else False


def _mend(folder: Path) -> None:
    """Remove files that a loss of power left half written: Numba would fail on them, at every start.

    They hold pickles, whose last byte is a full stop.
    """
    for path in folder.rglob("*.nb[ic]"):
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 1, 0))
            whole = file.read() == pickle.STOP
        if not whole:
            path.unlink(missing_ok=True)


def _keep() -> None:
    """Point Numba to the folder; to a copy of it where it cannot be written to, as in an image."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            numba.config.CACHE_DIR = str(folder)
        _mend(folder)
    except OSError:
        if folder.is_dir():  # Numba reads only from where it may write
            copy = tempfile.mkdtemp(prefix="yeji-kernels-")
            atexit.register(shutil.rmtree, copy, ignore_errors=True)
            numba.config.CACHE_DIR = str(shutil.copytree(folder, copy, dirs_exist_ok=True))


_keep()


def compiled(function: _Function) -> _Function:
    """Compile ``function`` at its first call, once for each combination of its arguments' types.

    >>> @compiled
    ... def total(x):
    ...     out = 0.0
    ...     for value in x:
    ...         out += value
    ...     return out
    >>> import numpy
    >>> float(total(numpy.array([1.0, 2.0])))
    3.0
    """
    made: _Function
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to keep it in, or no file that it is from
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return made
