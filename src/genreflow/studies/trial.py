"""One model on some folds, in memory: trained, tested, and forgotten."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow import registry
from genreflow.columns import column_of
from genreflow.evaluation.intervals import proportion_interval
from genreflow.features.rows import FeatureRows, Floats, Integers
from genreflow.models.base import READ_ROWS, Model
from genreflow.params import Params
from genreflow.training import fit, open_features

log = logging.getLogger(__name__)

Features = Mapping[str, Sequence[Path]]
"""Features of all shards, by their kind."""


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes
    ----------
    tested
        One row per fold and test track: track_id, group, right.
    n_train
        Training tracks of a fold, mean over folds.
    """

    tested: pd.DataFrame
    n_train: float

    def summary(self) -> dict[str, Any]:
        """Return n (test tracks), n_train and accuracy."""
        return {
            "n": len(self.tested),
            "n_train": round(self.n_train, 1),
            "accuracy": float(self.tested["right"].mean()),
        }

    def interval(self, confidence: float) -> dict[str, float]:
        """Return low and high of the accuracy; nothing where all test tracks are of one group."""
        right = self.tested["right"].to_numpy(dtype=float)
        found = proportion_interval(right, self.tested["group"].tolist(), confidence)
        return {} if found is None else {"low": found.low, "high": found.high}


def track_probabilities(
    model: Model[Any], found: FeatureRows, tracks: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return a model's probabilities of some tracks, (tracks, genres): the mean over their rows.

    They need not be of a genre that the model knows. Copies of a track have no say.
    """
    number, rows = _own_rows(found, tracks)
    sums = np.zeros((len(tracks), len(model.signature.genres)))
    for start in range(0, len(rows), READ_ROWS):
        batch = slice(start, start + READ_ROWS)
        np.add.at(sums, number[batch], model.predict_proba(found.source.read(rows[batch])))
    means: npt.NDArray[np.float64] = sums / np.bincount(number, minlength=len(tracks))[:, None]
    return means


def track_rows(found: FeatureRows, tracks: Sequence[str]) -> Floats:
    """Return features of one row a track, (tracks, ...)."""
    number, rows = _own_rows(found, tracks)
    return found.source.read(rows[np.argsort(number)])


def _own_rows(found: FeatureRows, tracks: Sequence[str]) -> tuple[Integers, Integers]:
    """Return the rows of some tracks without their copies, and before them whose they are."""
    place = {track: i for i, track in enumerate(tracks)}
    number = np.array([place.get(track, -1) for track in found.track_id])[found.row_track]
    rows = np.flatnonzero((number >= 0) & (found.row_copy == 0))
    return number[rows], rows


def run_trial(
    model: str, folds: Sequence[pd.DataFrame], params: Params, features: Features, splits: Path
) -> Trial:
    """Train a model on each fold and decide its test tracks by soft vote.

    Parameters
    ----------
    model
        One of :data:`genreflow.registry.PROBES`.
    folds
        Columns track_id, genre, group, role.
    params
        All parameters.
    features, splits
        What to read; the splits say which audio the features must be of.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError, genreflow.training.TrainingError
        The features are of other parameters or audio, or lack tracks.
    """
    params = params.of_training(model, 0)
    paths = [path for kind in registry.kinds_of(model) for path in features[kind.name]]
    tested, n_train = [], []
    with closing(open_features(model, params, paths, splits)) as found:
        for number, fold in enumerate(folds):
            log.info("%s, %d of %d", model, number + 1, len(folds))
            fitted = fit(model, fold, params, found)
            n_train.append(fitted.n_tracks("train"))
            genres = np.array(fitted.model.signature.genres)
            windows = fitted.predict(found, "test")
            columns = [column_of(genre) for genre in genres]
            means = windows.groupby("track_id")[columns].mean()
            rows = fold.set_index("track_id").loc[means.index]
            decided = genres[means.to_numpy().argmax(axis=1)]
            tested.append(
                pd.DataFrame(
                    {
                        "track_id": means.index,
                        "group": rows["group"].to_numpy(),
                        "right": decided == rows["genre"].to_numpy(),
                    }
                )
            )
    return Trial(pd.concat(tested, ignore_index=True), float(np.mean(n_train)))
