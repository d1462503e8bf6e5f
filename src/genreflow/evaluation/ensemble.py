"""A vote of several models, weighted by how well they do on validation tracks.

Their log-probabilities are added with a weight for each model (a logarithmic opinion pool, or a
multinomial logistic regression with one coefficient for each model's log-probabilities). A few
dozen validation tracks can't tell similar models apart, so the weights are drawn towards equal
ones. On real music that is more accurate, and better calibrated, than the best mixture of
probabilities (docs/experiments.md).

References
----------
C. Genest, J. Zidek, "Combining probability distributions: a critique and an annotated
bibliography", Statistical Science 1(1), 1986 (the pool).
L. Breiman, "Stacked regressions", Machine Learning 24, 1996 (weights from tracks not trained on,
not negative).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import logsumexp, softmax

from genreflow.evaluation.predictions import Floats, Predictions
from genreflow.folds import name_order
from genreflow.models.pooling import FLOOR, pool

RIDGE = 0.1
"""Price of the squared distance of the weights from equal ones, beside the log loss."""


@dataclass(frozen=True)
class Ensemble:
    """What came of the vote.

    Attributes
    ----------
    decisions, valid
        On test tracks, and on the validation tracks that chose the weights.
    weights
        Columns fold, model, weight.
    """

    decisions: Predictions
    valid: Predictions
    weights: pd.DataFrame


def build_ensemble(
    valid: Mapping[str, Predictions], test: Mapping[str, Predictions]
) -> Ensemble | None:
    """Pool the track-level probabilities of all models, fold by fold.

    In each fold the weights are those of :func:`pool_weights` on its validation tracks; no test
    track has a say.

    Parameters
    ----------
    valid, test
        Track-level predictions per model.

    Returns
    -------
    Ensemble or None
        None unless some fold has two models that predicted the same validation and test tracks.
    """
    parts: list[Predictions] = []
    of_valid: list[Predictions] = []
    weights: list[pd.DataFrame] = []
    folds = {fold for predictions in test.values() for fold in predictions.keys["fold"]}
    for fold in sorted(folds, key=name_order):
        models, valid_stack, valid_keys = _stack(valid, fold)
        tested, test_stack, test_keys = _stack(test, fold)
        members = [model for model in models if model in tested]
        if len(members) < 2:
            continue
        valid_stack = valid_stack[[models.index(model) for model in members]]
        test_stack = test_stack[[tested.index(model) for model in members]]
        found = pool_weights(valid_stack, valid_keys.actual)
        parts.append(Predictions(test_keys.keys, pool(test_stack, found), test_keys.genres))
        of_valid.append(Predictions(valid_keys.keys, pool(valid_stack, found), valid_keys.genres))
        weights.append(pd.DataFrame({"fold": fold, "model": members, "weight": found}))
    if not parts:
        return None
    return Ensemble(_joined(parts), _joined(of_valid), pd.concat(weights, ignore_index=True))


def _joined(parts: Sequence[Predictions]) -> Predictions:
    return Predictions(
        pd.concat([part.keys for part in parts], ignore_index=True),
        np.concatenate([part.probabilities for part in parts]),
        parts[0].genres,
    )


def pool_weights(probabilities: Floats, actual: np.ndarray) -> Floats:
    """Return non-negative weights that minimise the log loss of the pool, and :data:`RIDGE`.

    Parameters
    ----------
    probabilities
        Shape (models, tracks, genres).
    actual
        Shape (tracks,): the true genres as positions.

    Returns
    -------
    ndarray of shape (models,)
        Rounded to four places.

    Notes
    -----
    The loss is convex in the weights, so the minimum found is the minimum.

    References
    ----------
    C. Genest, J. Zidek, "Combining probability distributions: a critique and an annotated
    bibliography", Statistical Science 1(1), 1986.

    Examples
    --------
    The one model is right, the other knows nothing:

    >>> probabilities = np.array([[[0.8, 0.2], [0.3, 0.7]], [[0.5, 0.5], [0.5, 0.5]]])
    >>> weights = pool_weights(probabilities, np.array([0, 1]))
    >>> bool(weights[0] > weights[1])
    True
    """
    n_models, n_tracks, _ = probabilities.shape
    logarithms = np.log(np.maximum(probabilities, FLOOR))
    of_truth = logarithms[:, np.arange(n_tracks), actual]
    equal = 1 / n_models

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = np.tensordot(weights, logarithms, 1)
        value = (logsumexp(scores, axis=1) - weights @ of_truth).mean()
        expected = np.einsum("tg,mtg->mt", softmax(scores, axis=1), logarithms)
        away = weights - equal
        slope = (expected - of_truth).mean(axis=1) + 2 * RIDGE * away
        return float(value + RIDGE * (away @ away)), slope

    result = optimize.minimize(
        loss,
        np.full(n_models, equal),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * n_models,
        options={"ftol": 1e-12, "gtol": 1e-8, "maxiter": 1000},
    )
    # Rounding hides differences in the last bits between processors.
    rounded: Floats = np.round(result.x, 4)
    return rounded


def _stack(
    predictions: Mapping[str, Predictions], fold: str
) -> tuple[list[str], Floats, Predictions]:
    """Stack the models that have the same, and most, tracks of `fold`."""
    here = {
        model: part
        for model, of_model in predictions.items()
        if len(part := of_model.select((of_model.keys["fold"] == fold).to_numpy()))
    }
    if not here:
        empty = next(iter(predictions.values()))
        return [], np.zeros((0, 0, len(empty.genres))), empty.select(np.zeros(0, np.intp))
    largest = max(here.values(), key=len)
    same = {model: part for model, part in here.items() if part.index.equals(largest.index)}
    return list(same), np.stack([part.probabilities for part in same.values()]), largest
