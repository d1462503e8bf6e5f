"""The mel spectrogram of a file of any length, as a small image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genreflow.audio.stretches import Stretch
from genreflow.features.mel.levels import log_mel
from genreflow.features.stft import Floats, bin_frequencies, mel_filters
from genreflow.registry.mel import Mel
from genreflow.report.png import data_url, heat_palette

COLUMNS = 1200
"""Most columns of the image."""

_RANGE_DB = 60.0
_TICKS_HZ = (250, 1000, 4000)
_PARAMS = Mel(n_mels=96, n_fft=2048, hop_length=512, skip_silence=False, normalise=False)


class Picture:
    """A spectrogram that grows with the file.

    A column stands for one frame at first. When there are twice as many as the image may have,
    each two become one, so that what is kept doesn't grow with the file.

    Parameters
    ----------
    sample_rate
        Of the samples [Hz].
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._seconds = _PARAMS.hop_length / sample_rate
        self._columns = np.empty((0, _PARAMS.n_mels), dtype=np.float32)

    def add(self, stretch: Stretch) -> None:
        """Draw a stretch where it lies in the file."""
        if stretch.samples is None:
            return
        levels = log_mel(stretch.samples, self._rate, _PARAMS)
        times = stretch.start + np.arange(len(levels)) * (_PARAMS.hop_length / self._rate)
        while times[-1] / self._seconds >= 2 * COLUMNS:
            self._columns = _halved(self._columns)
            self._seconds *= 2
        places = (times / self._seconds).astype(int)
        self._columns = _as_long(self._columns, places[-1] + 1)
        np.maximum.at(self._columns, places, levels)

    def data_url(self, seconds: float) -> str:
        """Return the image, low frequencies at the bottom, as a PNG data URL.

        Parameters
        ----------
        seconds
            Length of the file [s].
        """
        levels = _as_long(self._columns, max(1, round(seconds / self._seconds)))
        if len(levels) > COLUMNS:
            levels = _halved(levels)
        shares = np.clip(1 + (levels - levels.max()) / _RANGE_DB, 0, 1)
        return data_url((255 * shares).round().astype(np.uint8).T[::-1], heat_palette())

    def ticks(self) -> list[tuple[str, float]]:
        """Return labels of frequencies, and where they are: 0 at the bottom, 1 at the top."""
        filters = mel_filters(self._rate, _PARAMS.n_fft, _PARAMS.n_mels, _PARAMS.fmin, _PARAMS.fmax)
        frequencies = bin_frequencies(self._rate, _PARAMS.n_fft)
        weights = filters.sum(axis=1)
        known = np.flatnonzero(weights > 0)
        centres: npt.NDArray[np.float64] = (filters @ frequencies)[known] / weights[known]
        return [
            (
                f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz",
                float((np.interp(hz, centres, known) + 0.5) / _PARAMS.n_mels),
            )
            for hz in _TICKS_HZ
            if hz < centres[-1]
        ]


def _as_long(columns: Floats, count: int) -> Floats:
    """Return `count` columns or more, silent where there were none."""
    missing = max(0, count - len(columns))
    return np.pad(columns, ((0, missing), (0, 0)), constant_values=_PARAMS.floor_db)


def _halved(columns: Floats) -> Floats:
    """Return the louder of each two columns."""
    even = _as_long(columns, len(columns) + len(columns) % 2)
    return np.maximum(even[::2], even[1::2])
