"""Whitening by what varies within a genre."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.covariance import shrunk_covariance

from genreflow.features.rows import Floats, Integers


class WithinClassWhitening(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # untyped
    """Scale every direction by how much examples of one class differ along it.

    What tells two tracks of a genre apart (the artist, the production) counts less from then on,
    and what genres differ in counts more.

    Parameters
    ----------
    shrinkage
        Share of the covariance that is replaced by the same variance in every direction; 1: all
        directions are scaled alike, and nothing is whitened.

    Attributes
    ----------
    matrix_
        (n_features, n_features) float64, symmetric: the inverse square root of the shrunk
        covariance.

    References
    ----------
    A. O. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based
    speaker recognition", Interspeech 2006 (there with smoothing towards the identity, as here).
    """

    matrix_: npt.NDArray[np.float64]

    def __init__(self, shrinkage: float = 1.0) -> None:
        self.shrinkage = shrinkage

    def fit(self, values: Floats, label: Integers) -> Self:
        """Measure examples (n, n_features) of the classes `label`, (n,)."""
        deviation = np.array(values, dtype=np.float64)
        for genre in np.unique(label):
            deviation[label == genre] -= deviation[label == genre].mean(axis=0)
        covariance = deviation.T @ deviation / len(deviation)
        if not covariance.any():
            # Each class has one example: nothing is known of what varies within it.
            covariance = np.eye(len(covariance))
        variance, directions = np.linalg.eigh(shrunk_covariance(covariance, self.shrinkage))
        # Without shrinkage there may be directions in which nothing varies.
        variance = np.maximum(variance, 1e-6 * variance.max())
        self.matrix_ = (directions / np.sqrt(variance)) @ directions.T
        return self

    def transform(self, values: Any) -> npt.NDArray[np.float64]:
        """Whiten values (n, n_features)."""
        whitened: npt.NDArray[np.float64] = values @ self.matrix_
        return whitened
