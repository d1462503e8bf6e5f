"""What all features of a track are made from, computed once, and how features are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from genreflow.audio.samples import Samples
from genreflow.features.gain import amplitude_scale
from genreflow.features.handcrafted import rhythm, tonal, waveform
from genreflow.features.handcrafted.spectral import Spectral, spectral
from genreflow.features.sounding import sounds, without_silence_around
from genreflow.features.stft import Floats
from genreflow.registry.handcrafted import Handcrafted


@dataclass(frozen=True)
class Analysis:
    """The series of a track.

    Attributes
    ----------
    params, sample_rate, n_samples
        What was analysed, and how.
    spectral
        From the power spectrum of each frame; ``spectral.projected`` is the chroma, (12, frames),
        if the extended set asks for it.
    onset
        (frames,) [dB].
    periodicity
        (lags in frames,).
    rms, zcr
        (frames,).
    """

    params: Handcrafted
    sample_rate: int
    n_samples: int
    spectral: Spectral
    onset: Floats
    periodicity: Floats
    rms: Floats
    zcr: Floats

    @property
    def frame_rate(self) -> float:
        """The number of frames per second [Hz]."""
        return self.sample_rate / self.params.hop_length


def analyse(samples: Samples, sample_rate: int, params: Handcrafted) -> Analysis:
    """Compute every series that the features of ``params.set`` are made from."""
    if params.skip_silence:
        samples = without_silence_around(samples, at_least=params.n_fft)
    extended = params.set == "extended"
    chroma = tonal.chroma_filters(sample_rate, params.n_fft) if extended else None
    scale = amplitude_scale(samples, normalise=params.normalise)
    frames = spectral(samples, sample_rate, params, scale, chroma)
    onset = rhythm.onset_strength(frames.mel, params.n_fft, params.hop_length)
    track = Analysis(
        params=params,
        sample_rate=sample_rate,
        n_samples=len(samples),
        spectral=frames,
        onset=onset,
        periodicity=rhythm.onset_periodicity(onset, sample_rate, params.hop_length),
        rms=waveform.loudness(samples, params, scale),
        zcr=waveform.zero_crossing_rate(samples, params),
    )
    return _without_silence(track) if params.skip_silence else track


def _without_silence(track: Analysis) -> Analysis:
    """Leave out silent frames, and those half of which lies beyond the ends of the track."""
    heard = sounds(np.square(track.rms))
    whole = heard.copy()
    whole[[0, -1]] = False
    kept = whole if whole.any() else heard
    spectral = {
        name: np.ascontiguousarray(series[..., kept])
        for name, series in vars(track.spectral).items()
    }
    return replace(
        track,
        spectral=Spectral(**spectral),
        onset=track.onset[kept],
        rms=track.rms[kept],
        zcr=track.zcr[kept],
    )


@dataclass(frozen=True)
class Group:
    """Features that are computed together: `compute` returns one value for each of `names`."""

    names: tuple[str, ...]
    compute: Callable[[Analysis], Floats]
