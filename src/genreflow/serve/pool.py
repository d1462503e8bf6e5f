"""Worker processes that hear files, so that one that crashes a decoder ends no server."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from genreflow.serve.judge import RefusedError, judge

WAITING = 32
"""Most uploads that wait or are being heard."""


class Pool:
    """Some processes, and a queue of limited length.

    Parameters
    ----------
    jobs
        Files heard at the same time.
    most_seconds
        The longest file that is heard [s].
    """

    def __init__(self, jobs: int, most_seconds: float) -> None:
        self._jobs = jobs
        self._most_seconds = most_seconds
        self._busy = 0
        self._workers = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Forked, a worker would have the server's threads' locks, but not its threads.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_begin)

    @property
    def is_full(self) -> bool:
        """Whether another upload has to be turned away."""
        return self._busy >= WAITING

    async def judge(self, path: Path, models: Sequence[str]) -> dict[str, Any]:
        """Return :func:`genreflow.serve.judge.judge` of a file, once a process is free.

        Raises
        ------
        RefusedError
            The file can't be used, is too long, or crashed the process that heard it.
        """
        self._busy += 1
        workers = self._workers
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(workers, judge, path, models, self._most_seconds)
        except BrokenProcessPool:
            if self._workers is workers:
                self._workers = self._start()
            raise RefusedError(
                "crashed the decoder, or another file did at the time", 422
            ) from None
        finally:
            self._busy -= 1

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._workers.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the server, and cores to the other processes."""
    import signal

    from genreflow.threads import limit_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_threads(1)
