"""Whether more data would help: a learning curve over the size of the corpus.

Two cheap models are trained on parts of the training tracks, whole artists at a time, and tested on
the same test tracks. Where accuracy still rises from half of the tracks to all, more would help.

References
----------
C. Perlich, "Learning curves in machine learning", Encyclopedia of Machine Learning, 2010.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from genreflow import lineage
from genreflow.folds import repeat_of
from genreflow.params import Params
from genreflow.registry import PROBES
from genreflow.store.files import write_json
from genreflow.store.tables import read_table
from genreflow.studies.trial import Features, run_trial
from genreflow.tracks.assignment import carve


def corpus_size_curve(params: Params, features: Features, splits: Path, out: Path) -> None:
    """Train the probes on parts of the training tracks, and write how accurate they are.

    Parameters
    ----------
    params
        All parameters.
    features
        Of all shards, by kind.
    splits
        The splits; of several repeats, the first is used.
    out
        JSON to write: points, a list of model, fraction, n, n_train, accuracy, low, high; or
        skipped, the reason why nothing was trained.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    if not params.corpus_size.enabled:
        write_json({"skipped": "corpus_size.enabled is false"}, out)
        return
    table = read_table(splits, lineage.stamp("splits", params))
    folds = [
        fold for name, fold in table.groupby("fold") if repeat_of(str(name), params.splits) == 0
    ]
    points = []
    for model in PROBES:
        for fraction in sorted(set(params.corpus_size.fractions)):
            parts = [_part(fold, fraction, f"{params.splits.seed}/size") for fold in folds]
            trial = run_trial(model, parts, params, features, splits)
            interval = trial.interval(params.evaluation.confidence)
            points.append({"model": model, "fraction": fraction, **trial.summary(), **interval})
    write_json({"points": points}, out)


def _part(fold: pd.DataFrame, fraction: float, salt: str) -> pd.DataFrame:
    """Keep about a share of each genre's training tracks, whole groups of them."""
    if fraction == 1:
        return fold
    train = fold[fold["role"] == "train"]
    kept = train.index[carve(train, fraction, salt)]
    # A model needs a track of each genre, even where every group is larger than the share.
    lacking = ~train["genre"].isin(train.loc[kept, "genre"])
    first = train[lacking].drop_duplicates("genre").index
    return pd.concat([fold[fold["role"] != "train"], train.loc[kept.union(first)]])
