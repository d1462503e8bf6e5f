"""Worker processes that hear files: one that a file crashes ends no server."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from genreflow.serve import judge
from genreflow.serve.refusal import RefusedError

WAITING = 32
"""Most uploads that arrive, wait or are being heard."""

_T = TypeVar("_T")


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
        self._taken = 0
        self._alone = asyncio.Lock()
        # Forked, a worker would have the server's threads' locks, but not its threads.
        self._context = multiprocessing.get_context("spawn")
        self._lifeline, self._end = self._context.Pipe(duplex=False)
        self._workers = self._start(jobs)

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            jobs, mp_context=self._context, initializer=_begin, initargs=(self._lifeline,)
        )

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place in the queue, as long as an upload is there.

        Raises
        ------
        RefusedError
            There is none.
        """
        if self._taken >= WAITING:
            raise RefusedError("too many files are waiting; try again in a minute", 503)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def judge(self, path: Path, models: Sequence[str]) -> dict[str, Any]:
        """Return :func:`genreflow.serve.judge.judge` of a file; see :meth:`_run`."""
        return await self._run(judge.judge, path, models, self._most_seconds)

    async def render(self, path: Path, model: str) -> None:
        """Do :func:`genreflow.serve.judge.render` to a file; see :meth:`_run`."""
        await self._run(judge.render, path, model, self._most_seconds)

    async def _run(self, work: Callable[..., _T], *about: object) -> _T:
        """Return what a process makes of a file, once one is free.

        Raises
        ------
        RefusedError
            The file can't be used, is too long, or crashes whoever hears it.
        """
        loop = asyncio.get_running_loop()
        workers = self._workers
        try:
            return await loop.run_in_executor(workers, work, *about)
        except BrokenProcessPool:
            if self._end.closed:
                raise RefusedError("the server is ending", 503) from None
            if self._workers is workers:
                self._workers = self._start(self._jobs)
        # Any of the files that were heard at the time did it: each is heard again, by itself.
        async with self._alone:
            workers = self._start(1)
            try:
                return await loop.run_in_executor(workers, work, *about)
            except BrokenProcessPool:
                raise RefusedError("crashes the decoder or the model", 422) from None
            finally:
                workers.shutdown(wait=False)

    def stop(self) -> None:
        """End the processes, whatever they are doing; may be called by a signal's handler."""
        self._end.close()

    def close(self) -> None:
        """End the processes, and let go of them."""
        self.stop()
        self._workers.shutdown(wait=False, cancel_futures=True)


def _begin(lifeline: Connection) -> None:
    """Be quiet, leave Ctrl-C to the server and cores to the others, and end with the server."""
    import signal
    import threading

    from genreflow.threads import fix_arithmetic, quieten_tensorflow, without_native_notices

    # Never left again: it lasts as long as the process.
    without_native_notices().__enter__()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fix_arithmetic(1)
    quieten_tensorflow()
    threading.Thread(target=_end_with, args=[lifeline], daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """Wait for the other end to be closed, which happens however the server ends."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)
