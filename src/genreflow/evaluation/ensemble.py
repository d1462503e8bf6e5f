"""A soft vote of several models, weighted by how well they do on validation tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from genreflow.evaluation.predictions import Floats, Predictions
from genreflow.folds import name_order

_FLOOR = 1e-6
"""Least probability that enters a logarithm."""


@dataclass(frozen=True)
class Ensemble:
    """The ensemble's decisions on test tracks and its weights (columns fold, model, weight)."""

    decisions: Predictions
    weights: pd.DataFrame


def build_ensemble(
    valid: Mapping[str, Predictions], test: Mapping[str, Predictions]
) -> Ensemble | None:
    """Mix the track-level probabilities of all models, fold by fold.

    In each fold the weights are those that minimise the log loss on its validation tracks; no
    test track has a say.

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
        found = simplex_weights(valid_stack, valid_keys.actual)
        mixed = np.einsum("m,mtg->tg", found / found.sum(), test_stack)
        parts.append(Predictions(test_keys.keys, mixed, test_keys.genres))
        weights.append(pd.DataFrame({"fold": fold, "model": members, "weight": found}))
    if not parts:
        return None
    return Ensemble(
        Predictions(
            pd.concat([part.keys for part in parts], ignore_index=True),
            np.concatenate([part.probabilities for part in parts]),
            parts[0].genres,
        ),
        pd.concat(weights, ignore_index=True),
    )


def simplex_weights(probabilities: Floats, actual: np.ndarray) -> Floats:
    """Return non-negative weights of sum one that minimise the log loss of the mixture.

    Parameters
    ----------
    probabilities
        Shape (models, tracks, genres).
    actual
        Shape (tracks,): the true genres as positions.

    Notes
    -----
    The loss is convex in the weights, so the minimum found is the minimum.
    """
    n_models, n_tracks, _ = probabilities.shape
    of_truth = np.maximum(probabilities[:, np.arange(n_tracks), actual], _FLOOR)

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = np.maximum(weights @ of_truth, _FLOOR)
        return float(-np.log(mixed).mean()), -(of_truth / mixed).mean(axis=1)

    result = optimize.minimize(
        loss,
        np.full(n_models, 1 / n_models),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_models,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"ftol": 1e-10, "maxiter": 500},
    )
    weights: Floats = np.clip(result.x, 0, None)
    # Rounding hides differences in the last bits between processors.
    rounded: Floats = np.round(weights / weights.sum(), 6)
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
