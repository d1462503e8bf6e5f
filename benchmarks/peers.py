"""The same work done by other packages, each of them optional.

A function here imports its package and returns what handles one track, or raises ImportError (or
OSError, when the package's own libraries don't load).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Amplitude = npt.NDArray[np.float32]
Handle = Callable[[Amplitude], object]

N_FFT = 1024


def essentia_handcrafted(sample_rate: int) -> Handle:
    """Describe each frame with essentia, and take mean and std; tempo by its fastest estimator."""
    import essentia
    import essentia.standard as es

    essentia.log.infoActive = False
    window, spectrum = es.Windowing(type="hann", normalized=False), es.Spectrum(size=N_FFT)
    of_spectrum = [
        es.MFCC(
            inputSize=N_FFT // 2 + 1, numberBands=128, numberCoefficients=13, sampleRate=sample_rate
        ),
        es.Centroid(range=sample_rate / 2),
        es.RollOff(sampleRate=sample_rate),
        es.Flatness(),
        es.SpectralContrast(frameSize=N_FFT, sampleRate=sample_rate, highFrequencyBound=11000),
        es.Flux(),
    ]
    of_frame = [es.RMS(), es.ZeroCrossingRate()]
    tempo = es.PercivalBpmEstimator(sampleRate=sample_rate)

    def handle(y: Amplitude) -> object:
        rows = []
        for frame in es.FrameGenerator(y, frameSize=N_FFT, hopSize=512):
            bins = spectrum(window(frame))
            found = [describe(bins) for describe in of_spectrum]
            found += [describe(frame) for describe in of_frame]
            rows.append(
                np.hstack(
                    [np.hstack(np.atleast_1d(*f)) if isinstance(f, tuple) else f for f in found]
                )
            )
        series = np.array(rows)
        return series.mean(axis=0), series.std(axis=0), tempo(y)

    return handle


def opensmile_handcrafted(sample_rate: int) -> Handle:
    """Extract openSMILE's IS09 set: 12 functionals of 32 series (MFCC, RMS, ZCR, F0; deltas)."""
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.IS09,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )
    return lambda y: smile.process_signal(y, sample_rate)


def essentia_mel(sample_rate: int) -> Handle:
    """Compute log-mel frames with essentia."""
    import essentia.standard as es

    window, spectrum = es.Windowing(type="hann", normalized=False), es.PowerSpectrum(size=N_FFT)
    bands = es.MelBands(
        inputSize=N_FFT // 2 + 1,
        numberBands=128,
        sampleRate=sample_rate,
        highFrequencyBound=sample_rate / 2,
        warpingFormula="slaneyMel",
        type="power",
    )

    def handle(y: Amplitude) -> object:
        frames = es.FrameGenerator(y, frameSize=N_FFT, hopSize=256)
        power = np.array([bands(spectrum(window(frame))) for frame in frames])
        return 10 * np.log10(np.maximum(power, 1e-10))

    return handle


def nnaudio_mel(sample_rate: int) -> Handle:
    """Compute log-mel frames with nnAudio, on the processor."""
    import torch
    from nnAudio.features.mel import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(
        sr=sample_rate, n_fft=N_FFT, hop_length=256, n_mels=128, pad_mode="constant", verbose=False
    )

    def handle(y: Amplitude) -> object:
        with torch.no_grad():
            return 10 * torch.log10(torch.clamp(transform(torch.from_numpy(y)[None]), min=1e-10))

    return handle


def torchaudio_mel(sample_rate: int) -> Handle:
    """Compute log-mel frames with torchaudio."""
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(
        sample_rate, n_fft=N_FFT, hop_length=256, n_mels=128, norm="slaney", mel_scale="slaney"
    )

    def handle(y: Amplitude) -> object:
        with torch.no_grad():
            return 10 * torch.log10(torch.clamp(transform(torch.from_numpy(y)), min=1e-10))

    return handle


def essentia_music_extractor() -> Callable[[str], object]:
    """Describe a file with essentia's extractor, which its genre classifiers (SVMs) read."""
    import essentia
    import essentia.standard as es

    essentia.log.infoActive = False
    extractor = es.MusicExtractor(
        **{f"{part}Stats": ["mean", "stdev"] for part in ("lowlevel", "rhythm", "tonal")}
    )
    return lambda path: extractor(path)


def musicnn_tagger() -> Callable[[str], object]:
    """Tag a file with musicnn, as it is rebuilt here: 50 tags for every three seconds."""
    from pathlib import Path

    from genreflow.audio.stretches import stretches
    from genreflow.features.embedding.encoders import EncoderError
    from genreflow.features.embedding.extract import embed
    from genreflow.params import Audio
    from genreflow.registry.embedding import Embedding

    audio, tags = Audio(), Embedding(encoder=["musicnn-msd"], layers=["tags"])

    def handle(path: str) -> object:
        heard = stretches(Path(path), audio, audio.max_seconds)
        return [embed(s.samples, audio.sample_rate, tags) for s in heard if s.samples is not None]

    try:
        embed(np.ones(audio.sample_rate * 4, dtype=np.int16), audio.sample_rate, tags)
    except EncoderError as error:
        raise ImportError(str(error)) from None
    return handle
