"""Threads and determinism of the numerical libraries.

What a model learns depends on the number of threads in TensorFlow, where it changes the order of
sums. It is therefore a parameter of the model, never taken from the machine or from ``-j``.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import numpy as np

from genreflow.threads import limit_tensorflow


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Keep BLAS and OpenMP to `threads` threads within the block."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=threads):
        yield


def configure_keras(threads: int, seed: int) -> None:
    """Seed Keras, make its backend repeatable and modest; call before the first operation.

    Raises
    ------
    RuntimeError
        TensorFlow already runs with another number of threads.
    """
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        limit_tensorflow(threads)
        tf.config.experimental.enable_op_determinism()
        for gpu in tf.config.list_physical_devices("GPU"):
            # Else the first training takes all of its memory, for whoever else is there.
            if not tf.config.experimental.get_memory_growth(gpu):
                tf.config.experimental.set_memory_growth(gpu, True)


def keras_environment() -> dict[str, str]:
    """Return the libraries and devices that a network's numbers depend on."""
    import keras

    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        backend: import_module(backend).__version__,
        "devices": " ".join(keras.distribution.list_devices()),
    }
