"""Whether a training left what a model promises, so that a mistake in one is named where it is.

What is amiss would otherwise be judged in silence, or end a later step with a traceback. Nothing
here changes what is made.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.columns import OF_PREDICTIONS
from genreflow.errors import GenreflowError
from genreflow.models.base import ModelFileError
from genreflow.models.loading import load_model
from genreflow.models.reading import REMEDY
from genreflow.registry.entry import GRID, HISTORY, IMPORTANCE, PREDICTIONS, ModelEntry

COLUMNS = {
    HISTORY: ("epoch",),
    GRID: ("params", "mean", "std", "rank"),
    IMPORTANCE: ("feature", "gain"),
}
"""What every table that a training may leave has at least."""

_OFF = 1e-3
"""By how much probabilities may sum to something else than 1, as sums in single precision do."""


class PromiseError(GenreflowError):
    """A model's training left something else than every model promises."""


def check_training(entry: ModelEntry, folder: Path) -> None:
    """Look at what a training wrote.

    Parameters
    ----------
    entry
        The model.
    folder
        Of the training.

    Raises
    ------
    PromiseError
        Predictions aren't probabilities, a table lacks a column that later steps read, or the
        model can't be loaded.
    """
    _check_predictions(entry, folder)
    _check_tables(entry, folder)
    _check_loads(entry, folder)


def _check_predictions(entry: ModelEntry, folder: Path) -> None:
    table = pd.read_parquet(folder / PREDICTIONS)
    found = table.drop(columns=list(OF_PREDICTIONS)).to_numpy(dtype=np.float64)
    sums = found.sum(axis=1)
    if not (np.isfinite(found).all() and (found >= 0).all() and (abs(sums - 1) < _OFF).all()):
        row = int(np.argmax(~((abs(sums - 1) < _OFF) & (found >= 0).all(axis=1))))
        track, values = table["track_id"].iloc[row], ", ".join(f"{x:.3g}" for x in found[row])
        raise PromiseError(
            f"{entry.name}: predict_proba returned no probabilities of {track} ({values}); each "
            f"row must be of numbers from 0 to 1 that sum to 1, one for each genre in the order of "
            f"signature.genres; mend {entry.implementation}"
        )


def _check_tables(entry: ModelEntry, folder: Path) -> None:
    for name in set(entry.tables) & COLUMNS.keys():
        missing = set(COLUMNS[name]) - set(pd.read_csv(folder / name, nrows=0).columns)
        if missing:
            raise PromiseError(
                f"{entry.name}: {name} has no column {', '.join(sorted(missing))}; expected "
                f"{', '.join(COLUMNS[name])} (docs/reference-artifacts.md); mend the table in "
                f"what fit of {entry.implementation} returns"
            )


def _check_loads(entry: ModelEntry, folder: Path) -> None:
    try:
        load_model(folder)
    except ModelFileError as error:
        # Training anew, which the error proposes, would end here again.
        said = str(error).splitlines()[0].removesuffix(f"; {REMEDY}")
        raise PromiseError(
            f"{entry.name}: load can't read what save wrote: {said}; mend save and load of "
            f"{entry.implementation} (docs/add-a-model.md says how a model names its types)"
        ) from error
