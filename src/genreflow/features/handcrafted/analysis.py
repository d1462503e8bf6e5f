"""What all features of a track are made from, computed once, and how features are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genreflow.audio.cache import Samples
from genreflow.features.gain import amplitude_scale
from genreflow.features.handcrafted import rhythm, tonal, waveform
from genreflow.features.handcrafted.spectral import Spectral, spectral
from genreflow.features.stft import Floats
from genreflow.registry.handcrafted import Handcrafted


@dataclass(frozen=True)
class Analysis:
    """The series of a track.

    Parameters
    ----------
    params, sample_rate, n_samples
        What was analysed, and how.
    spectral
        From the power spectrum of each frame; ``spectral.projected`` is the chroma, (12, frames),
        if the extended set asks for it.
    onset
        (frames,) [dB]
    periodicity
        (lags in frames,)
    rms, zcr
        (frames,)
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
        """Frames per second."""
        return self.sample_rate / self.params.hop_length


def analyse(samples: Samples, sample_rate: int, params: Handcrafted) -> Analysis:
    """Compute every series that the features of ``params.set`` are made from."""
    extended = params.set == "extended"
    chroma = tonal.chroma_filters(sample_rate, params.n_fft) if extended else None
    scale = amplitude_scale(samples, normalise=params.normalise)
    frames = spectral(samples, sample_rate, params, scale, chroma)
    onset = rhythm.onset_strength(frames.mel, params.n_fft, params.hop_length)
    return Analysis(
        params=params,
        sample_rate=sample_rate,
        n_samples=len(samples),
        spectral=frames,
        onset=onset,
        periodicity=rhythm.onset_periodicity(onset, sample_rate, params.hop_length),
        rms=waveform.loudness(samples, params, scale),
        zcr=waveform.zero_crossing_rate(samples, params),
    )


@dataclass(frozen=True)
class Group:
    """Features that are computed together: `compute` returns one value for each of `names`."""

    names: tuple[str, ...]
    compute: Callable[[Analysis], Floats]
