"""What the music looks like: the envelope and a mel spectrogram of a few tracks of each genre."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from genreflow.audio.cache import AudioShard
from genreflow.audio.samples import FULL_SCALE, Samples
from genreflow.features.mel.levels import log_mel
from genreflow.features.stft import Floats, bin_frequencies, mel_filters
from genreflow.registry.mel import Mel
from genreflow.store.stamp import Stamp

RANGE_DB = 80.0
"""What the pictures show below the loudest point [dB]."""

_COLUMNS = 240
"""Width of the pictures: as many columns as a small figure has pixels."""
_TICKS_HZ = (250, 1000, 4000)

SCHEMA = pa.schema(
    [
        ("genre", pa.string()),
        ("track_id", pa.string()),
        ("seconds", pa.float64()),
        # Least and largest amplitude of each column, -1 to 1.
        ("low", pa.list_(pa.float32())),
        ("high", pa.list_(pa.float32())),
        # Rows from the highest band to the lowest; 255 is the loudest point, 0 is RANGE_DB below.
        ("picture", pa.list_(pa.uint8())),
        ("bands", pa.int32()),
        # Frequencies worth a label, and their heights from the bottom [%].
        ("tick_hz", pa.list_(pa.int32())),
        ("tick_at", pa.list_(pa.float64())),
    ]
)
"""One row per track, in the order of genre and track_id."""


def examples(
    tracks: pd.DataFrame, audio: Sequence[Path], expected: Stamp, mel: Mel, per_genre: int
) -> pa.Table:
    """Draw the first usable tracks of every genre.

    Parameters
    ----------
    tracks
        Usable tracks: columns track_id, genre and shard.
    audio
        Audio cache of all shards.
    expected
        What the cache must have been made with.
    mel
        How the spectra are computed.
    per_genre
        Tracks of each genre.

    Returns
    -------
    Table
        See :data:`SCHEMA`.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        The audio cache was made with other parameters.
    """
    chosen = tracks.sort_values("track_id").groupby("genre", sort=True).head(per_genre)
    rows = list(_draw(chosen, {path.stem: path for path in audio}, expected, mel))
    rows.sort(key=lambda row: (row["genre"], row["track_id"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _draw(
    chosen: pd.DataFrame, audio: dict[str, Path], expected: Stamp, mel: Mel
) -> Iterator[dict[str, Any]]:
    for shard_name, tracks in chosen.groupby("shard"):
        with AudioShard(audio[str(shard_name)], expected) as shard:
            tick_hz, tick_at = _frequency_ticks(mel, shard.sample_rate)
            for track in tracks.to_dict("records"):
                samples = shard.samples(shard.track_id.index(track["track_id"]))
                low, high = _envelope(samples)
                picture = _picture(log_mel(samples, shard.sample_rate, mel))
                yield {
                    "genre": track["genre"],
                    "track_id": track["track_id"],
                    "seconds": len(samples) / shard.sample_rate,
                    "low": low,
                    "high": high,
                    "picture": picture.ravel(),
                    "bands": len(picture),
                    "tick_hz": tick_hz,
                    "tick_at": tick_at,
                }


def _envelope(samples: Samples) -> tuple[list[float], list[float]]:
    columns = np.array_split(samples, min(_COLUMNS, len(samples)))
    low = [float(column.min()) / FULL_SCALE for column in columns]
    return low, [float(column.max()) / FULL_SCALE for column in columns]


def _picture(levels: Floats) -> npt.NDArray[np.uint8]:
    """Average over time into columns; 0 is :data:`RANGE_DB` below the loudest point."""
    columns = np.array_split(levels, min(_COLUMNS, len(levels)))
    picture = np.stack([column.mean(axis=0) for column in columns], axis=1)[::-1]
    shares = np.clip(1 + (picture - picture.max()) / RANGE_DB, 0, 1)
    scaled: npt.NDArray[np.uint8] = (shares * 255).round().astype(np.uint8)
    return scaled


def _frequency_ticks(mel: Mel, sample_rate: int) -> tuple[list[int], list[float]]:
    """Place frequencies by the centres of the mel bands."""
    filters = mel_filters(sample_rate, mel.n_fft, mel.n_mels, mel.fmin, mel.fmax)
    weights = filters.sum(axis=1)
    known = np.flatnonzero(weights > 0)
    centres = (filters @ bin_frequencies(sample_rate, mel.n_fft))[known] / weights[known]
    ticks = [tick for tick in _TICKS_HZ if centres[0] < tick < centres[-1]]
    return ticks, [
        float(100 * (np.interp(tick, centres, known) + 0.5) / mel.n_mels) for tick in ticks
    ]
