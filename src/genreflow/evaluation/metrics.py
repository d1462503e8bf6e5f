"""Point estimates: accuracy, precision, recall, F1, confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from genreflow.evaluation.predictions import Codes
from genreflow.folds import fold_order


@dataclass(frozen=True)
class Scores:
    """Accuracy and macro averages, all between 0 and 1."""

    accuracy: float
    precision_macro: float
    recall_macro: float
    f1_macro: float


def scores(actual: Codes, predicted: Codes) -> Scores:
    """Score decisions; macro averages run over the genres that occur in `actual`.

    A genre that is never predicted has a precision, and so an F1, of zero.
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, labels=np.unique(actual), average="macro", zero_division=0.0
    )
    return Scores(
        float(accuracy_score(actual, predicted)), float(precision), float(recall), float(f1)
    )


def per_genre(actual: Codes, predicted: Codes, genres: tuple[str, ...]) -> pd.DataFrame:
    """Return genre, precision, recall, f1 and support for the genres that occur in `actual`."""
    labels = np.unique(actual)
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=labels, average=None, zero_division=0.0
    )
    return pd.DataFrame(
        {
            "genre": [genres[label] for label in labels],
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": support,
        }
    )


def confusion(actual: Codes, predicted: Codes, n_genres: int) -> npt.NDArray[np.int64]:
    """Count decisions; rows are the true genres, columns the predicted ones."""
    counts: npt.NDArray[np.int64] = confusion_matrix(actual, predicted, labels=np.arange(n_genres))
    return counts


def per_fold(folds: pd.Series[str], actual: Codes, predicted: Codes) -> pd.DataFrame:
    """Return fold, n, accuracy and f1_macro, one row per fold."""
    rows = []
    for fold in sorted(folds.unique(), key=fold_order):
        here = (folds == fold).to_numpy()
        of_fold = scores(actual[here], predicted[here])
        rows.append(
            {
                "fold": fold,
                "n": int(here.sum()),
                "accuracy": of_fold.accuracy,
                "f1_macro": of_fold.f1_macro,
            }
        )
    return pd.DataFrame(rows)
