"""Onsets, tempo, and how levels fluctuate."""

from __future__ import annotations

import numpy as np
import scipy.fft

from genreflow.features.stft import BLOCK_FRAMES, Floats, hann

MEMORY_SECONDS = 8.0
"""Onsets so far apart still count as periodic."""

START_BPM, MAX_BPM = 120.0, 320.0

BEAT_BPM = 30 * 2 ** (np.arange(25) / 8)
"""Tempi of the beat spectrum: 30 to 240 beats per minute, eight to the octave."""

SHORTEST_BEAT_SECONDS = 0.3

MODULATION_SECONDS = 2.0
MODULATION_HZ = ((0.5, 2.0), (2.0, 4.5), (4.5, 9.5), (9.5, 21.0))
"""Phrases and bars, beats, syllables and subdivisions, roughness."""


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


def beat_spectrum(periodicity: Floats, frame_rate: float) -> Floats:
    """Return the periodicity at the tempi :data:`BEAT_BPM`, 0 where it doesn't reach.

    References
    ----------
    J. Foote and S. Uchihashi, "The beat spectrum: a new approach to rhythm analysis", ICME 2001.
    """
    lags = 60 * frame_rate / BEAT_BPM
    return np.interp(lags, np.arange(len(periodicity)), periodicity, right=0.0).astype(np.float32)


def pulse(periodicity: Floats, frame_rate: float) -> tuple[float, float]:
    """Return the highest periodicity of beats at least 0.3 s apart, and their distance [s]."""
    first = int(np.ceil(SHORTEST_BEAT_SECONDS * frame_rate))
    if first >= len(periodicity):
        return 0.0, 0.0
    lag = first + int(np.argmax(periodicity[first:]))
    return float(periodicity[lag]), lag / frame_rate


def modulation_spectrum(levels: Floats, frame_rate: float) -> Floats:
    """Return how strongly the level of each band fluctuates at each rate, in powers of ten.

    Stretches of two seconds that overlap by half are windowed, transformed and averaged.

    Parameters
    ----------
    levels
        (bands, frames) [dB].

    Returns
    -------
    array
        (bands, rates of :data:`MODULATION_HZ`); rates that the frames are too far apart for are 0.

    References
    ----------
    C.-H. Lee et al., "Automatic music genre classification based on modulation spectral analysis
    of spectral and cepstral features", IEEE Trans. Multimedia 11(4), 2009.
    """
    length = max(1, min(int(MODULATION_SECONDS * frame_rate), levels.shape[1]))
    deviation = levels - levels.mean(axis=1, keepdims=True)
    stretches = np.lib.stride_tricks.sliding_window_view(deviation, length, axis=1)
    stretches = stretches[:, :: max(1, length // 2)] * hann(length)
    size = scipy.fft.next_fast_len(2 * length, real=True)
    power = np.square(np.abs(scipy.fft.rfft(stretches, n=size, axis=2))).mean(axis=1) / length
    rate = np.arange(power.shape[1]) * (frame_rate / size)
    strength = np.zeros((len(levels), len(MODULATION_HZ)), dtype=np.float32)
    for i, (low, high) in enumerate(MODULATION_HZ):
        inside = (rate >= low) & (rate < high)
        if inside.any():
            strength[:, i] = np.log10(power[:, inside].mean(axis=1) + 1e-3)
    return strength
