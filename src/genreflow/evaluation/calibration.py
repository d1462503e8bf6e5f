"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from genreflow.evaluation.predictions import Predictions


def reliability(decisions: Predictions, n_bins: int) -> pd.DataFrame:
    """Bin decisions by their confidence, the probability of the predicted genre.

    Returns
    -------
    DataFrame
        One row per bin that isn't empty, of equal width between 0 and 1: low, high, confidence
        (mean), accuracy, n.
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

    Notes
    -----
    Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    return float(np.average((bins["confidence"] - bins["accuracy"]).abs(), weights=bins["n"]))
