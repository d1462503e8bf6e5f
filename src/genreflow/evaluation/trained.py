"""What training left of each model besides predictions: facts, grids, importances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genreflow.store.files import file_sha256, read_json

Files = Mapping[str, Sequence[Path]]
"""Files of one name per model, one for each training, which the folder around the file names."""

_FACTS = ("best", "n_parameters", "model_bytes", "n_train", "n_valid")


def model_facts(metadata: Files, predictions: Files) -> dict[str, dict[str, dict[str, Any]]]:
    """Gather what ``model.json`` says.

    Returns
    -------
    dict
        Model, training, and then: best (what training chose), n_parameters, model_bytes, n_train
        and n_valid (tracks learnt from, and tracks that chose a number), and predictions_sha256,
        which tells whether a measured cost belongs to the model.
    """
    return {
        model: {
            path.parent.name: {name: said[name] for name in _FACTS}
            | {"predictions_sha256": file_sha256(of_fold)}
            for path, of_fold in zip(sorted(paths), sorted(predictions[model]), strict=True)
            for said in [read_json(path)]
        }
        for model, paths in metadata.items()
    }


def grids(tables: Files) -> pd.DataFrame:
    """Join the ``cv.csv`` files: model, fold (or training), params (JSON), mean, std, rank."""
    columns = ["model", "fold", "params", "mean", "std", "rank"]
    parts = [
        pd.read_csv(path).assign(model=model, fold=path.parent.name)
        for model, paths in tables.items()
        for path in sorted(paths)
    ]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def importances(tables: Files) -> pd.DataFrame:
    """Average the ``importance.csv`` files: model, feature, gain (mean), the largest first."""
    columns = ["model", "feature", "gain"]
    parts = []
    for model, paths in tables.items():
        folds = [pd.read_csv(path, index_col="feature")["gain"] for path in sorted(paths)]
        mean = pd.concat(folds, axis=1).fillna(0).mean(axis=1)
        table = mean.rename_axis("feature").rename("gain").reset_index().assign(model=model)
        parts.append(table.sort_values(["gain", "feature"], ascending=[False, True]))
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
