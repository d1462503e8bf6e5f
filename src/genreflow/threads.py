"""How numerical libraries behave: what decides the order of sums, GPUs, and notices."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

_KERNELS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""What BLAS and NumPy have for processors with AVX2."""

_PROCESSOR = Path("/proc/cpuinfo")


def fix_arithmetic(threads: int) -> None:
    """Make libraries that are imported from now on add in the same order everywhere.

    BLAS and OpenMP use `threads` threads. On x86 processors with AVX2, BLAS and NumPy leave the
    kernels aside that they have for newer ones; where a variable already says which to take, it
    stands. Other processors, and systems other than Linux, keep their own.
    """
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    with suppress(OSError):
        if re.search(rb"^flags\s.*\bavx2\b", _PROCESSOR.read_bytes(), re.MULTILINE):
            for variable, value in _KERNELS.items():
                os.environ.setdefault(variable, value)


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


def share_gpus() -> None:
    """Make Keras's backends, when they are loaded, take of a GPU's memory what they need.

    Else the first process takes nearly all of it, and leaves nothing to whoever else is there:
    other trainings, the other processes that predict.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@contextmanager
def without_native_notices() -> Iterator[None]:
    """Keep from the user what libraries in C write to the standard error stream within the block.

    TensorFlow announces itself before anybody can ask it not to, and libmpg123 comments on frames.
    What Python writes there, warnings, errors and logs, gets through. For as long as it lasts the
    stream is another one for all threads.
    """
    try:
        shown = os.dup(2)
    except OSError:  # there is no such stream
        yield
        return
    before = sys.stderr
    try:
        if _is_the_stream_itself(before):
            before.flush()
            sys.stderr = os.fdopen(
                os.dup(shown), "w", buffering=1, encoding=before.encoding, errors=before.errors
            )
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device is no path of ours
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        if sys.stderr is not before:
            sys.stderr.close()
            sys.stderr = before


def _is_the_stream_itself(stream: object) -> bool:
    try:
        return stream is not None and stream.fileno() == 2  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def without_collection() -> Iterator[None]:
    """Import and load within the block without looks for garbage, of which there is none.

    Python looks through all objects again and again while their number grows, a tenth of the time
    that scikit-learn takes to load. Nor are they looked through later on.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
