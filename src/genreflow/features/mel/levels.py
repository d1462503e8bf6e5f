"""Log-power mel spectra of a track."""

from __future__ import annotations

import math

import numpy as np

from genreflow.audio.samples import Samples
from genreflow.features.gain import amplitude_scale
from genreflow.features.sounding import without_silence_around
from genreflow.features.stft import Floats, decibels, frame_count, mel_filters, spectrum_blocks
from genreflow.registry.mel import Mel


def heard(samples: Samples, sample_rate: int, params: Mel) -> Samples:
    """Return a view of what of a track is analysed, (n,): at least as much as a window takes."""
    if not params.skip_silence:
        return samples
    return without_silence_around(samples, at_least=math.ceil(params.window_seconds * sample_rate))


def log_mel(samples: Samples, sample_rate: int, params: Mel) -> Floats:
    """Return the log-power mel spectrum, (frames, n_mels) [dB re 1], at least ``floor_db``.

    Equals ``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)``, transposed, of
    what was :func:`heard` of the track, at its own level or, with ``params.normalise``, at the same
    as all others.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    params
        The section ``features.mel``.

    Returns
    -------
    ndarray of shape (frames, n_mels)
        Of float32 [dB]; a frame each ``params.hop_length`` samples.

    Examples
    --------
    >>> tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(44100) / 22050)
    >>> levels = log_mel(tone.astype(np.int16), 22050, Mel())
    >>> levels.shape
    (173, 128)
    """
    filters = mel_filters(sample_rate, params.n_fft, params.n_mels, params.fmin, params.fmax)
    samples = heard(samples, sample_rate, params)
    count = frame_count(len(samples), params.n_fft, params.hop_length)
    levels = np.empty((count, params.n_mels), dtype=np.float32)
    scale = amplitude_scale(samples, normalise=params.normalise)
    floor = 10 ** (params.floor_db / 10)
    for where, spectrum in spectrum_blocks(samples, params.n_fft, params.hop_length, scale):
        # Power is added up after the filters, where a frame has fewer bands than it had bins.
        parts = spectrum.view(np.float32)
        bands = filters @ np.square(parts, out=parts)
        levels[where] = decibels(bands[:, ::2] + bands[:, 1::2], floor=floor).T
    return levels
