"""Bootstrap intervals over tracks, or over groups of tracks where groups exist.

The resampled unit is the group (artist, album, duplicate recording), which without groups is the
track: windows of a track, and tracks of a group, resemble each other, so that resampling them one
by one would make intervals too narrow. Percentile intervals, after Efron & Tibshirani (1993),
*An Introduction to the Bootstrap*, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from genreflow.evaluation.predictions import Codes, Floats
from genreflow.params import Evaluation

_BATCH_ELEMENTS = 4_000_000
"""Most numbers held at once while resampling: 32 MB."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval."""

    low: float
    high: float


def accuracy_interval(
    correct: Floats, groups: Sequence[str], settings: Evaluation
) -> Interval | None:
    """Bound a mean of zeros and ones, or of paired differences of them.

    Parameters
    ----------
    correct
        One number per row, for instance 1 where the decision is right; for a difference between
        two models, the difference of their numbers (−1, 0 or 1).
    groups
        The resampled unit of each row.

    Returns
    -------
    Interval or None
        None when there are fewer than two groups to resample.
    """
    table = _per_group(np.column_stack([correct, np.ones(len(correct))]), groups)
    return _bootstrap(table, lambda sums: sums[..., 0] / sums[..., 1], settings)


def f1_interval(
    actual: Codes, predicted: Codes, groups: Sequence[str], settings: Evaluation
) -> Interval | None:
    """Bound macro F1; genres absent from a resample don't count in its macro average."""
    labels = np.unique(actual)
    is_actual = actual[:, None] == labels
    is_predicted = predicted[:, None] == labels
    table = _per_group(np.hstack([is_actual & is_predicted, is_actual, is_predicted]), groups)

    def macro_f1(sums: Floats) -> Floats:
        hits, of_genre, decided = np.split(sums, 3, axis=-1)
        present = of_genre > 0
        f1 = np.divide(2 * hits, of_genre + decided, where=present, out=np.zeros_like(hits))
        mean: Floats = f1.sum(axis=-1) / present.sum(axis=-1)
        return mean

    return _bootstrap(table, macro_f1, settings)


def _per_group(rows: Floats, groups: Sequence[str]) -> Floats:
    """Sum the rows of each group; every statistic here is a function of such sums."""
    sums: Floats = pd.DataFrame(rows, dtype=float).groupby(np.asarray(groups)).sum().to_numpy()
    return sums


def _bootstrap(
    table: Floats, statistic: Callable[[Floats], Floats], settings: Evaluation
) -> Interval | None:
    n_groups = len(table)
    if n_groups < 2:
        return None

    def resampled(chosen: Codes, axis: int = -1) -> Floats:
        return statistic(table[chosen].sum(axis=axis - 1))

    result = stats.bootstrap(
        (np.arange(n_groups),),
        resampled,
        vectorized=True,
        n_resamples=settings.n_bootstrap,
        batch=max(1, _BATCH_ELEMENTS // table.size),
        confidence_level=settings.confidence,
        method="percentile",
        rng=np.random.default_rng(settings.seed),
    )
    low, high = result.confidence_interval
    return Interval(float(low), float(high))
