"""What a mel window sounds like, whatever happens when: statistics of each band over its frames.

Single bins depend on where in a bar a window begins. A linear machine and trees can't see beyond
that, and need the statistics that a convolution's pooling makes for itself (docs/experiments.md).

References
----------
G. Tzanetakis, P. Cook, "Musical genre classification of audio signals", IEEE Trans. SAP 10(5),
2002 (statistics of the frames of a "texture window").
C.-H. Lee et al., "Automatic music genre classification based on modulation spectral analysis of
spectral and cepstral features", IEEE Trans. Multimedia 11(4), 2009 (fluctuation, in octaves).
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.signal import get_window

from genreflow.features.rows import Floats

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
OCTAVES = ((1, 2), (2, 3), (3, 5), (5, 9), (9, 17))
"""Rates of fluctuation, [first, last) in cycles per window: for 1.5 s from 0.7 to 11 Hz."""


def describe(windows: Floats) -> Floats:
    """Return what each window's bands do over time, (n, :func:`count_statistics`) [dB].

    Of each band, the level at five quantiles and the mean change from frame to frame; of each pair
    of bands, how much it differs from the next band up, and how strongly its level fluctuates at
    five rates (logarithmic).

    Parameters
    ----------
    windows
        (n, time, frequency, 1) [dB].
    """
    levels = windows[..., 0]
    n, time, _ = levels.shape
    at = np.round(np.array(QUANTILES) * (time - 1)).astype(np.int64)
    quantiles = np.sort(levels, axis=1)[:, at]
    change = np.abs(np.diff(levels, axis=1)).sum(axis=1) / max(time - 1, 1)
    between = np.abs(np.diff(levels, axis=2, append=levels[:, :, -1:])).mean(axis=1)
    parts = [quantiles, change, _paired(between), _fluctuation(_paired(levels))]  # type: ignore[arg-type, unused-ignore]
    return np.concatenate([part.reshape(n, -1) for part in parts], axis=1, dtype=np.float32)


def count_statistics(shape: tuple[int, ...]) -> int:
    """Return how many statistics :func:`describe` makes of a window (time, frequency, 1)."""
    _, frequency, _ = shape
    return (len(QUANTILES) + 1) * frequency + (1 + len(OCTAVES)) * _pairs(frequency)


def _pairs(frequency: int) -> int:
    return max(1, frequency // 2)


def _paired(values: Floats) -> Floats:
    """Average bands two by two, (..., frequency) to (..., pairs); an odd last one is left out."""
    n_pairs = _pairs(values.shape[-1])
    width = min(2, values.shape[-1])
    pairs = values[..., : n_pairs * width].reshape(*values.shape[:-1], n_pairs, width)
    means: Floats = pairs.mean(axis=-1)
    return means


def _fluctuation(levels: Floats) -> Floats:
    """Return the amplitude at each rate, (n, rates, bands), of levels (n, time, bands).

    Rates beyond those of the frames are 0.
    """
    hann = get_window("hann", levels.shape[1]).astype(np.float32)[:, np.newaxis]
    deviation = levels - levels.mean(axis=1, keepdims=True)
    amplitude = np.abs(scipy.fft.rfft(deviation * hann, axis=1))
    rates = [amplitude[:, first:last] for first, last in OCTAVES]
    means = [rate.mean(axis=1) if rate.shape[1] else np.zeros_like(levels[:, 0]) for rate in rates]
    fluctuation: Floats = np.log1p(np.stack(means, axis=1))
    return fluctuation
