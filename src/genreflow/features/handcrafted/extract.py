"""One vector per track: framewise descriptors, each summarised by six statistics, and more.

The classic set holds 129 features: 21 series (8 descriptors and 13 MFCCs) times 6 statistics,
leading and trailing silence, and tempo. Studies that count 133 take the six statistics of the two
silences as well. Their kurtosis and skew are undefined or constant and the rest doesn't tell the
beginning from the end, so the two durations stand for themselves here. What the extended set adds
stands in :mod:`genreflow.features.handcrafted.extended`.

References
----------
G. Tzanetakis and P. Cook, "Musical genre classification of audio signals", IEEE Trans. SAP 10(5),
2002.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genreflow.audio.samples import Samples
from genreflow.features.handcrafted import extended, rhythm, waveform
from genreflow.features.handcrafted.analysis import Analysis, Group, analyse
from genreflow.features.handcrafted.spectral import mfcc
from genreflow.features.handcrafted.summary import PLAIN, ROBUST, summarise
from genreflow.features.stft import Floats
from genreflow.registry.handcrafted import Handcrafted

if TYPE_CHECKING:
    from genreflow.audio.cache import AudioShard
    from genreflow.store.stamp import Stamp

_SERIES = ("centroid", "rolloff", "onset", "rms", "zcr", "contrast", "bandwidth", "flatness")


def groups(params: Handcrafted) -> list[Group]:
    """Return the groups of features that make up ``params.set``."""
    series = (*_SERIES, *(f"mfcc_{i:02d}" for i in range(1, params.n_mfcc + 1)))
    statistics = ROBUST if params.statistics == "robust" else PLAIN
    classic = [
        Group(tuple(f"{name}_{statistic}" for name in series for statistic in statistics), _series)
    ]
    if not params.skip_silence:
        classic.append(Group(("silence_leading", "silence_trailing"), _silence))
    classic.append(Group(("tempo",), _tempo))
    return classic + (extended.groups(params.n_mfcc) if params.set == "extended" else [])


def row_names(params: Handcrafted) -> tuple[str, ...]:
    """Return the names of the features, in the order of :func:`extract`.

    Parameters
    ----------
    params
        The section ``features.handcrafted``.

    Returns
    -------
    tuple of str
        One name a feature.

    Examples
    --------
    >>> len(row_names(Handcrafted()))
    401
    >>> len(row_names(Handcrafted(set="classic", skip_silence=False)))
    129
    """
    return tuple(name for group in groups(params) for name in group.names)


def extract(samples: Samples, sample_rate: int, params: Handcrafted) -> Floats:
    """Return the features of a track, (n_features,) float32, finite throughout.

    What is undefined (the skew of a constant series) is 0.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    params
        The section ``features.handcrafted``.

    Returns
    -------
    ndarray of shape (n_features,)
        In the order of :func:`row_names`. Frequencies are in Hz, levels, onsets and contrasts in
        dB, the tempo in beats per minute, silences in seconds; ratios of moments have no unit.

    References
    ----------
    G. Tzanetakis and P. Cook, "Musical genre classification of audio signals", IEEE Trans. SAP
    10(5), 2002.

    Examples
    --------
    >>> tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(44100) / 22050)
    >>> values = extract(tone.astype(np.int16), 22050, Handcrafted())
    >>> found = dict(zip(row_names(Handcrafted()), values.tolist(), strict=True))
    >>> round(found["centroid_mean"], -1)  # [Hz]
    440.0
    """
    track = analyse(samples, sample_rate, params)
    return np.concatenate([group.compute(track) for group in groups(params)])


def _series(track: Analysis) -> Floats:
    spectral = track.spectral
    single = [
        *(spectral.centroid, spectral.rolloff, track.onset, track.rms, track.zcr),
        *(spectral.bandwidth, spectral.flatness, *mfcc(spectral.mel, track.params.n_mfcc)),
    ]
    statistics = summarise(np.stack(single), track.params.statistics)
    # Contrast is one descriptor of all its bands: their values are pooled.
    contrast = summarise(spectral.contrast.reshape(1, -1), track.params.statistics)
    place = _SERIES.index("contrast")
    return np.concatenate([statistics[:place], contrast, statistics[place:]]).ravel()


def _silence(track: Analysis) -> Floats:
    return waveform.silence(track.rms, track.n_samples, track.sample_rate, track.params)


def _tempo(track: Analysis) -> Floats:
    tempo = rhythm.tempo(track.periodicity, track.sample_rate, track.params.hop_length)
    return np.array([tempo], dtype=np.float32)


def rows_of(samples: Samples, sample_rate: int, params: Handcrafted) -> Floats:
    """Return the one row of features that a model sees of a track, (1, features)."""
    return extract(samples, sample_rate, params)[np.newaxis]


def write(shard: AudioShard, params: Handcrafted, out: Path, stamp: Stamp) -> None:
    """Write track_id, genre, copy and one float32 column per feature.

    One row per track of a shard, and per copy of it, which follows.
    """
    import pyarrow as pa

    from genreflow.store.tables import write_table

    names = row_names(params)
    shard = shard.with_copies()
    rows = [extract(shard.samples(i), shard.sample_rate, params) for i in range(len(shard))]
    values = np.array(rows, dtype=np.float32).reshape(len(shard), len(names))
    columns = {
        "track_id": pa.array(shard.track_id, pa.string()),
        "genre": pa.array(shard.genre, pa.string()),
        "copy": pa.array(shard.copy, pa.string()),
    } | {name: pa.array(column) for name, column in zip(names, values.T, strict=True)}
    write_table(pa.table(columns), out, shard.stamped(stamp))
