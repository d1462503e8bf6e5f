"""One model on some folds, in memory: trained, tested, and forgotten."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import registry
from genreflow.columns import column_of
from genreflow.evaluation.intervals import proportion_interval
from genreflow.params import Params
from genreflow.training import fit, open_features

log = logging.getLogger(__name__)

Features = Mapping[str, Sequence[Path]]
"""Features of all shards, by their kind."""


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Parameters
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
