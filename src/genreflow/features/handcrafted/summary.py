"""Summarise series over the frames of a track."""

from __future__ import annotations

import numpy as np

from genreflow.features.stft import Floats

PLAIN = ("max", "min", "mean", "std", "kurtosis", "skew")
ROBUST = ("p95", "p05", "mean", "l_scale", "l_kurtosis", "l_skew")

_RESOLUTION = 1e-6
"""Spreads below this share of the mean are rounding of single precision, not variation."""
_ORDERS = 4


def summarise(series: Floats, statistics: str) -> Floats:
    """Return six statistics of each series, (series, frames) to (series, 6).

    Parameters
    ----------
    series
        (series, frames).
    statistics
        ``"plain"``: :data:`PLAIN`; ``"robust"``: :data:`ROBUST`.
    """
    return _robust(series) if statistics == "robust" else _plain(series)


def _plain(series: Floats) -> Floats:
    """Return the moments and extremes.

    Kurtosis (excess) and skew are the biased moments of ``scipy.stats``. They are undefined for
    a constant series, and 0 here.
    """
    largest, smallest = series.max(axis=1), series.min(axis=1)
    mean = series.mean(axis=1, dtype=np.float64)
    deviation = series - mean[:, np.newaxis]
    squared = np.square(deviation)
    variance = squared.mean(axis=1)
    varies = variance > np.square(_RESOLUTION * mean)
    unit = np.where(varies, variance, 1.0)
    deviation *= squared
    skew = np.where(varies, deviation.mean(axis=1) / unit**1.5, 0.0)
    squared *= squared
    kurtosis = np.where(varies, squared.mean(axis=1) / unit**2 - 3.0, 0.0)
    statistics = [largest, smallest, mean, np.sqrt(variance), kurtosis, skew]
    return np.stack(statistics, axis=1).astype(np.float32)  # type: ignore[arg-type, unused-ignore]


def _robust(series: Floats) -> Floats:
    """Return quantiles and L-moments: each frame counts by its rank and once, not to a power.

    The ratios of L-moments lie between -1 and 1. They are 0 for a constant series, and where there
    are too few frames.

    References
    ----------
    J. R. M. Hosking, "L-moments: analysis and estimation of distributions using linear
    combinations of order statistics", Journal of the Royal Statistical Society B 52(1), 1990.
    """
    ranked = np.sort(series.astype(np.float64), axis=1)
    n = ranked.shape[1]
    rank = np.arange(n, dtype=np.float64)
    weight = np.ones(n)
    weighted = [ranked.mean(axis=1)]
    for order in range(1, 4):
        weight = weight * np.maximum(rank - order + 1, 0) / max(n - order, 1)
        weighted.append((ranked * weight).mean(axis=1))
    b0, b1, b2, b3 = weighted
    scale = 2 * b1 - b0
    varies = (scale > _RESOLUTION * np.abs(b0)) & (n > _ORDERS)
    unit = np.where(varies, scale, 1.0)
    skew = np.where(varies, (6 * b2 - 6 * b1 + b0) / unit, 0.0)
    kurtosis = np.where(varies, (20 * b3 - 30 * b2 + 12 * b1 - b0) / unit, 0.0)
    low, high = np.quantile(ranked, [0.05, 0.95], axis=1)
    statistics = [high, low, b0, np.maximum(scale, 0), kurtosis, skew]
    return np.stack(statistics, axis=1).astype(np.float32)
