"""Point estimates: accuracy, precision, recall, F1, confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from genreflow.evaluation.predictions import Codes, Predictions
from genreflow.folds import name_order, repeat_of
from genreflow.params import Splits


@dataclass(frozen=True)
class Scores:
    """Accuracy and macro averages, all between 0 and 1.

    Balanced accuracy is macro recall under the name by which unbalanced corpora know it.
    """

    accuracy: float
    balanced_accuracy: float
    precision_macro: float
    recall_macro: float
    f1_macro: float


def scores(actual: Codes, predicted: Codes) -> Scores:
    """Score decisions; macro averages run over the genres that occur in `actual`.

    A genre that is never predicted has a precision, and so an F1, of zero.

    Parameters
    ----------
    actual, predicted
        (n,) genres as numbers.

    Returns
    -------
    Scores
        Shares between 0 and 1.

    Examples
    --------
    >>> scores(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])).accuracy
    0.75
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, labels=np.unique(actual), average="macro", zero_division=0.0
    )
    return Scores(
        float(accuracy_score(actual, predicted)),
        float(recall),
        float(precision),
        float(recall),
        float(f1),
    )


def per_genre(actual: Codes, predicted: Codes, genres: tuple[str, ...]) -> pd.DataFrame:
    """Return precision, recall and F1 for the genres that occur in `actual`.

    Parameters
    ----------
    actual, predicted
        (n,) genres as positions in `genres`.
    genres
        Their names.

    Returns
    -------
    DataFrame
        Columns genre, precision, recall, f1, and support: how many tracks the genre has.

    Examples
    --------
    >>> found = per_genre(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), ("jazz", "pop"))
    >>> found[["genre", "recall"]]
      genre  recall
    0  jazz     0.5
    1   pop     1.0
    """
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
    """Count decisions; rows are the true genres, columns the predicted ones.

    Parameters
    ----------
    actual, predicted
        (n,) genres as numbers.
    n_genres
        How many genres there are.

    Returns
    -------
    ndarray of shape (n_genres, n_genres)
        Numbers of tracks.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)
    array([[1, 1],
           [0, 2]])
    """
    counts: npt.NDArray[np.int64] = confusion_matrix(actual, predicted, labels=np.arange(n_genres))
    return counts


def per_fold(folds: pd.Series[str], actual: Codes, predicted: Codes) -> pd.DataFrame:
    """Return fold, n, accuracy, balanced_accuracy and f1_macro, one row per fold.

    Where a fold was trained with several seeds, n counts the decisions of all.
    """
    rows = []
    for fold in sorted(folds.unique(), key=name_order):
        here = (folds == fold).to_numpy()
        of_fold = scores(actual[here], predicted[here])
        rows.append({"fold": fold, "n": int(here.sum()), **_main(of_fold)})
    return pd.DataFrame(rows)


def per_run(decisions: Predictions, splits: Splits) -> pd.DataFrame:
    """Return repeat, seed, n, accuracy, balanced_accuracy and f1_macro of each whole run.

    A run is one way of dividing the tracks and one seed of the model, over all folds.
    """
    repeats = np.array([repeat_of(fold, splits) for fold in decisions.keys["fold"]])
    seeds = decisions.keys["seed"].to_numpy()
    rows = []
    for repeat, seed in sorted(set(zip(repeats.tolist(), seeds.tolist(), strict=True))):
        here = (repeats == repeat) & (seeds == seed)
        of_run = scores(decisions.actual[here], decisions.predicted[here])
        rows.append({"repeat": repeat, "seed": seed, "n": int(here.sum()), **_main(of_run)})
    return pd.DataFrame(rows)


def luck(runs: pd.DataFrame) -> dict[str, float]:
    """Tell how far runs lie apart: over ways of dividing, and over seeds on the same folds.

    Each repeat trains anew, so that the first holds the luck of training, too.

    Parameters
    ----------
    runs
        What :func:`per_run` returned.

    Returns
    -------
    dict
        Keys sd_repeats: standard deviation, over repeats, of the accuracy (mean over seeds);
        sd_seeds: that over seeds within a repeat (root of the mean variance). Each only where there
        are several.
    """
    table = runs.pivot(index="repeat", columns="seed", values="accuracy")
    found = {}
    if table.shape[0] > 1:
        found["sd_repeats"] = float(table.mean(axis=1).std(ddof=1))
    if table.shape[1] > 1:
        found["sd_seeds"] = float(np.sqrt(table.var(axis=1, ddof=1).mean()))
    return found


def _main(found: Scores) -> dict[str, float]:
    names = ("accuracy", "balanced_accuracy", "f1_macro")
    return {name: getattr(found, name) for name in names}
