"""What every workflow script does first: log to its file, keep to its threads, fail readably."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genreflow.params import Params, parse

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@contextmanager
def job(snakemake: Any) -> Iterator[Params]:
    """Run a workflow step: yield the parameters, and send what it prints to the rule's log.

    An error of ours (a :class:`ValueError` with a message written for the user) becomes one
    line at the end of the log; anything else keeps its traceback.

    Parameters
    ----------
    snakemake
        The object that Snakemake gives to a script.
    """
    limit_threads(snakemake.threads)
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    # At the level of file descriptors, so that what C libraries print is caught too.
    with log.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        yield parse(snakemake.config)
    except ValueError as error:
        if type(error).__module__.startswith("genreflow."):
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        else:
            traceback.print_exc()
        raise SystemExit(1) from None


def limit_threads(threads: int) -> None:
    """Make BLAS and OpenMP libraries that are imported from now on use `threads` threads."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
