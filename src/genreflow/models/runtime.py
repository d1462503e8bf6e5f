"""Threads and determinism of the numerical libraries.

What a model learns depends on the number of threads in Keras's backend, where it changes the order
of sums. It is therefore a parameter of the model, never taken from the machine or from ``-j``.
"""

from __future__ import annotations

import os
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
    _PREPARE[keras.backend.backend()](threads)


def compiled() -> bool:
    """Tell whether training steps are compiled as a whole.

    On a CPU that makes TensorFlow's convolutions slower, and takes longer than it saves. JAX takes
    one operation at a time without it.
    """
    import keras

    return bool(keras.backend.backend() == "jax")


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Let layers that are made within the block compute in a precision of Keras's.

    Parameters
    ----------
    name
        ``float32``, ``mixed_bfloat16`` or ``mixed_float16``; weights are float32 in each.
    """
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _prepare_tensorflow(threads: int) -> None:
    import tensorflow as tf

    limit_tensorflow(threads)
    tf.config.experimental.enable_op_determinism()


def _prepare_jax(threads: int) -> None:
    # Read when the first operation starts JAX; later on they have no effect.
    os.environ["NPROC"] = str(threads)
    flags = os.environ.get("XLA_FLAGS", "")
    if _DETERMINISTIC_XLA not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC_XLA}".strip()


def _prepare_torch(threads: int) -> None:
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS isn't repeatable
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


_DETERMINISTIC_XLA = "--xla_gpu_deterministic_ops=true"

_PREPARE = {"tensorflow": _prepare_tensorflow, "jax": _prepare_jax, "torch": _prepare_torch}


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
        "devices": " ".join(_devices(backend)),
    }


def _devices(backend: str) -> list[str]:
    if backend != "torch":
        import keras

        return list(keras.distribution.list_devices())
    import torch  # Keras can't list its devices

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] or ["cpu"]
