"""Mel windows as XGBoost reads them: averaged over tiles, batch by batch."""

from __future__ import annotations

from collections.abc import Callable

import xgboost as xgb

from genreflow.models.base import Examples, Floats


def average_tiles(values: Floats, time_pool: int, band_pool: int) -> Floats:
    """Average (n, time, frequency, 1) over tiles: (n, tiles). What is left over is dropped.

    Parameters
    ----------
    values
        Windows.
    time_pool, band_pool
        Frames and bands of a tile; at most as many as a window has.
    """
    n, time, bands, _ = values.shape
    frames, wide = min(time_pool, time), min(band_pool, bands)
    rows, columns = time // frames, bands // wide
    whole = values[:, : rows * frames, : columns * wide]
    tiles: Floats = whole.reshape(n, rows, frames, columns, wide).mean(axis=(2, 4))
    return tiles.reshape(n, -1)


class TileBatches(xgb.DataIter):
    """Hand windows to XGBoost's quantile sketch batch by batch.

    Parameters
    ----------
    examples
        Labelled windows.
    time_pool, band_pool
        See :func:`average_tiles`.
    """

    def __init__(self, examples: Examples, time_pool: int, band_pool: int) -> None:
        super().__init__()
        self._examples = examples
        self._pool = time_pool, band_pool
        self._weight = examples.weight()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._batches = self._examples.batches()
        self._start = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        """Pass one batch to `input_data`; return whether there was one."""
        values = next(self._batches, None)
        if values is None:
            return False
        here = slice(self._start, self._start + len(values))
        self._start = here.stop
        input_data(
            data=average_tiles(values, *self._pool),
            label=self._examples.label[here],
            weight=self._weight[here],
        )
        return True
