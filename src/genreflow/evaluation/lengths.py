"""Accuracy against clip length, where lengths differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow.evaluation.predictions import Floats, Predictions

_BINS = 5
_SAME_LENGTH = 0.05
"""Lengths that differ by less than this share of the longer one count as equal."""


def accuracy_by_length(
    decisions: Mapping[str, Predictions], seconds: pd.Series[float]
) -> pd.DataFrame:
    """Compare accuracy over quantile bins of clip length.

    Parameters
    ----------
    decisions
        Track-level decisions per model.
    seconds
        Length of each track [s], indexed by track_id.

    Returns
    -------
    DataFrame
        model, seconds (mean length of the bin), seconds_low, seconds_high, n, accuracy; empty when
        all clips are about as long.
    """
    columns = ["model", "seconds", "seconds_low", "seconds_high", "n", "accuracy"]
    tested = sorted({track for part in decisions.values() for track in part.keys["track_id"]})
    lengths = seconds.reindex(tested).dropna()
    if lengths.empty or np.ptp(lengths) <= _SAME_LENGTH * lengths.max():
        return pd.DataFrame(columns=columns)
    edges = _edges(lengths.to_numpy())
    if len(edges) < 3:
        return pd.DataFrame(columns=columns)
    rows = []
    for model, part in decisions.items():
        of_row = seconds.reindex(part.keys["track_id"]).to_numpy()
        bin_of_row = np.clip(np.searchsorted(edges, of_row, side="right") - 1, 0, len(edges) - 2)
        right = part.actual == part.predicted
        for position in range(len(edges) - 1):
            here = (bin_of_row == position) & ~np.isnan(of_row)
            if here.any():
                rows.append(
                    {
                        "model": model,
                        "seconds": float(of_row[here].mean()),
                        "seconds_low": edges[position],
                        "seconds_high": edges[position + 1],
                        "n": int(here.sum()),
                        "accuracy": float(right[here].mean()),
                    }
                )
    return pd.DataFrame(rows, columns=columns)


def _edges(lengths: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return quantiles, less those so close to the one before that the lengths count as equal."""
    quantiles = np.quantile(lengths, np.linspace(0, 1, _BINS + 1))
    edges = [quantiles[0]]
    for edge in quantiles[1:-1]:
        if edge - edges[-1] > _SAME_LENGTH * edge:
            edges.append(edge)
    return np.array([*edges, quantiles[-1]])
