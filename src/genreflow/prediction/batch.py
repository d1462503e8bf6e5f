"""Hear many files, here or in several processes, and hand out the answers as they come."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, TypeVar

from genreflow.errors import GenreflowError
from genreflow.threads import without_collection, without_native_notices

if TYPE_CHECKING:
    from genreflow.prediction.answer import Answer
    from genreflow.prediction.classifier import Classifier
    from genreflow.prediction.inputs import Input
    from genreflow.prediction.release import Release

T = TypeVar("T")

_ALL_TRACKS = "all tracks"
"""What a release was trained on, and no fold is."""

_WAITING = 2
"""Files per process that are handed out beforehand, so that none waits for the next."""

_A_MOMENT = 0.1
"""How long Ctrl-C may go unnoticed [s]."""


class BatchError(GenreflowError):
    """A process that heard files has ended without an answer."""


@dataclass(frozen=True)
class Source:
    """Which classifier hears.

    Attributes
    ----------
    model
        Folder or name, as :func:`genreflow.prediction.load.load` takes it; None for the best.
    folds
        Whether all trainings of the model are averaged.
    first
        Seconds of a file that are heard; None for all of it.
    familiar
        Whether it is to say how familiar files are.
    """

    model: str | None = None
    folds: bool = False
    first: float | None = None
    familiar: bool = False

    def label(self, release: Release) -> str:
        """Say in a word who answers, and what of a file is heard."""
        trainings = "+".join(member.folder for member in release.members)
        trained = "" if release.trained_on == _ALL_TRACKS else f"/{trainings}"
        return f"{release.name}{trained}{f', first {self.first:g} s' if self.first else ''}"

    def hear(self, classifier: Classifier, path: str) -> Answer:
        """Return what is said of a file."""
        return classifier.hear(path, self.first, familiar=self.familiar)

    def load(self) -> Classifier:
        """Load the classifier.

        Raises
        ------
        genreflow.models.base.ModelFileError
            There is no such model, or it can't be read.
        """
        with without_collection():
            from genreflow.prediction.load import RELEASES, load, load_folds
            from genreflow.prediction.release import read_index

            if not self.folds:
                return load(RELEASES if self.model is None else self.model)
            return load_folds(read_index(RELEASES).best if self.model is None else self.model)


class Here:
    """Hears in this process.

    Parameters
    ----------
    source
        Which classifier hears.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._classifier = source.load()
        self.release = self._classifier.release

    def answers(self, inputs: Iterable[Input]) -> Iterator[Answer]:
        """Yield what is said of each file, in their order."""
        for item in inputs:
            known = _known(item, self.release)
            yield known or self._source.hear(self._classifier, item.path)


class Workers:
    """Hears in several processes, each of which loads the classifier once and uses one thread.

    Parameters
    ----------
    source
        Which classifier hears.
    jobs
        Processes.
    """

    release: Release

    def __init__(self, source: Source, jobs: int) -> None:
        self._source = source
        self._jobs = jobs
        # Forked processes would share locks and threads that they don't have.
        spawned = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(jobs, spawned, initializer=_begin)

    def start(self) -> None:
        """Start the processes, and learn of the classifier.

        Raises
        ------
        genreflow.models.base.ModelFileError
            There is no such model, or it can't be read.
        BatchError
            A process ended on its own.
        """
        with _without_interrupts():
            about = self._pool.submit(_about, self._source)
        with _undisturbed() as pressed:
            _first_done({about}, pressed)
        self.release, warnings = _result(about)
        for warning in warnings:
            logging.getLogger(__name__).warning("%s", warning)

    def answers(self, inputs: Iterable[Input]) -> Iterator[Answer]:
        """Yield what is said of each file, as it comes.

        Raises
        ------
        BatchError
            A process ended on its own.
        """
        left = iter(inputs)
        running: set[Future[Answer]] = set()
        while True:
            for item in islice(left, _WAITING * self._jobs - len(running)):
                with _undisturbed():
                    running.add(self._submit(item))
            with _undisturbed() as pressed:
                done, running = _first_done(running, pressed)
            if not done:
                return
            for future in done:
                yield _result(future)

    def _submit(self, item: Input) -> Future[Answer]:
        if (known := _known(item, self.release)) is None:
            return self._pool.submit(_hear, self._source, item.path)
        future: Future[Answer] = Future()
        future.set_result(known)
        return future

    def stop(self) -> None:
        """End the processes, whatever they are at."""
        for process in multiprocessing.active_children():
            process.terminate()
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def listening(source: Source, jobs: int) -> Iterator[Here | Workers]:
    """Yield what hears files: in this process, or in `jobs` others if there are to be several."""
    if jobs == 1:
        yield Here(source)
        return
    workers = Workers(source, jobs)
    try:
        workers.start()
        yield workers
    finally:
        workers.stop()


def _known(item: Input, release: Release) -> Answer | None:
    """Return what is said of a file that needn't be opened."""
    from genreflow.prediction.answer import Answer

    return Answer(item.path, release.genres, reason=item.reason) if item.reason else None


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BrokenProcessPool:
        raise BatchError(
            "a process that heard files was ended by the system, most likely for want of memory; "
            "take fewer --jobs (with --resume, what is done isn't done again)"
        ) from None


@contextmanager
def _undisturbed() -> Iterator[list[int]]:
    """Let Ctrl-C wait for the end of the block, and yield what fills when it is pressed.

    In the midst of its work the pool would be left with locks that nobody gives back, and never
    end.
    """
    pressed: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield pressed
        return
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _first_done(
    running: set[Future[T]], pressed: list[int]
) -> tuple[set[Future[T]], set[Future[T]]]:
    """Wait until one of them is done, or Ctrl-C is pressed; return those done, and the others."""
    done: set[Future[T]] = set()
    while running and not done and not pressed:
        done, running = wait(running, timeout=_A_MOMENT, return_when=FIRST_COMPLETED)
    return done, running


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that leave Ctrl-C, which goes to all of them, to this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_remarks: list[str] = []
"""What loading said in a worker; one of them speaks for all."""


def _begin() -> None:
    """Make a worker quiet, and let it end with the process that it works for."""
    # Never left again: it lasts as long as the process.
    without_native_notices().__enter__()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: _remarks.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=[parent.sentinel], daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


@cache
def _classifier(source: Source) -> Classifier:
    return source.load()


def _about(source: Source) -> tuple[Release, list[str]]:
    return _classifier(source).release, _remarks


def _hear(source: Source, path: str) -> Answer:
    return source.hear(_classifier(source), path)
