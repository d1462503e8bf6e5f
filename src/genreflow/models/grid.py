"""What the two models of handcrafted features share: the grid search, and honest estimates.

Scaler and feature selection are steps of the pipeline, so that they are fitted anew inside every
inner fold, and no group crosses the inner folds. The final model is fitted on training and
validation tracks together; the validation tracks' probabilities are therefore taken out of fold.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_selection import SelectPercentile, f_classif
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from genreflow.features.rows import Floats, Integers
from genreflow.models import runtime
from genreflow.models.base import Examples
from genreflow.registry.grid import GridSection

log = logging.getLogger(__name__)

Folds = list[tuple[Integers, Integers]]
Scorer = Callable[[Any, Floats, Integers], float]
TRUSTED = frozenset({"sklearn.feature_selection._univariate_selection.f_classif"})
"""What skops must be told to trust in a saved :func:`preparation`."""


def preparation(selected_fraction: float = 1.0) -> Pipeline:
    """Return the scaler and the selection by ANOVA F."""
    percentile = 100 * selected_fraction
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("select", SelectPercentile(f_classif, percentile=percentile)),
        ]
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep each fit to one thread, and silent about features that never change.

    Such a feature has no F; the selection ranks it last.
    """
    with runtime.limited(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn.feature_selection")
        yield


def pooled(train: Examples, valid: Examples) -> tuple[Floats, Integers, Integers]:
    """Return values, labels and groups of training and validation tracks together."""
    parts = (train, valid)
    values = np.concatenate([part.read(np.arange(len(part))) for part in parts])
    label = np.concatenate([part.label for part in parts])
    return values, label, np.concatenate([part.group for part in parts])


def inner_folds(label: Integers, group: Integers, params: GridSection) -> Folds:
    """Divide into stratified folds that no group crosses.

    There are fewer folds than asked for where a genre has fewer tracks than that.
    """
    count = min(params.inner_folds, int(np.bincount(label).min()), len(np.unique(group)))
    splitter = StratifiedGroupKFold(max(count, 2), shuffle=True, random_state=params.seed)
    return list(splitter.split(np.zeros(len(label)), label, group))


def search(
    classifier: Any,
    grid: Mapping[str, Sequence[Any]],
    data: tuple[Floats, Integers, Integers],
    params: GridSection,
    *,
    scoring: str | Scorer = "accuracy",
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Try every combination of selection and hyperparameters.

    Parameters
    ----------
    classifier
        An estimator; `grid` maps its parameters to their candidates.
    data
        Values, labels and groups.
    scoring
        How a fitted candidate is judged.

    Returns
    -------
    best : dict
        ``selected_fraction`` and the classifier's parameters.
    table : DataFrame
        One row per candidate, the best first: params (JSON), mean, std, rank of the accuracy.
    """
    values, label, group = data
    pipeline = Pipeline([*preparation().steps, ("classify", classifier)])
    candidates = {
        "select__percentile": [100 * fraction for fraction in params.selected_fraction],
        **{f"classify__{name}": list(choices) for name, choices in grid.items()},
    }
    folds = inner_folds(label, group, params)
    searched = GridSearchCV(
        pipeline,
        candidates,
        cv=folds,
        scoring=scoring,
        refit=False,
        n_jobs=params.threads,
        # A candidate that can't be scored must not win in silence.
        error_score="raise",
    )
    searched.fit(values, label)
    results = searched.cv_results_
    table = pd.DataFrame(
        {
            "params": [json.dumps(_plain(found), sort_keys=True) for found in results["params"]],
            "mean": results["mean_test_score"],
            "std": results["std_test_score"],
            "rank": results["rank_test_score"],
        }
    ).sort_values("rank", kind="stable", ignore_index=True)
    log.info(
        "grid of %d: best accuracy %.3f with %s", len(table), table["mean"][0], table["params"][0]
    )
    return json.loads(table["params"][0]), table


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Name the parameters of a candidate as params.yaml does."""
    return {
        name.partition("__")[2]: value
        for name, value in found.items()
        if name != "select__percentile"
    } | {"selected_fraction": found["select__percentile"] / 100}


def accuracy_of_the_most_probable(classifier: Any, values: Floats, label: Integers) -> float:
    """Score a classifier by its probabilities, for one whose own decisions can't be had."""
    return float((classifier.predict_proba(values).argmax(axis=1) == label).mean())


def out_of_fold(
    fit_predict: Callable[[Floats, Integers, Integers, Floats], Floats],
    data: tuple[Floats, Integers, Integers],
    n_genres: int,
    params: GridSection,
) -> Floats:
    """Return probabilities, (n, n_genres), each from a model that hasn't seen the row's group.

    Parameters
    ----------
    fit_predict
        Called with values, labels and groups to fit on and values to predict.
    data
        Values, labels and groups.
    """
    values, label, group = data
    probabilities = np.empty((len(label), n_genres), dtype=np.float32)
    for seen, unseen in inner_folds(label, group, params):
        probabilities[unseen] = fit_predict(values[seen], label[seen], group[seen], values[unseen])
    return probabilities


def as_float(values: npt.ArrayLike) -> Floats:
    """Return single precision, which is what predictions are stored in."""
    return np.asarray(values, dtype=np.float32)
