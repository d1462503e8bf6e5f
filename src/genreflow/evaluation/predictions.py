"""The predictions of one model, over all of its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow import lineage
from genreflow.columns import OF_PREDICTIONS, genre_of
from genreflow.errors import GenreflowError
from genreflow.folds import name_order, parse_training
from genreflow.params import Params
from genreflow.store.tables import read_table

WHOLE_TRACK = -1
"""The window number in predictions of models that see a track as a whole."""

Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

_KEYS = ["fold", "seed", *OF_PREDICTIONS]


class PredictionsError(GenreflowError):
    """A predictions file holds something that can't be evaluated; the message names it."""


@dataclass(frozen=True)
class Predictions:
    """Rows of probabilities, one per track or window.

    Attributes
    ----------
    keys
        Columns fold, seed (the number of the training, from 0), track_id, window, genre (the true
        one) and role; a plain index.
    probabilities
        Shape (rows, genres); every row sums to one.
    genres
        The names of the probability columns.
    """

    keys: pd.DataFrame
    probabilities: Floats
    genres: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def actual(self) -> Codes:
        """The true genres as positions in `genres`."""
        return np.asarray(
            pd.Index(self.genres).get_indexer(pd.Index(self.keys["genre"])), dtype=np.intp
        )

    @cached_property
    def predicted(self) -> Codes:
        """The most probable genres; ties go to the first in the order of `genres`."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.intp)

    @cached_property
    def index(self) -> pd.MultiIndex:
        """What identifies a row of one seed: fold, track_id, window."""
        return pd.MultiIndex.from_frame(self.keys[["fold", "track_id", "window"]])

    @property
    def per_window(self) -> bool:
        """Whether rows are windows rather than whole tracks."""
        return bool((self.keys["window"] != WHOLE_TRACK).any())

    def select(self, rows: npt.NDArray[np.bool_] | Codes) -> Predictions:
        """Keep the rows of a mask, or the rows at these positions in this order."""
        return Predictions(
            self.keys[rows].reset_index(drop=True)
            if rows.dtype == np.bool_
            else self.keys.iloc[rows].reset_index(drop=True),
            self.probabilities[rows],
            self.genres,
        )

    def right(self) -> pd.Series[float]:
        """Return how often each row of :attr:`index` is right: the mean over seeds."""
        hit = pd.Series((self.actual == self.predicted).astype(float), index=self.index)
        if (self.keys["seed"] == 0).all():
            return hit
        return hit.groupby(level=[0, 1, 2], sort=False).mean()

    def of_first_seed(self) -> Predictions:
        """Keep one training of each fold."""
        return self.select((self.keys["seed"] == 0).to_numpy())

    def of_role(self, role: str) -> Predictions:
        """Keep the rows of one role, ``"valid"`` or ``"test"``."""
        return self.select((self.keys["role"] == role).to_numpy())


def read_predictions(params: Params, model: str, paths: Sequence[Path]) -> Predictions:
    """Read and join the trainings of `model`; the folder of a file names fold and seed.

    Raises
    ------
    PredictionsError
        Trainings that know different genres, probabilities that don't sum to one, or an unknown
        true genre.
    genreflow.store.stamp.StaleArtifactError
        A file was made by other parameters.
    """
    paths = sorted(paths, key=lambda path: name_order(path.parent.name))
    parts = [_read_training(params, model, path) for path in paths]
    genres = parts[0].genres
    for path, part in zip(paths, parts, strict=True):
        if part.genres != genres:
            raise PredictionsError(
                f"{path}: knows the genres {list(part.genres)}, another fold of {model} knows "
                f"{list(genres)}; delete the model's folder and rerun `snakemake`."
            )
    keys = pd.concat([part.keys for part in parts], ignore_index=True)
    return Predictions(keys, np.concatenate([part.probabilities for part in parts]), genres)


def _read_training(params: Params, model: str, path: Path) -> Predictions:
    fold, number = parse_training(path.parent.name)
    table = read_table(path, lineage.of_predictions(model, params.of_training(model, number)))
    table = table.assign(fold=fold, seed=number)
    columns = [column for column in table.columns if column not in _KEYS]
    genres = tuple(genre_of(column) for column in columns)
    table = table.sort_values(["track_id", "window"], kind="stable", ignore_index=True)
    probabilities = table[columns].to_numpy(np.float64)
    unknown = sorted(set(table["genre"]) - set(genres))
    if unknown:
        raise PredictionsError(
            f"{path}: holds tracks of {unknown} but has no probability column for them; "
            "delete it and rerun `snakemake`."
        )
    sums = probabilities.sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(sums - 1) < 1e-3))
    if wrong.size:
        row = int(wrong[0])
        raise PredictionsError(
            f"{path}: the probabilities of {table['track_id'][row]} (window "
            f"{table['window'][row]}) sum to {sums[row]:.4g} instead of 1 "
            f"({wrong.size} such rows); the model's training failed."
        )
    return Predictions(table[_KEYS], probabilities / sums[:, None], genres)
