"""What a release knows of its corpus, beside its models: which sounds are like it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow import lineage
from genreflow.features.handcrafted.read import read_handcrafted
from genreflow.folds import fold_names
from genreflow.models.familiarity import Familiarity
from genreflow.params import Params
from genreflow.prediction.familiar import Acquaintance
from genreflow.registry import handcrafted


def acquaint(params: Params, features: Sequence[Path], splits: pd.DataFrame) -> Acquaintance:
    """Return what tells how familiar a sound is, learnt from the first fold.

    Its validation tracks say how far from the training tracks others like them lie.

    Parameters
    ----------
    params
        All parameters.
    features
        Handcrafted features of all shards.
    splits
        Columns fold, track_id, genre, role.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        The features were made by other parameters.
    """
    kind = handcrafted.KIND
    table = read_handcrafted(features, lineage.stamp(kind.name, params))
    fold = splits[splits["fold"] == fold_names(params.splits)[0]]
    table = table.drop(columns="genre").merge(fold, on="track_id", validate="one_to_one")
    names = [name for name in table.columns if name not in fold.columns]
    values = table[names].to_numpy(dtype=np.float32)
    label, _ = pd.factorize(table["genre"], sort=True)
    train, valid = (table["role"].to_numpy() == role for role in ("train", "valid"))
    learnt = Familiarity.learnt(values[train], label[train], values[valid])
    return Acquaintance(learnt, params.at(kind.section))
