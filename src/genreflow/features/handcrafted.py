"""One vector per track: framewise descriptors, each summarised by six statistics, and tempo.

The classic set holds 129 features: 21 series (8 descriptors and 13 MFCCs) times 6 statistics,
leading and trailing silence, and tempo. Studies that count 133 take the six statistics of the two
silences as well. Their kurtosis and skew are undefined or constant and the rest doesn't tell the
beginning from the end, so the two durations stand for themselves here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from genreflow.artifacts import Stamp, write_table
from genreflow.audio import AudioShard
from genreflow.decoding import Samples
from genreflow.features import rhythm, waveform
from genreflow.features.spectral import mfcc, spectral
from genreflow.features.spectrum import Floats
from genreflow.features.summary import STATISTICS, summarise
from genreflow.params import Handcrafted

_SERIES = ("centroid", "rolloff", "onset", "rms", "zcr", "contrast", "bandwidth", "flatness")
_SCALARS = ("silence_leading", "silence_trailing", "tempo")


def feature_names(params: Handcrafted) -> list[str]:
    """Return the names of the features, in the order of :func:`extract`."""
    series = [*_SERIES, *(f"mfcc_{i:02d}" for i in range(1, params.n_mfcc + 1))]
    return [f"{name}_{statistic}" for name in series for statistic in STATISTICS] + list(_SCALARS)


def extract(samples: Samples, sample_rate: int, params: Handcrafted) -> Floats:
    """Return the features of a track, (n_features,) float32, finite throughout.

    What is undefined (the skew of a constant series) is 0.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        [Hz]
    """
    frames = spectral(samples, sample_rate, params)
    onset = rhythm.onset_strength(frames.mel, params.n_fft, params.hop_length)
    rms = waveform.loudness(samples, params)
    zcr = waveform.zero_crossing_rate(samples, params)
    single = [
        *(frames.centroid, frames.rolloff, onset, rms, zcr, frames.bandwidth, frames.flatness),
        *mfcc(frames.mel, params.n_mfcc),
    ]
    statistics = summarise(np.stack(single))
    # Contrast is one descriptor of all its bands: their values are pooled.
    contrast = summarise(frames.contrast.reshape(1, -1))
    place = _SERIES.index("contrast")
    statistics = np.concatenate([statistics[:place], contrast, statistics[place:]])
    silence = waveform.silence(rms, len(samples), sample_rate, params)
    periodicity = rhythm.onset_periodicity(onset, sample_rate, params.hop_length)
    tempo = np.array([rhythm.tempo(periodicity, sample_rate, params.hop_length)], np.float32)
    return np.concatenate([statistics.ravel(), silence, tempo])


def write_handcrafted(shard: AudioShard, params: Handcrafted, out: Path, stamp: Stamp) -> None:
    """Write track_id, genre and one float32 column per feature, one row per track of a shard."""
    names = feature_names(params)
    rows = [extract(shard.samples(i), shard.sample_rate, params) for i in range(len(shard))]
    values = np.array(rows, dtype=np.float32).reshape(len(shard), len(names))
    columns = {
        "track_id": pa.array(shard.track_id, pa.string()),
        "genre": pa.array(shard.genre, pa.string()),
    } | {name: pa.array(column) for name, column in zip(names, values.T, strict=True)}
    write_table(pa.table(columns), out, shard.stamped(stamp))
