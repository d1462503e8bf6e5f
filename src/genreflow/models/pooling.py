"""Join what several models say into one.

References
----------
C. Genest, J. Zidek, "Combining probability distributions: a critique and an annotated
bibliography", Statistical Science 1(1), 1986 (the logarithmic opinion pool).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

Doubles = npt.NDArray[np.float64]

FLOOR = 1e-4
"""Least probability that enters a logarithm: no model has a veto."""


def pool(probabilities: Doubles, weights: Doubles) -> Doubles:
    """Return the pooled probabilities, (tracks, genres).

    Parameters
    ----------
    probabilities
        Shape (models, tracks, genres).
    weights
        Shape (models,).
    """
    logarithms = np.log(np.maximum(probabilities, FLOOR))
    pooled: Doubles = softmax(np.tensordot(weights, logarithms, 1), axis=1)
    return pooled
