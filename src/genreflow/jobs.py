"""What every workflow script does first: log to its file, keep to its share, fail readably.

And end when the run ends that started it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from genreflow.errors import GenreflowError
from genreflow.machine import hide_gpu
from genreflow.params import Params, parse
from genreflow.store.files import write_json
from genreflow.threads import fix_arithmetic


@dataclass(frozen=True)
class Job:
    """A running job: the parameters, and what it costs, to which a script may add."""

    params: Params
    cost: dict[str, Any] = field(default_factory=dict)


@contextmanager
def job(snakemake: Any) -> Iterator[Job]:
    """Run a workflow step; send what it prints to the rule's log, and write down what it cost.

    An error of ours becomes one line at the end of the log; anything else keeps its traceback.
    A job that has asked for no GPU sees none. What a training wrote is looked at
    (:mod:`genreflow.promises`).
    ``output.cost`` gets seconds (wall time), processor_seconds (of all threads, and of processes
    that it started), peak_rss_mb (the largest memory of the process [MB]) and what the script adds.

    Parameters
    ----------
    snakemake
        The object that Snakemake gives to a script.
    """
    started = time.perf_counter()
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    fix_arithmetic(snakemake.threads)
    if not snakemake.resources.get("gpu"):
        hide_gpu()
    log = Path(snakemake.log[0])
    try:
        _write_to(log)
        running = Job(parse(snakemake.config))
        yield running
        cost = {
            "seconds": round(time.perf_counter() - started, 3),
            "processor_seconds": round(sum(os.times()[:4]), 3),
            "peak_rss_mb": round(peak_rss_mb(), 1),
        }
        if predictions := getattr(snakemake.output, "predictions_parquet", None):
            # NumPy heeds the threads that are set when it is imported.
            from genreflow import registry
            from genreflow.promises import check_training

            check_training(registry.entry(snakemake.params.name), Path(predictions).parent)
        write_json(cost | running.cost, Path(snakemake.output.cost))
    except GenreflowError as error:
        _fail(error)
    except Exception as error:
        from genreflow.disk import explain

        if told := explain(error, Path(snakemake.output[0]).parent):
            _fail(told)
        raise


def _write_to(log: Path) -> None:
    """Send to `log` what this process prints, and what C libraries print in it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


def _fail(error: GenreflowError) -> NoReturn:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    raise SystemExit(1) from None


def _end_with(parent: int) -> None:
    """End this process once it is nobody's child.

    Where Snakemake alone is killed (by the system, for memory), its jobs would work on, beside
    those of the next run and on the memory that is short.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    print("The run that started this job has ended; so does the job.", file=sys.stderr, flush=True)
    os._exit(1)


def peak_rss_mb() -> float:
    """Return the largest resident memory that this process has had [MB]."""
    # On Linux, getrusage counts what the parent held when it forked: Snakemake, whatever its size.
    with suppress(OSError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
