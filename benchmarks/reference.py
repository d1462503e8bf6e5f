"""The obvious librosa script: one call per descriptor, one mel spectrogram per window.

What it computes is what genreflow computes. It is the yardstick of the benchmarks, and of the
tests that compare values.
"""

from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.stats

Array = npt.NDArray[np.floating]


def describe(
    y: Array,
    sample_rate: int,
    *,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mfcc: int = 13,
    rolloff_percent: float = 0.85,
) -> dict[str, Array]:
    """Return every framewise descriptor, each from the amplitudes `y`."""
    frames = {"n_fft": n_fft, "hop_length": hop_length}
    time_frames = {"frame_length": n_fft, "hop_length": hop_length}
    feature = librosa.feature
    mfccs = feature.mfcc(y=y, sr=sample_rate, n_mfcc=n_mfcc, **frames)
    return {
        "centroid": feature.spectral_centroid(y=y, sr=sample_rate, **frames)[0],
        "rolloff": feature.spectral_rolloff(
            y=y, sr=sample_rate, roll_percent=rolloff_percent, **frames
        )[0],
        "onset": librosa.onset.onset_strength(y=y, sr=sample_rate, **frames),
        "rms": feature.rms(y=y, **time_frames)[0],
        "zcr": feature.zero_crossing_rate(y, **time_frames)[0],
        "contrast": feature.spectral_contrast(y=y, sr=sample_rate, **frames).ravel(),
        "bandwidth": feature.spectral_bandwidth(y=y, sr=sample_rate, **frames)[0],
        "flatness": feature.spectral_flatness(y=y, **frames)[0],
    } | {f"mfcc_{i:02d}": series for i, series in enumerate(mfccs, start=1)}


def summarise(series: Array) -> dict[str, float]:
    """Return the six statistics."""
    return {
        "max": float(np.max(series)),
        "min": float(np.min(series)),
        "mean": float(np.mean(series)),
        "std": float(np.std(series)),
        "kurtosis": float(scipy.stats.kurtosis(series)),
        "skew": float(scipy.stats.skew(series)),
    }


def tempo(y: Array, sample_rate: int, *, n_fft: int = 1024, hop_length: int = 512) -> float:
    """Return the tempo [beats per minute]."""
    onset = librosa.onset.onset_strength(y=y, sr=sample_rate, n_fft=n_fft, hop_length=hop_length)
    estimate = librosa.feature.tempo(onset_envelope=onset, sr=sample_rate, hop_length=hop_length)
    return float(estimate[0])


def handcrafted(y: Array, sample_rate: int, *, top_db: float = 60.0) -> dict[str, float]:
    """Return the classic set, by name."""
    features = {
        f"{name}_{statistic}": value
        for name, series in describe(y, sample_rate).items()
        for statistic, value in summarise(series).items()
    }
    _, (start, end) = librosa.effects.trim(y, top_db=top_db, frame_length=1024, hop_length=512)
    features["silence_leading"] = start / sample_rate
    features["silence_trailing"] = (len(y) - end) / sample_rate
    features["tempo"] = tempo(y, sample_rate)
    return features


def mel(y: Array, sample_rate: int) -> Array:
    """Return the log-mel spectrogram, (128, frames) [dB]."""
    power = librosa.feature.melspectrogram(y=y, sr=sample_rate, n_fft=1024, hop_length=256)
    return librosa.power_to_db(power, top_db=None)


def mel_windows(
    y: Array, sample_rate: int, *, window_seconds: float = 1.5, overlap: float = 0.5
) -> Array:
    """Return the log-mel spectrogram of each window, (windows, 128, frames) [dB]."""
    length = int(window_seconds * sample_rate)
    step = int(length * (1 - overlap))
    starts = range(0, len(y) - length + 1, step)
    return np.stack([mel(y[start : start + length], sample_rate) for start in starts])


def transforms(y: Array, *, n_fft: int = 1024, hop_length: int = 256) -> None:
    """Transform the frames of a track, 64 at a time: the least that any spectrogram costs."""
    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    for start in range(0, len(frames), 64):
        scipy.fft.rfft(frames[start : start + 64], axis=1)
