"""How numerical libraries behave: their threads, which decide the order of sums, and notices."""

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


def limit_tensorflow(threads: int) -> None:
    """Make TensorFlow use `threads` threads; it asks no variable, and must not have begun.

    Raises
    ------
    RuntimeError
        TensorFlow already runs with another number of threads.
    """
    import tensorflow as tf

    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)


def quieten_tensorflow() -> None:
    """Make TensorFlow, when it is loaded, keep its notices to itself.

    What it says about instruction sets and rounding is no news to the user. Errors are raised as
    exceptions all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
