"""Summarise series over the frames of a track."""

from __future__ import annotations

import numpy as np

from genreflow.features.stft import Floats

STATISTICS = ("max", "min", "mean", "std", "kurtosis", "skew")

_RESOLUTION = 1e-6
"""Spreads below this share of the mean are rounding of single precision, not variation."""


def summarise(series: Floats) -> Floats:
    """Return the :data:`STATISTICS` of each series: (series, frames) to (series, statistics).

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
    return np.stack(statistics, axis=1).astype(np.float32)
