"""Spectral descriptors of every frame, all from one pass over the power spectrum.

Every value equals librosa's function of the same name, but for single-precision rounding; the
arithmetic is done on blocks of frames while they are in the cache, instead of once per descriptor
on the whole track.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from genreflow.audio.samples import Samples
from genreflow.features.stft import (
    Floats,
    bin_frequencies,
    decibels,
    frame_count,
    mel_filters,
    power_blocks,
)
from genreflow.registry.handcrafted import Handcrafted

N_MELS = 128
CONTRAST_FMIN = 200.0
CONTRAST_BANDS = 7
CONTRAST_QUANTILE = 0.02

Band = tuple[slice, int]
"""Bins of a contrast band, and how many of them make its peak and its valley."""


@dataclass(frozen=True)
class Spectral:
    """What the spectrum says of each frame.

    Attributes
    ----------
    centroid, bandwidth, rolloff
        (frames,) [Hz].
    flatness
        (frames,), 1 for white noise.
    contrast
        (bands, frames) [dB], peaks over valleys in octave bands.
    mel
        (128, frames) [dB], within ``range_db`` of the loudest.
    projected
        (filters, frames): the further filters applied to the power spectrum.
    """

    centroid: Floats
    bandwidth: Floats
    rolloff: Floats
    flatness: Floats
    contrast: Floats
    mel: Floats
    projected: Floats


def spectral(
    samples: Samples,
    sample_rate: int,
    params: Handcrafted,
    scale: float,
    projection: Floats | None = None,
) -> Spectral:
    """Describe the spectrum of every frame.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    scale
        What makes samples amplitudes.
    projection
        Further filters to apply to the power spectrum, (filters, 1 + n_fft // 2).

    References
    ----------
    D.-N. Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.
    S. Dubnov, "Generalization of spectral flatness measure for non-Gaussian linear processes",
    IEEE Signal Processing Letters 11(8), 2004.
    A. Klapuri and M. Davy (eds.), "Signal processing methods for music transcription", chapter 5,
    Springer 2007 (centroid, bandwidth, roll-off).
    """
    count = frame_count(len(samples), params.n_fft, params.hop_length)
    frequency = bin_frequencies(sample_rate, params.n_fft).astype(np.float32)[:, np.newaxis]
    filters = mel_filters(sample_rate, params.n_fft, N_MELS)
    bands = contrast_bands(sample_rate, params.n_fft)
    if projection is None:
        projection = np.empty((0, len(frequency)), dtype=np.float32)
    centroid, bandwidth, rolloff, flatness = np.empty((4, count), dtype=np.float32)
    mel = np.empty((N_MELS, count), dtype=np.float32)
    peaks, valleys = np.empty((2, len(bands), count), dtype=np.float32)
    projected = np.empty((len(projection), count), dtype=np.float32)
    for where, power in power_blocks(samples, params.n_fft, params.hop_length, scale):
        mel[:, where] = filters @ power
        projected[:, where] = projection @ power
        flatness[where] = _flatness(power, params)
        magnitude = np.sqrt(power, out=power)
        for i, (bins, n) in enumerate(bands):
            valleys[i, where], peaks[i, where] = _extremes(magnitude[bins], n)
        rolloff[where] = _rolloff(magnitude, frequency, params.rolloff_percent)
        centroid[where], bandwidth[where] = _moments(magnitude, frequency)
    range_db = params.range_db
    contrast = _limited(decibels(peaks), range_db) - _limited(decibels(valleys), range_db)
    levels = _limited(decibels(mel), range_db)
    return Spectral(centroid, bandwidth, rolloff, flatness, contrast, levels, projected)


def _flatness(power: Floats, params: Handcrafted) -> Floats:
    # Bands that a codec emptied would decide the geometric mean alone.
    floor = np.float32(1e-10)
    if params.statistics == "robust":
        floor = floor + power.max(axis=0) * np.float32(10 ** (-params.range_db / 10))  # type: ignore[assignment, unused-ignore]
    floored = np.maximum(power, floor)
    mean = floored.mean(axis=0)
    np.log(floored, out=floored)
    flatness: Floats = np.exp(floored.mean(axis=0)) / mean  # type: ignore[assignment, unused-ignore]
    return flatness


def _rolloff(magnitude: Floats, frequency: Floats, share: float) -> Floats:
    cumulated = np.cumsum(magnitude, axis=0)
    below = np.count_nonzero(cumulated < np.float32(share) * cumulated[-1], axis=0)
    rolloff: Floats = frequency[below, 0]
    return rolloff


def _moments(magnitude: Floats, frequency: Floats) -> tuple[Floats, Floats]:
    """Return centroid and bandwidth; overwrites `magnitude`."""
    total = magnitude.sum(axis=0)
    total[total < np.finfo(np.float32).tiny] = 1.0  # silence has centroid and bandwidth 0
    magnitude /= total
    centroid: Floats = (frequency.T @ magnitude)[0]
    # E[f²] - E[f]² would be a fraction of the work, and wrong for a pure tone.
    deviation = frequency - centroid
    deviation *= deviation
    deviation *= magnitude
    return centroid, np.sqrt(deviation.sum(axis=0))


def _extremes(magnitude: Floats, n: int) -> tuple[Floats, Floats]:
    """Return the means of the `n` smallest and of the `n` largest of each column."""
    if n == 1:
        return magnitude.min(axis=0), magnitude.max(axis=0)
    ranked = np.sort(magnitude, axis=0)
    return ranked[:n].mean(axis=0), ranked[-n:].mean(axis=0)


@lru_cache
def contrast_bands(sample_rate: int, n_fft: int) -> tuple[Band, ...]:
    """Return the bands of the spectral contrast: below 200 Hz, then octaves up to Nyquist.

    Bands that begin above the Nyquist frequency or hold no bin are left out.
    """
    frequency = bin_frequencies(sample_rate, n_fft)
    edges = [0.0] + [CONTRAST_FMIN * 2**octave for octave in range(CONTRAST_BANDS)]
    count = sum(edge < sample_rate / 2 for edge in edges[:-1])
    bands = []
    for i in range(count):
        inside = np.flatnonzero((frequency >= edges[i]) & (frequency <= edges[i + 1]))
        if not len(inside):
            continue
        # As librosa: a band begins one bin early; the last one takes what is left, and the others
        # leave out their last bin but count it in the quantile.
        is_last = i == count - 1
        first = int(inside[0]) - (i > 0)
        end = len(frequency) if is_last else int(inside[-1]) + 1
        n = max(1, round(CONTRAST_QUANTILE * (end - first)))
        bins = slice(first, end if is_last else end - 1)
        if bins.stop > bins.start:
            bands.append((bins, n))
    return tuple(bands)


def _limited(levels: Floats, range_db: float) -> Floats:
    """Raise all levels to at least so far below the highest, in place (librosa's ``top_db``)."""
    np.maximum(levels, levels.max() - np.float32(range_db), out=levels)
    return levels


def mfcc(mel: Floats, count: int) -> Floats:
    """Return the first `count` mel-frequency cepstral coefficients, (count, frames).

    Parameters
    ----------
    mel
        (bands, frames) [dB].

    References
    ----------
    S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Trans. ASSP 28(4), 1980.
    """
    coefficients: Floats = scipy.fft.dct(mel, axis=0, type=2, norm="ortho")[:count]
    return coefficients
