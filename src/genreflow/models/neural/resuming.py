"""What a killed training of a network needs to go on, with the same bytes in the end.

Keras's own ``BackupAndRestore`` keeps weights and optimizer, but forgets the early stopping with
its best weights, the history and the state of dropout's seeds; it recognises no state of another
training, and a kill while it writes leaves half a file. Batches need no state: their seeds are the
epoch's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import keras

from genreflow.models import runtime
from genreflow.models.checkpoint import Array, Checkpoint

log = logging.getLogger(__name__)

_STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")


class Resuming(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Keep the state after each epoch, and put it back when the training starts.

    Parameters
    ----------
    checkpoint
        Where it is kept.
    stop, history
        The other callbacks that have a state.
    epochs
        After which the training ends.
    """

    def __init__(self, checkpoint: Checkpoint, stop: Any, history: Any, epochs: int) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._stop = stop
        self._history = history
        self._epochs = epochs
        self._found: tuple[dict[str, Array], dict[str, Any]] | None = None

    def load(self) -> int:
        """Look for a state; return the epoch to begin with, counted from 0."""
        self._found = self._checkpoint.load(runtime.keras_environment())
        if self._found is None:
            return 0
        _, facts = self._found
        self._history.history.update(facts["history"])
        log.info("going on after epoch %d", len(facts["history"]["loss"]))
        return int(facts["next_epoch"])

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Put the state back; the other callbacks have just forgotten theirs."""
        if self._found is None:
            return
        arrays, facts = self._found
        self._found = None
        for name, variable in self._variables():
            variable.assign(arrays[name])
        for name in _STOPPING:
            setattr(self._stop, name, facts["stopping"][name])
        best = facts["best_weights"]
        self._stop.best_weights = [arrays[f"best{i}"] for i in range(best)] or None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the state, unless the last one is so young that writing would cost too much."""
        if self._checkpoint.due():
            ended = self.model.stop_training
            facts = {
                "next_epoch": self._epochs if ended else epoch + 1,
                "history": self._history.history,
                "stopping": {name: getattr(self._stop, name) for name in _STOPPING},
                "best_weights": len(self._stop.best_weights or ()),
            }
            self._checkpoint.save(self._arrays(), facts)

    def _arrays(self) -> Iterator[tuple[str, Array]]:
        for name, variable in self._variables():
            yield name, variable.numpy()
        for i, values in enumerate(self._stop.best_weights or ()):
            yield f"best{i}", values

    def _variables(self) -> Iterator[tuple[str, Any]]:
        """Yield weights, statistics, seeds and the optimizer's variables, in a fixed order."""
        # As a callback's `model`: there a backend that trains on a copy brings it up to date.
        model = self.model
        for i, variable in enumerate([*model.variables, *model.optimizer.variables]):
            yield f"variable{i}", variable
