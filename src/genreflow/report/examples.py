"""What the music looks like: a waveform and a mel spectrogram per genre."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreflow import lineage
from genreflow.audio import AudioShard
from genreflow.features.mel import log_mel
from genreflow.features.spectrum import bin_frequencies, mel_filters
from genreflow.report import png
from genreflow.report.results import Results

_COLUMNS = 240
"""Width of the pictures: as many columns as a small figure has pixels."""
RANGE_DB = 80.0
"""What the pictures show below the loudest point [dB]."""
_TICKS_HZ = (250, 1000, 4000)


@dataclass(frozen=True)
class Example:
    """One track in pictures.

    Parameters
    ----------
    waveform
        SVG path of the envelope in a box of 240 × 2: minimum and maximum per column.
    spectrogram
        PNG data URL, low frequencies at the bottom.
    seconds
        Length [s].
    ticks
        Frequency labels and their height from the bottom [%].
    """

    genre: str
    track_id: str
    waveform: str
    spectrogram: str
    seconds: float
    ticks: list[tuple[str, float]]


def examples(results: Results) -> list[Example]:
    """Draw the first usable tracks of every genre, ``report.examples_per_genre`` of each.

    Raises
    ------
    OSError, genreflow.artifacts.StaleArtifactError
        The audio cache is missing, or was made with other parameters.
    """
    return list(_draw(results))


def _draw(results: Results) -> Iterator[Example]:
    usable = results.tracks[results.tracks["status"] == "ok"].sort_values("track_id")
    chosen = usable.groupby("genre", sort=True).head(results.params.report.examples_per_genre)
    stamp = lineage.stamp("audio", results.params)
    for shard_name, tracks in chosen.sort_values(["genre", "track_id"]).groupby("shard"):
        with AudioShard(results.folder / "audio" / f"{shard_name}.arrow", stamp) as shard:
            for track in tracks.to_dict("records"):
                samples = shard.samples(shard.track_id.index(track["track_id"]))
                levels = log_mel(samples, shard.sample_rate, results.params.features.mel)
                yield Example(
                    genre=track["genre"],
                    track_id=track["track_id"],
                    waveform=_envelope(samples),
                    spectrogram=_picture(levels),
                    seconds=len(samples) / shard.sample_rate,
                    ticks=_frequency_ticks(results, shard.sample_rate),
                )


def _envelope(samples: npt.NDArray[np.int16]) -> str:
    columns = np.array_split(samples, min(_COLUMNS, len(samples)))
    high = [f"{x},{1 - column.max() / 32768:.3f}" for x, column in enumerate(columns)]
    low = [f"{x},{1 - column.min() / 32768:.3f}" for x, column in enumerate(columns)]
    return "M" + "L".join(high + low[::-1]) + "Z"


def _picture(levels: npt.NDArray[np.float32]) -> str:
    """Average over time into columns; black is 80 dB below the loudest point."""
    columns = np.array_split(levels, min(_COLUMNS, len(levels)))
    picture = np.stack([column.mean(axis=0) for column in columns], axis=1)[::-1]
    shares = np.clip(1 + (picture - picture.max()) / RANGE_DB, 0, 1)
    return png.data_url((shares * 255).round().astype(np.uint8), png.heat_palette())


def _frequency_ticks(results: Results, sample_rate: int) -> list[tuple[str, float]]:
    """Place frequencies by the centres of the mel bands."""
    mel = results.params.features.mel
    filters = mel_filters(sample_rate, mel.n_fft, mel.n_mels, mel.fmin, mel.fmax)
    weights = filters.sum(axis=1)
    known = np.flatnonzero(weights > 0)
    centres = (filters @ bin_frequencies(sample_rate, mel.n_fft))[known] / weights[known]
    return [
        (
            f"{tick / 1000:g} kHz" if tick >= 1000 else f"{tick} Hz",
            float(100 * (np.interp(tick, centres, known) + 0.5) / mel.n_mels),
        )
        for tick in _TICKS_HZ
        if centres[0] < tick < centres[-1]
    ]
