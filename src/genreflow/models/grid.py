"""What the two models of handcrafted features share: preparation and grid search.

Scaler and feature selection are steps of the pipeline, so that they are fitted anew inside every
inner fold, and no group crosses the inner folds. Validation tracks take no part: every model of a
comparison learns from the same tracks.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_selection import SelectPercentile, f_classif
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from genreflow.features.rows import Floats, Integers
from genreflow.models import runtime
from genreflow.models.base import Examples
from genreflow.registry.grid import GridSection, Scaling

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

Folds = list[tuple[Integers, Integers]]
_QUANTILES = 100
_SCALERS = (QuantileTransformer, StandardScaler)
TRUSTED = frozenset({"sklearn.feature_selection._univariate_selection.f_classif"})
"""What skops must be told to trust in a saved :func:`preparation`."""


def preparation(scaling: Scaling, selected_fraction: float = 1.0) -> Pipeline:
    """Return the scaler and the selection by ANOVA F.

    By ranks, a value is scaled by its rank among those of training, as a normal distribution has
    it: what lies beyond all of them is bounded (by 5.2), whatever another recording chain did.

    Parameters
    ----------
    scaling
        As in params.yaml; "standard" brings each feature to mean 0 and variance 1, unbounded.
    selected_fraction
        Share of the features kept.
    """
    percentile = 100 * selected_fraction
    scalers = {
        "ranks": QuantileTransformer(
            n_quantiles=_QUANTILES, output_distribution="normal", subsample=None
        ),
        "standard": StandardScaler(),
    }
    return Pipeline(
        [
            ("scale", scalers[scaling]),
            ("select", SelectPercentile(f_classif, percentile=percentile)),
        ]
    )


def checked_preparation(loaded: Any, n_features: int) -> Pipeline:
    """Return what was loaded if it is a :func:`preparation`, fitted.

    Raises
    ------
    ValueError
        It consists of something else, or reads another number of features.
    """
    kinds = [[scaler, SelectPercentile] for scaler in _SCALERS]
    if type(loaded) is not Pipeline or [type(step) for _, step in loaded.steps] not in kinds:
        raise ValueError("consists of other steps than those of this model")
    scale, select = (step for _, step in loaded.steps)
    expected: list[tuple[Any, tuple[int, ...]]] = [(select.scores_, (n_features,))]
    if isinstance(scale, QuantileTransformer):
        n_quantiles = len(scale.references_)
        expected += [
            (scale.references_, (n_quantiles,)),
            (scale.quantiles_, (n_quantiles, n_features)),
        ]
    else:
        expected += [(scale.mean_, (n_features,)), (scale.scale_, (n_features,))]
    if any(type(array) is not np.ndarray or array.shape != shape for array, shape in expected):
        raise ValueError(f"reads another number of features than {n_features}, those of model.json")
    return loaded


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep each fit to one thread, and silent about features that never change.

    Such a feature has no F; the selection ranks it last.
    """
    with runtime.limited(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn.feature_selection")
        # Fewer tracks than quantiles: each is one.
        warnings.filterwarnings("ignore", "n_quantiles", UserWarning)
        # A genre with fewer tracks than there are inner folds.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield


def read(examples: Examples) -> tuple[Floats, Integers]:
    """Return values and labels of examples that fit into memory."""
    return examples.read(np.arange(len(examples))), examples.label


def inner_folds(tracks: Examples, params: GridSection) -> Folds:
    """Divide into stratified folds that no group crosses, and that all know every genre.

    A genre whose groups would all be held out at once, as the only artist of a rare genre is, stays
    in training for that fold. Where no genre has two groups, tracks are divided instead; where none
    has two tracks either, candidates are compared on what they were fitted on.
    """
    alone = np.arange(len(tracks))
    for divided in (tracks.group, alone):
        if folds := _divide(tracks.label, divided, params):
            return folds
        log.warning("no genre has two groups of training tracks: the grid search divides tracks")
    return [(alone, alone)]


def _divide(label: Integers, group: Integers, params: GridSection) -> Folds:
    count = min(params.inner_folds, int(np.bincount(label).max()), len(np.unique(group)))
    if count < 2:
        return []
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=params.seed)
    folds = []
    for seen, unseen in splitter.split(np.zeros(len(label)), label, group):
        unknown = ~np.isin(label[unseen], label[seen])
        kept = np.isin(group[unseen], group[unseen][unknown])
        if not kept.all():
            folds.append((np.sort(np.concatenate([seen, unseen[kept]])), unseen[~kept]))
    return folds


