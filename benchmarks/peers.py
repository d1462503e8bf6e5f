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


def audioflux_handcrafted(sample_rate: int) -> Handle:
    """Describe a track with audioFlux, and take mean and std; it has no contrast and no tempo."""
    import audioflux as af
    from audioflux.type import SpectralDataType

    shared = {"radix2_exp": int(np.log2(N_FFT)), "samplate": sample_rate, "slide_length": 512}
    magnitude = af.BFT(
        num=N_FFT // 2 + 1, data_type=SpectralDataType.MAG, is_temporal=True, **shared
    )
    mel = af.MelSpectrogram(num=128, high_fre=sample_rate / 2, **shared)
    spectral = af.Spectral(num=magnitude.num, fre_band_arr=magnitude.get_fre_band_arr())

    def handle(y: Amplitude) -> object:
        # Real results: the complex ones that it returns by default take 20 times the time.
        bins = magnitude.bft(y, result_type=1)
        spectral.set_time_length(bins.shape[1])
        _, rms, crossings = magnitude.get_temporal_data()
        series = np.vstack(
            [
                mel.mfcc(mel.spectrogram(y), 13),
                spectral.centroid(bins),
                spectral.rolloff(bins, threshold=0.85),
                spectral.flatness(bins),
                spectral.spread(bins),
                spectral.flux(bins),
                rms,
                crossings,
            ]
        )
        return series.mean(axis=1), series.std(axis=1)

    return handle


def pyaudioanalysis_handcrafted(sample_rate: int) -> Handle:
    """Take mean and std of pyAudioAnalysis' short-term features and their deltas.

    Its module of mid-term statistics, which takes the same two of stretches of a track, imports
    what Python 3.13 no longer has.
    """
    from pyAudioAnalysis import ShortTermFeatures

    def handle(y: Amplitude) -> object:
        series, _ = ShortTermFeatures.feature_extraction(y, sample_rate, N_FFT, 512)
        return series.mean(axis=1), series.std(axis=1)

    return handle


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


def audioflux_mel(sample_rate: int) -> Handle:
    """Compute log-mel frames with audioFlux: HTK's mel scale, and frames that aren't padded."""
    import audioflux as af

    transform = af.MelSpectrogram(
        num=128,
        samplate=sample_rate,
        high_fre=sample_rate / 2,
        radix2_exp=int(np.log2(N_FFT)),
        slide_length=256,
    )
    return lambda y: 10 * np.log10(np.maximum(transform.spectrogram(y), 1e-10))


def kaldi_mel(sample_rate: int) -> Handle:
    """Compute log-mel frames with kaldi-native-fbank, set up as librosa's are."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    frames, bands = options.frame_opts, options.mel_opts
    frames.samp_freq = sample_rate
    frames.frame_length_ms = 1000 * N_FFT / sample_rate
    frames.frame_shift_ms = 1000 * 256 / sample_rate
    frames.window_type = "hann"
    frames.dither = frames.preemph_coeff = 0
    frames.remove_dc_offset = False
    bands.num_bins = 128
    bands.low_freq = bands.high_freq = 0  # the highest counts from the Nyquist frequency
    bands.is_librosa = True

    def handle(y: Amplitude) -> object:
        fbank = knf.OnlineFbank(options)
        fbank.accept_waveform(sample_rate, np.pad(y, N_FFT // 2))
        fbank.input_finished()
        return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

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
