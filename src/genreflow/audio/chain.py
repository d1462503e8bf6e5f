"""What a recording may go through without another song coming out: codecs, filters, rooms, gain.

Every function takes amplitudes, (n,) float32 at `sample_rate` [Hz], and returns new ones. Full
scale is 1; what lies beyond is kept, as in a file of floating-point numbers, until :func:`to_pcm`.

References
----------
M. Mauch and S. Ewert, "The Audio Degradation Toolbox and its application to robustness
evaluation", ISMIR 2013.
B. L. Sturm, "A simple method to determine if a music information retrieval system is a 'horse'",
IEEE Trans. Multimedia 16(6), 2014 (why such changes are the test of a genre classifier).
"""

from __future__ import annotations

import io
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from genreflow.audio.samples import FULL_SCALE, Samples

Amplitudes = npt.NDArray[np.float32]
Codec = Literal["mp3", "opus"]

_OPUS_RATE, _OPUS_KBPS = 24_000, (6.0, 256.0)
_MP3_KBPS = {
    **dict.fromkeys((8_000, 11_025, 12_000), (8.0, 64.0)),  # MPEG-2.5
    **dict.fromkeys((16_000, 22_050, 24_000), (8.0, 160.0)),  # MPEG-2
    **dict.fromkeys((32_000, 44_100, 48_000), (32.0, 320.0)),  # MPEG-1
}
"""The sample rates that there are, and what libsndfile makes of compression levels 1 and 0."""
_MP3_DELAY = 576 + 529
"""Samples that LAME and a decoder put in front; an MP3's header says so where it finds room."""
_STRONGEST = 0.999
"""Compression level; libsndfile takes 1 for MP3 to be out of range."""
_SHELF_HZ = 1000.0
_VOCODER_SECONDS = 0.046
"""Window of the phase vocoder. Twice as long, it smears beats so much that it costs more accuracy
than the tempo does; half as long, it blurs low notes (docs/experiments.md)."""
_ROOM_SHARE = 0.5


