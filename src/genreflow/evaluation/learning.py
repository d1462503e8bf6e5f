"""Learning curves of the models that train in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

_MEASURES = ["loss", "accuracy", "val_loss", "val_accuracy"]


def read_histories(
    histories: Mapping[str, Sequence[Path]], facts: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> pd.DataFrame:
    """Join the ``history.csv`` files of all models and folds.

    Parameters
    ----------
    histories
        Files per model, one for each fold.
    facts
        Per model and fold what ``model.json`` says; ``best["epoch"]`` is the epoch that was kept.

    Returns
    -------
    DataFrame
        Columns model, fold, epoch (from 1), loss, accuracy, val_loss, val_accuracy, kept:
        whether the model is what it was after this epoch.
    """
    parts = []
    for model, paths in histories.items():
        for path in sorted(paths):
            history = pd.read_csv(path)
            if history.empty:
                continue
            history = history.reindex(columns=["epoch", *_MEASURES])
            history["epoch"] += 1 - history["epoch"].min()
            history.insert(0, "fold", path.parent.name)
            history.insert(0, "model", model)
            kept = facts[model][path.parent.name]["best"].get("epoch")
            history["kept"] = history["epoch"] == kept
            parts.append(history)
    if not parts:
        return pd.DataFrame(columns=["model", "fold", "epoch", *_MEASURES, "kept"])
    return pd.concat(parts, ignore_index=True)


def mean_validation_accuracy(curves: pd.DataFrame) -> pd.DataFrame:
    """Average validation accuracy over folds: model, epoch, val_accuracy.

    Epochs that not every fold reached are left out: their mean would jump where a fold stops.
    """
    folds = curves.groupby("model")["fold"].nunique()
    means = curves.groupby(["model", "epoch"])["val_accuracy"].agg(["mean", "size"]).reset_index()
    complete = means[means["size"] == means["model"].map(folds)]
    return complete.rename(columns={"mean": "val_accuracy"})[["model", "epoch", "val_accuracy"]]
