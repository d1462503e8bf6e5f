"""Probabilities from margins, by one number that validation examples choose.

References
----------
C. Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature scaling).
J. Platt, "Probabilistic outputs for support vector machines", 1999 (targets short of certainty).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from genreflow.features.rows import Floats, Integers

FLOOR = 1e-7
"""Least probability that enters a logarithm."""


def temperature_of(margins: Floats, label: Integers, weight: Floats) -> float:
    """Return what to divide margins (n, n_genres) by for the least cross-entropy.

    As in Platt's scaling, an example counts for its genre but for a share of 1 / (n + 1): a few
    validation tracks that are all right are no reason to be certain.
    """
    n, n_genres = margins.shape
    target = np.full((n, n_genres), 1 / ((n + 1) * n_genres))
    target[np.arange(n), label] += n / (n + 1)

    def loss(log_temperature: float) -> float:
        log_probability = log_softmax(margins / np.exp(log_temperature), axis=1)
        return -float(np.average((target * log_probability).sum(axis=1), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def as_margins(
    probabilities: npt.NDArray[np.floating[Any]],
) -> npt.NDArray[np.floating[Any]]:
    """Return what a temperature of probabilities (n, n_genres) divides: their logarithms."""
    margins: npt.NDArray[np.floating[Any]] = np.log(np.maximum(probabilities, FLOOR))
    return margins


def apply_temperature(
    probabilities: npt.NDArray[np.floating[Any]], temperature: float
) -> npt.NDArray[np.floating[Any]]:
    """Return probabilities (n, n_genres) that are as sure as `temperature` says; 1: as they are.

    Their logarithms are divided by it, and no genre becomes impossible. It changes no decision.
    """
    if temperature == 1:
        return probabilities
    calibrated: npt.NDArray[np.floating[Any]] = softmax(
        as_margins(probabilities) / temperature, axis=1
    )
    return calibrated
