"""Whether probabilities mean what they say, before and after a temperature.

A model's probabilities of a track, after the vote of its windows, are divided by one number a
training (in logarithms), which is fitted on that training's validation tracks. It changes no
decision, only how sure it is, so that no accuracy depends on it.

References
----------
C. Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature scaling).
M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
binning", AAAI 2015 (the expected calibration error).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import log_loss

from genreflow.evaluation.predictions import Codes, Predictions
from genreflow.folds import training_name
from genreflow.models.temperature import apply_temperature, as_margins, temperature_of

Temperatures = Mapping[tuple[str, int], float]
"""Of every training: its fold, and the number of its seed."""

_DIGITS = 6
"""Rounding hides differences in the last bits between processors."""


def fit_temperatures(valid: Predictions) -> Temperatures:
    """Return the temperature of each training that makes its validation tracks most probable.

    Parameters
    ----------
    valid
        Track-level predictions of the validation tracks.

    Returns
    -------
    mapping of (str, int) to float
        Temperatures by fold and number of the seed; above 1 where a model was too sure.

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    Half of these tracks are wrong, though each was decided with 90 %:

    >>> keys = pd.DataFrame({"fold": "0", "seed": 0, "genre": ["jazz", "jazz", "pop", "pop"]})
    >>> sure = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    >>> fit_temperatures(Predictions(keys, sure, ("jazz", "pop")))[("0", 0)] > 1
    True
    """
    temperatures = {}
    for training, rows in _trainings(valid):
        part = valid.select(rows)
        alike = np.ones(len(part), np.float32)
        found = temperature_of(as_margins(part.probabilities), part.actual, alike)
        temperatures[training] = round(found, _DIGITS)
    return temperatures


def calibrate(decisions: Predictions, temperatures: Temperatures) -> Predictions:
    """Return track-level predictions as sure as the temperatures of their trainings say.

    Parameters
    ----------
    decisions
        Track-level predictions.
    temperatures
        Of all their trainings.

    Returns
    -------
    Predictions
        The same decisions with other probabilities.

    Examples
    --------
    >>> keys = pd.DataFrame({"fold": ["0"], "seed": 0, "genre": "jazz"})
    >>> decisions = Predictions(keys, np.array([[0.8, 0.2]]), ("jazz", "pop"))
    >>> calibrate(decisions, {("0", 0): 2.0}).probabilities.round(2)
    array([[0.67, 0.33]])
    """
    probabilities = np.empty_like(decisions.probabilities)
    for training, rows in _trainings(decisions):
        found = apply_temperature(decisions.probabilities[rows], temperatures[training])
        probabilities[rows] = found
    return replace(decisions, probabilities=probabilities)


def _trainings(predictions: Predictions) -> Iterator[tuple[tuple[str, int], Codes]]:
    """Yield the rows of every training, in the order of the predictions."""
    fold, seed = predictions.keys["fold"], predictions.keys["seed"]
    of_row, trainings = pd.factorize(pd.MultiIndex.from_arrays([fold, seed]))
    for number, (name, count) in enumerate(trainings):
        yield (str(name), int(count)), np.flatnonzero(of_row == number)


def temperature_table(temperatures: Mapping[str, Temperatures]) -> pd.DataFrame:
    """Return columns model, fold (the training's name) and temperature."""
    return pd.DataFrame(
        [
            (model, training_name(fold, seed), temperature)
            for model, of_model in temperatures.items()
            for (fold, seed), temperature in of_model.items()
        ],
        columns=["model", "fold", "temperature"],
    )


def calibrated_scores(calibrated: Predictions, n_bins: int) -> dict[str, float]:
    """Return what is better or worse after calibration: ece_calibrated, log_loss_calibrated."""
    labels = np.arange(len(calibrated.genres))
    bins = reliability(calibrated, n_bins)
    return {
        "ece_calibrated": expected_calibration_error(bins),
        "log_loss_calibrated": float(
            log_loss(calibrated.actual, calibrated.probabilities, labels=labels)
        ),
    }


def beside_each_other(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Join bins of decisions before and after calibration.

    Parameters
    ----------
    before, after
        Columns model, level, and what :func:`reliability` returned; `after` for some of them.

    Returns
    -------
    DataFrame
        `before`, and confidence_calibrated, accuracy_calibrated and n_calibrated: of the decisions
        that calibration puts into the bin. Where a bin is empty, n is 0 and the means are missing.
    """
    keys = ["model", "level", "low", "high"]
    table = before.merge(after, on=keys, how="outer", suffixes=("", "_calibrated"))
    counts = {name: table[name].fillna(0).astype(int) for name in ("n", "n_calibrated")}
    return table.assign(**counts)


def reliability(decisions: Predictions, n_bins: int) -> pd.DataFrame:
    """Bin decisions by their confidence, the probability of the predicted genre.

    Parameters
    ----------
    decisions
        Predictions of tracks.
    n_bins
        How many bins of equal width lie between 0 and 1.

    Returns
    -------
    DataFrame
        One row per bin that isn't empty: low, high, confidence (mean), accuracy, n.

    Examples
    --------
    >>> keys = pd.DataFrame({"genre": ["jazz", "pop"]})
    >>> sure = np.array([[0.9, 0.1], [0.7, 0.3]])
    >>> bins = reliability(Predictions(keys, sure, ("jazz", "pop")), 2)
    >>> bins.round(2)
       low  high  confidence  accuracy  n
    0  0.5   1.0         0.8       0.5  2
    >>> round(expected_calibration_error(bins), 2)
    0.3
    """
    confidence = decisions.probabilities.max(axis=1)
    right = (decisions.actual == decisions.predicted).astype(float)
    edges = np.linspace(0, 1, n_bins + 1)
    means = stats.binned_statistic(confidence, [confidence, right], "mean", bins=edges)
    counts = stats.binned_statistic(confidence, None, "count", bins=edges).statistic
    table = pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "confidence": means.statistic[0],
            "accuracy": means.statistic[1],
            "n": counts.astype(int),
        }
    )
    return table[table["n"] > 0].reset_index(drop=True)


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between confidence and accuracy, weighted by bin size.

    Parameters
    ----------
    bins
        What :func:`reliability` returned.

    Returns
    -------
    float
        Between 0 and 1; 0 where decisions are right as often as they are sure.

    References
    ----------
    M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015.

    Examples
    --------
    >>> expected_calibration_error(pd.DataFrame({"confidence": [0.5], "accuracy": [1.0], "n": [4]}))
    0.5
    """
    return float(np.average((bins["confidence"] - bins["accuracy"]).abs(), weights=bins["n"]))
