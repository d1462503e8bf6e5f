"""The mel spectrogram of a whole file, as a small image."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from genreflow.audio.stretches import Stretch
from genreflow.features.mel.levels import log_mel
from genreflow.registry.mel import Mel
from genreflow.report.png import data_url, heat_palette

COLUMNS = 1200
"""Most columns of the image."""

BANDS = 96
STEP_SECONDS = 0.1
"""What a column stands for until the length of the file is known."""

_RANGE_DB = 60.0
_PARAMS = Mel(n_mels=BANDS, n_fft=2048, hop_length=512, skip_silence=False, normalise=False)


class TooLongError(Exception):
    """A file goes on for longer than is allowed."""


def draw(stretches: Iterable[Stretch], sample_rate: int, most_seconds: float) -> tuple[str, float]:
    """Return a PNG data URL of a file's mel spectrogram, and the length of the file [s].

    Parameters
    ----------
    stretches
        Of the file, in order.
    sample_rate
        Of their samples [Hz].
    most_seconds
        Length at which to give up [s].

    Raises
    ------
    TooLongError
        The file is longer.
    """
    columns: dict[int, np.ndarray] = {}
    end = 0.0
    for stretch in stretches:
        end = stretch.end
        if end > most_seconds:
            raise TooLongError
        if stretch.samples is None:
            continue
        levels = log_mel(stretch.samples, sample_rate, _PARAMS)
        seconds = stretch.start + np.arange(len(levels)) * _PARAMS.hop_length / sample_rate
        place = (seconds / STEP_SECONDS).astype(int)
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        for number, column in zip(place[starts], np.maximum.reduceat(levels, starts), strict=True):
            columns[int(number)] = column
    return data_url(_pixels(columns, end), heat_palette()), end


def _pixels(columns: dict[int, np.ndarray], seconds: float) -> np.ndarray:
    """Return palette indices, (bands, columns), low frequencies at the bottom."""
    count = max(1, math.ceil(seconds / STEP_SECONDS))
    floor = float(_PARAMS.floor_db)
    levels = np.full((count, BANDS), floor, dtype=np.float32)
    for number, column in columns.items():
        levels[min(number, count - 1)] = column
    if count > COLUMNS:
        edges = np.linspace(0, count, COLUMNS, endpoint=False).astype(int)
        levels = np.maximum.reduceat(levels, edges)
    share = np.clip(1 + (levels - levels.max()) / _RANGE_DB, 0, 1)
    pixels: np.ndarray = (255 * share).round().astype(np.uint8).T[::-1]
    return pixels