def search(
    steps: Sequence[tuple[str, Any]],
    grid: Mapping[str, Sequence[Any]],
    train: Examples,
    weight: Floats | None,
    params: GridSection,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Try every combination of selection and hyperparameters.

    Parameters
    ----------
    steps
        What follows on :func:`preparation`: names and estimators, the last of them "classify".
    grid
        Candidates of their parameters, which are named as in ``classify__C``.
    train
        What candidates are fitted to and judged by: the tracks as they are. Copies would cost four
        times as much, and hardly change which candidate is best.
    weight
        Of each row of `train` in fitting; None where all weigh the same. With weights, candidates
        are judged by balanced accuracy.

    Returns
    -------
    best : dict
        ``selected_fraction`` and the parameters in `grid`, without the names of their steps.
    table : DataFrame
        One row per candidate, the best first: params (JSON), mean, std, rank of the accuracy.
    """
    import pandas as pd
    from sklearn.model_selection import GridSearchCV

    own = np.flatnonzero(train.copy == 0)
    tracks = train.take(own)
    values, label = read(tracks)
    if weight is not None:
        weight = weight[own]
    pipeline = Pipeline([*preparation(params.scaling).steps, *steps])
    candidates = {
        "select__percentile": [100 * fraction for fraction in params.selected_fraction],
        **{name: list(choices) for name, choices in grid.items()},
    }
    folds = inner_folds(tracks, params)
    searched = GridSearchCV(
        pipeline,
        candidates,
        cv=folds,
        scoring=_accuracy if weight is None else _balanced_accuracy,
        refit=False,
        n_jobs=params.threads,
        # A candidate that can't be scored must not win in silence.
        error_score="raise",
    )
    searched.fit(values, label, **sample_weight(weight))
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
        name.rpartition("__")[2]: value
        for name, value in found.items()
        if name != "select__percentile"
    } | {"selected_fraction": found["select__percentile"] / 100}


def sample_weight(weight: Floats | None) -> dict[str, Floats]:
    """Return how a pipeline is told the weights of rows."""
    return {} if weight is None else {"classify__sample_weight": weight}


def class_weights(examples: Examples, params: GridSection) -> Floats | None:
    """Return (n,) weights where the parameters ask for balanced genres, else None."""
    if params.class_weight == "none":
        return None
    return examples.weight(params.class_weight)


def _decisions(classifier: Any, values: Floats) -> Integers:
    """Return the most probable genres; with two of them XGBoost's own decisions can't be had."""
    if hasattr(classifier, "predict_proba"):
        most_probable: Integers = classifier.predict_proba(values).argmax(axis=1)
        return most_probable
    decided: Integers = classifier.predict(values)
    return decided


def _accuracy(classifier: Any, values: Floats, label: Integers) -> float:
    return float((_decisions(classifier, values) == label).mean())


def _balanced_accuracy(classifier: Any, values: Floats, label: Integers) -> float:
    from sklearn.metrics import recall_score

    decided = _decisions(classifier, values)
    return float(recall_score(label, decided, labels=np.unique(label), average="macro"))


def as_float(values: npt.ArrayLike) -> Floats:
    """Return single precision, which is what predictions are stored in."""
    return np.asarray(values, dtype=np.float32)
