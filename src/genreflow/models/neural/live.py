"""What a training shows of itself while it lasts; what it makes depends on none of it."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import keras

from genreflow import tracking
from genreflow.registry.entry import HISTORY
from genreflow.store.files import write_csv

log = logging.getLogger(__name__)


class Growing(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Write ``history.csv`` after each epoch, beside the state of the training.

    Its columns are ``epoch``, ``epochs`` (how many there will be), ``seconds`` (that the epoch
    took; empty for those of a killed training) and the curves that are known so far. The history
    that lies beside the model is written at the end, from the same numbers.

    Parameters
    ----------
    folder
        Where the training keeps its state, which is removed when it is done.
    history
        The callback that collects the curves; it must come before this one.
    epochs
        How many there will be.
    """

    def __init__(self, folder: Path, history: Any, epochs: int) -> None:
        super().__init__()
        self._path = folder / HISTORY
        self._history = history
        self._epochs = epochs
        self._seconds: list[float | None] = []
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Remember when the epoch began."""
        self._seconds += [None] * (epoch - len(self._seconds))
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Write the epochs that are over."""
        import pandas as pd

        self._seconds.append(round(time.monotonic() - self._started, 3))
        table = pd.DataFrame(self._history.history)
        table.insert(0, "epoch", range(1, epoch + 2))
        table.insert(1, "epochs", self._epochs)
        table.insert(2, "seconds", self._seconds)
        try:
            write_csv(table, self._path)
        except OSError as error:
            # The training itself lacks nothing.
            log.warning("%s: can't be written (%s); going on", self._path, error.strerror)


class Tracked(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Pass epochs on to a tool's own callback, and go on without it when that fails.

    A server that is down must not end a training of hours.

    Parameters
    ----------
    tool
        As in :func:`genreflow.tracking.chosen`.
    folder
        Where it writes.
    """

    def __init__(self, tool: str, folder: Path) -> None:
        super().__init__()
        self._tool = tool
        self._folder = folder
        self._started = False
        self._callback: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the tool with the first epoch: its number says whether a training goes on."""
        if self._started:
            return
        self._started = True
        try:
            self._callback = tracking.callback(self._tool, self._folder, going_on=epoch > 0)
            self._callback.set_model(self.model)
        except Exception as error:  # whatever a tool raises is no fault of the training
            self._give_up(error)
        self._pass_on("on_train_begin", logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Pass on a copy: tools add to what they are given."""
        self._pass_on("on_epoch_end", epoch, dict(logs or {}))

    def on_train_end(self, logs: Any = None) -> None:
        """End what the tool began."""
        self._pass_on("on_train_end", logs)

    def _pass_on(self, hook: str, *arguments: Any) -> None:
        if self._callback is None:
            return
        try:
            getattr(self._callback, hook)(*arguments)
        except Exception as error:  # as above
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        log.warning("%s has failed (%r); going on without it", self._tool, error)
        self._callback = None


def live_callbacks(folder: Path, history: Any, epochs: int) -> list[Any]:
    """Return what shows a training that keeps its state in `folder`.

    Raises
    ------
    genreflow.tracking.TrackingError
        The environment asks for a tool that isn't there.
    """
    callbacks: list[Any] = [Growing(folder, history, epochs)]
    if tool := tracking.chosen():
        *_, model, training = folder.parts
        callbacks.append(Tracked(tool, folder.parents[2] / tracking.FOLDER / model / training))
    return callbacks