def to_amplitudes(samples: Samples) -> Amplitudes:
    """Turn int16 samples into amplitudes."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def to_pcm(amplitudes: Amplitudes) -> Samples:
    """Round to int16, with the peak brought down to full scale, as the decoder does."""
    peak = float(np.abs(amplitudes).max(initial=1.0))
    scaled = np.rint(amplitudes * np.float32(FULL_SCALE / peak))
    pcm: Samples = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return pcm


def gain(y: Amplitudes, decibels: float) -> Amplitudes:
    """Change the level."""
    return y * np.float32(10 ** (decibels / 20))


def band_limit(y: Amplitudes, sample_rate: int, stored_rate: int) -> Amplitudes:
    """Store at a lower sample rate and bring back; what lies above half of it is gone."""
    if stored_rate >= sample_rate:
        return y.copy()
    stored = _resample(y, sample_rate, stored_rate)
    return _of_length(_resample(stored, stored_rate, sample_rate), len(y))


def through_codec(y: Amplitudes, sample_rate: int, codec: Codec, kbps: float) -> Amplitudes:
    """Encode at a constant rate of about `kbps` [kbit/s] and decode again; both add no delay.

    LAME encodes MP3 at the sample rate, or the next one that MP3 has, Opus works at 24 kHz; both
    come with libsndfile. What a codec can't do at this rate it does as nearly as it can.
    """
    peak = float(np.abs(y).max(initial=1.0))  # Opus and MP3 clip
    rate = _OPUS_RATE if codec == "opus" else _mp3_rate(sample_rate)
    span = _OPUS_KBPS if codec == "opus" else _MP3_KBPS[rate]
    coded = _resample(y / np.float32(peak), sample_rate, rate)
    # Of a file without room for its header, the end would be lost with the delay.
    margin = _MP3_DELAY if codec == "mp3" else 0
    file = io.BytesIO()
    sf.write(
        file,
        np.pad(coded, (0, margin)),
        rate,
        format="MP3" if codec == "mp3" else "OGG",
        subtype="OPUS" if codec == "opus" else None,
        compression_level=_compression(kbps, span),
        bitrate_mode="CONSTANT" if codec == "mp3" else None,
    )
    file.seek(0)
    decoded, _ = sf.read(file, dtype="float32")
    if codec == "mp3" and len(decoded) > len(coded) + margin:
        decoded = decoded[_MP3_DELAY:]
    decoded = _of_length(decoded, len(coded))
    return _of_length(_resample(decoded, rate, sample_rate), len(y)) * np.float32(peak)


def tilt(y: Amplitudes, sample_rate: int, decibels: float) -> Amplitudes:
    """Raise or lower what lies above 1 kHz with a first-order shelf."""
    # SciPy's signals take half a second to import, and most changes do without.
    import scipy.signal

    root = 10 ** (decibels / 40)
    warped = math.tan(math.pi * min(_SHELF_HZ, sample_rate / 4) / sample_rate)
    b = [root * root + warped * root, warped * root - root * root]
    a = [1 + warped * root, warped * root - 1]
    filtered: Amplitudes = scipy.signal.lfilter(b, a, y).astype(np.float32)
    return filtered


def speed(y: Amplitudes, factor: float) -> Amplitudes:
    """Play faster and higher by a factor, like a tape."""
    # The rates stand for their ratio.
    played: Amplitudes = soxr.resample(y, 10_000 * factor, 10_000, quality="HQ")
    return played


def tempo(y: Amplitudes, sample_rate: int, factor: float) -> Amplitudes:
    """Play faster by a factor at the same pitch (phase vocoder); return (n / factor,), rounded."""
    # Most jobs do without librosa, which takes two seconds to import.
    from librosa.effects import time_stretch

    window = 2 ** round(math.log2(_VOCODER_SECONDS * sample_rate))
    stretched: Amplitudes = time_stretch(y, rate=factor, n_fft=window, hop_length=window // 4)
    return stretched


def pitch(y: Amplitudes, sample_rate: int, semitones: float) -> Amplitudes:
    """Play higher at the same tempo (phase vocoder)."""
    factor = 2 ** (semitones / 12)
    return _of_length(speed(tempo(y, sample_rate, 1 / factor), factor), len(y))


def silence(y: Amplitudes, sample_rate: int, before: float, after: float) -> Amplitudes:
    """Add digital silence before and after [s]."""
    return np.pad(y, (round(before * sample_rate), round(after * sample_rate)))


def noise(y: Amplitudes, snr_db: float, rng: np.random.Generator) -> Amplitudes:
    """Add white noise so far below the mean level [dB]."""
    level = float(np.sqrt(np.mean(np.square(y, dtype=np.float64)))) * 10 ** (-snr_db / 20)
    return y + np.float32(level) * rng.standard_normal(len(y), dtype=np.float32)


def room(
    y: Amplitudes, sample_rate: int, reverberation: float, rng: np.random.Generator
) -> Amplitudes:
    """Play in a room that falls by 60 dB within `reverberation` [s]: decaying noise, after Moorer.

    J. A. Moorer, "About this reverberation business", Computer Music Journal 3(2), 1979.
    """
    import scipy.signal  # late, as above

    time = np.arange(1, round(reverberation * sample_rate)) / sample_rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / reverberation)
    tail *= math.sqrt(_ROOM_SHARE / (1 - _ROOM_SHARE) / np.square(tail).sum())
    response = np.concatenate([[1.0], tail]).astype(np.float32)
    return _of_length(scipy.signal.oaconvolve(y, response).astype(np.float32), len(y))


def _mp3_rate(sample_rate: int) -> int:
    """Return the lowest rate of MP3 that loses nothing, or the highest there is."""
    return min((rate for rate in _MP3_KBPS if rate >= sample_rate), default=max(_MP3_KBPS))


def _compression(kbps: float, span: tuple[float, float]) -> float:
    low, high = span
    return float(np.clip((high - kbps) / (high - low), 0, _STRONGEST))


def _resample(y: Amplitudes, before: int, after: int) -> Amplitudes:
    resampled: Amplitudes = y if before == after else soxr.resample(y, before, after, quality="HQ")
    return resampled


def _of_length(y: Amplitudes, length: int) -> Amplitudes:
    """Cut, or pad with silence."""
    return np.pad(y[:length], (0, max(0, length - len(y))))
