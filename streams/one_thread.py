"""One thread for the numerical libraries, set by the program: many small products lose by sharing cores.

On busy cores BLAS's threads wait for each other: models of 100 sensors ran at a thirteenth of their speed.
Yeji's own parallelism is workers, one a core. One thread also makes sums the same to the last bit everywhere.
"""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def before_loading() -> None:
    """Tell libraries that are loaded from now on, and the processes that this one starts."""
    for name in _VARIABLES:
        os.environ[name] = "1"


def one_thread() -> None:
    """Hold the libraries that are loaded, and those that will be, to one thread."""
    before_loading()
    threadpool_limits(limits=1)
