"""What a killed training of a network needs to go on, with the same bytes in the end.

Keras's own ``BackupAndRestore`` keeps weights and optimizer, but forgets the history and the state
of dropout's seeds; it recognises no state of another training, and a kill while it writes leaves
half a file. Batches need no state: their seeds are the epoch's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import keras

from genreflow.models import runtime
from genreflow.models.checkpoint import Array, Checkpoint

log = logging.getLogger(__name__)


class Resuming(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Keep the state after each epoch, and put it back when the training starts.

    Parameters
    ----------
    checkpoint
        Where it is kept.
    history
        The other callback that has a state.
    """

    def __init__(self, checkpoint: Checkpoint, history: Any) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._history = history
        self._found: tuple[dict[str, Array], dict[str, Any]] | None = None

    def load(self) -> int:
        """Look for a state; return the epoch to begin with, counted from 0."""
        self._found = self._checkpoint.load(runtime.keras_environment())
        if self._found is None:
            return 0
        _, facts = self._found
        self._history.history.update(facts["history"])
        epochs = len(facts["history"]["loss"])
        log.info("going on after epoch %d", epochs)
        return epochs

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Put the state back."""
        if self._found is None:
            return
        arrays, _ = self._found
        self._found = None
        for name, variable in self._variables():
            variable.assign(arrays[name])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the state, unless the last one is so young that writing would cost too much."""
        if self._checkpoint.due():
            arrays = ((name, variable.numpy()) for name, variable in self._variables())
            self._checkpoint.save(arrays, {"history": self._history.history})

    def _variables(self) -> Iterator[tuple[str, Any]]:
        """Yield weights, statistics, seeds and the optimizer's variables, in a fixed order."""
        # As a callback's `model`: there a backend that trains on a copy brings it up to date.
        model = self.model
        for i, variable in enumerate([*model.variables, *model.optimizer.variables]):
            yield f"variable{i}", variable
