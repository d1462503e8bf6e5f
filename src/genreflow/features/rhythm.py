"""Onset strength and tempo."""

from __future__ import annotations

import numpy as np
import scipy.fft

from genreflow.features.spectrum import BLOCK_FRAMES, Floats, hann

MEMORY_SECONDS = 8.0
"""Onsets so far apart still count as periodic."""

START_BPM, MAX_BPM = 120.0, 320.0


def onset_strength(mel: Floats, n_fft: int, hop_length: int) -> Floats:
    """Return the mean rise in level over the mel bands (spectral flux), (frames,) [dB].

    Parameters
    ----------
    mel
        (bands, frames) [dB], from centred frames of `n_fft` samples, `hop_length` apart.

    References
    ----------
    S. Böck and G. Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013
    (without the filter; `librosa.onset.onset_strength`).
    """
    rise = np.diff(mel, axis=1)
    flux = np.maximum(rise, 0, out=rise).mean(axis=0)
    delay = 1 + n_fft // (2 * hop_length)
    return np.concatenate([np.zeros(delay, dtype=np.float32), flux])[: mel.shape[1]]


def onset_periodicity(onset: Floats, sample_rate: int, hop_length: int) -> Floats:
    """Return the mean local autocorrelation of the onset strength, (lags,), 1 at lag 0.

    The mean over time of `librosa.feature.tempogram`: every 8 s stretch is windowed, correlated
    with itself and scaled to 1. Transforms are linear, so the mean is taken before the inverse.

    References
    ----------
    P. Grosche, M. Müller and F. Kurth, "Cyclic tempogram: a mid-level tempo representation for
    music signals", ICASSP 2010.
    """
    length = int(MEMORY_SECONDS * sample_rate) // hop_length
    padded = np.pad(onset, length // 2, mode="linear_ramp", end_values=0)
    columns = np.lib.stride_tricks.sliding_window_view(padded, length)[: len(onset)].T
    window = hann(length)[:, np.newaxis]
    size = scipy.fft.next_fast_len(2 * length - 1, real=True)
    spectrum = np.zeros(size // 2 + 1)
    for start in range(0, len(onset), BLOCK_FRAMES):
        block = np.multiply(columns[:, start : start + BLOCK_FRAMES], window, order="C")
        energy = np.einsum("ij,ij->j", block, block)
        energy[energy < np.finfo(np.float32).tiny] = 1.0
        transformed = scipy.fft.rfft(block, n=size, axis=0)
        power = np.square(transformed.real)
        power += np.square(transformed.imag)
        spectrum += power @ (1 / energy)
    correlation: Floats = (scipy.fft.irfft(spectrum, n=size)[:length] / len(onset)).astype("f4")
    return correlation


def tempo(periodicity: Floats, sample_rate: int, hop_length: int) -> float:
    """Return the most likely tempo [beats per minute], with a prior around 120.

    Parameters
    ----------
    periodicity
        From :func:`onset_periodicity`.

    References
    ----------
    D. P. W. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1),
    2007 (the log-normal prior; `librosa.feature.tempo`).
    """
    bpm = 60 * sample_rate / (hop_length * np.arange(1, len(periodicity)))
    prior = -0.5 * np.log2(bpm / START_BPM) ** 2
    prior[bpm >= MAX_BPM] = -np.inf
    return float(bpm[np.argmax(np.log1p(1e6 * periodicity[1:].astype(np.float64)) + prior)])
