"""Accuracy against clip length, where lengths differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow.columns import SAME_LENGTH
from genreflow.evaluation.predictions import Floats, Predictions

_BINS = 5
_GAP = 1.5
"""Clips so many times as long as the next shorter one are another kind of clips."""


def accuracy_by_length(
    decisions: Mapping[str, Predictions], seconds: pd.Series[float]
) -> pd.DataFrame:
    """Compare accuracy over bins of clip length: quantiles, and where lengths leave a gap.

    Parameters
    ----------
    decisions
        Track-level decisions per model.
    seconds
        Length of each track [s], indexed by track_id.

    Returns
    -------
    DataFrame
        Columns model, seconds (mean length of the bin), seconds_low, seconds_high, n, accuracy;
        empty when all clips are about as long.
    """
    columns = ["model", "seconds", "seconds_low", "seconds_high", "n", "accuracy"]
    tested = sorted({track for part in decisions.values() for track in part.keys["track_id"]})
    lengths = seconds.reindex(tested).dropna()
    if lengths.empty or np.ptp(lengths) <= SAME_LENGTH * lengths.max():
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
    """Return quantiles and lengths after a gap, less those that count as equal to the one before.

    Of a bin, the lower edge belongs to it.
    """
    ordered = np.sort(lengths)
    after_gaps = ordered[1:][ordered[1:] >= _GAP * ordered[:-1]]
    quantiles = np.quantile(ordered, np.linspace(0, 1, _BINS + 1)[1:-1])
    edges = [ordered[0]]
    for edge in np.sort(np.concatenate([quantiles, after_gaps])):
        if edge - edges[-1] > SAME_LENGTH * edge:
            edges.append(edge)
    return np.array([*edges, ordered[-1]])
