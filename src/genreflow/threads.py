"""The threads of numerical libraries, which decide the order of their sums."""

from __future__ import annotations

import os

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def limit_threads(threads: int) -> None:
    """Make BLAS and OpenMP libraries that are imported from now on use `threads` threads."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
