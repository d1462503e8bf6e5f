"""Pitch classes, and where they lie on the tonal network."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from genreflow.features.stft import Floats, bin_frequencies

PITCH_CLASSES = ("c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b")

_C0_HZ = 440.0 / 2**4.75
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.75, 2.0


@lru_cache
def chroma_filters(sample_rate: int, n_fft: int) -> Floats:
    """Return filters that add up the power of each pitch class, (12, 1 + n_fft // 2).

    Equal to ``librosa.filters.chroma(tuning=0)``: Gaussian bumps a semitone wide, or a bin where
    that is wider, under a Gaussian around 880 Hz. Tuning is not estimated: on a
    resolution of a semitone and more it takes longer than the whole spectrum and changes little.

    References
    ----------
    D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007.
    """
    # Bins above the Nyquist frequency are needed for the width of the last one below.
    semitones = 12 * np.log2(np.arange(1, n_fft) * (sample_rate / n_fft) / _C0_HZ)
    semitones = np.concatenate([[semitones[0] - 18], semitones])
    width = np.concatenate([np.maximum(np.diff(semitones), 1.0), [1.0]])
    distance = np.remainder(semitones - np.arange(12)[:, np.newaxis] + 6, 12) - 6
    filters = np.exp(-0.5 * np.square(2 * distance / width))
    filters /= np.sqrt(np.square(filters).sum(axis=0))
    filters *= np.exp(-0.5 * np.square((semitones / 12 - _CENTRE_OCTAVE) / _OCTAVE_WIDTH))
    used: Floats = filters[:, : len(bin_frequencies(sample_rate, n_fft))].astype(np.float32)
    return used


def normalised(chroma: Floats, *, by_sum: bool = False) -> Floats:
    """Scale each frame of (12, frames) to maximum 1, or to sum 1; silence stays 0."""
    size: Floats = chroma.sum(axis=0) if by_sum else chroma.max(axis=0)
    size[size < np.finfo(np.float32).tiny] = 1.0
    return chroma / size


def tonnetz(chroma: Floats) -> Floats:
    """Return the tonal centroids, (6, frames): fifths, minor and major thirds, as x and y.

    References
    ----------
    C. Harte, M. Sandler and M. Gasser, "Detecting harmonic change in musical audio", ACM AMCMM
    2006 (`librosa.feature.tonnetz`).
    """
    angle = np.pi * np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(12))
    angle[::2] -= np.pi / 2
    basis = np.array([1, 1, 1, 1, 0.5, 0.5])[:, np.newaxis] * np.cos(angle)
    return basis.astype(np.float32) @ normalised(chroma, by_sum=True)
