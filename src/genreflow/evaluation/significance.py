"""Whether a difference between two models is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from genreflow.evaluation.predictions import Floats

PERMUTATIONS = 19_999
"""Flips drawn where groups are too many to try all of them; the least p-value is 0.00005."""

_FLIPPED_AT_ONCE = 12
"""Groups whose signs are one draw; the 4096 sums they can have stay in the cache."""

_EQUAL = 1e-9
"""Sums of fractions closer than this, relative to their largest, differ by rounding alone."""


def mcnemar_p(gained: Floats) -> float:
    """Return the p-value of the exact, two-sided McNemar test on paired tracks.

    Only tracks on which exactly one of the two is right carry information; under the null
    hypothesis they fall to either side like a fair coin. McNemar (1947), Psychometrika 12.

    Parameters
    ----------
    gained
        (n,) 1 where only the one model is right, −1 where only the other is, else 0.

    Returns
    -------
    float
        1 where the models are never right alone.

    Examples
    --------
    >>> mcnemar_p(np.array([1, 1, 1, 1, 1, 0, 0, 0]))
    0.0625
    """
    better, worse = int(np.sum(gained > 0)), int(np.sum(gained < 0))
    if not better + worse:
        return 1.0
    return float(stats.binomtest(better, better + worse).pvalue)


def paired_p(
    gained: Floats, groups: Sequence[str], *, seed: int, n_permutations: int = PERMUTATIONS
) -> float:
    """Return the two-sided p-value of a difference on the same tracks.

    Tracks of one artist stand or fall together, so what is flipped under the null hypothesis is
    which of the two models is which, for all rows of a group at once (Good 2005, *Permutation,
    Parametric and Bootstrap Tests of Hypotheses*, chapter 3). With few groups all flips are tried;
    of drawn ones, the observed is one more (Phipson & Smyth 2010, Statistical Applications in
    Genetics and Molecular Biology 9). Where every track is a group of its own and was decided
    once, that is the exact McNemar test, which needs no draws.

    Parameters
    ----------
    gained
        (n,) differences between −1 and 1, row by row: right or wrong, or a mean of that over
        trainings.
    groups
        (n,) what each row belongs to.
    seed
        Of the flips.
    n_permutations
        How many of them are drawn, and up to how many all are tried.

    Returns
    -------
    float
        At least 1 / (`n_permutations` + 1) where flips are drawn.

    Examples
    --------
    Six tracks of three artists say less than six of six:

    >>> gained = np.array([1, 1, 1, 1, 1, 1])
    >>> paired_p(gained, list("aabbcc"), seed=0)
    0.25
    >>> paired_p(gained, list("abcdef"), seed=0)
    0.03125
    """
    of_row, names = pd.factorize(np.asarray(groups, dtype=object))
    if len(names) == len(gained) and np.isin(gained, (-1, 0, 1)).all():
        return mcnemar_p(gained)
    of_group = np.bincount(of_row, gained).astype(float)
    rounding = _EQUAL * max(1.0, float(np.abs(of_group).sum()))
    of_group = of_group[np.abs(of_group) > rounding]
    at_least = abs(float(of_group.sum())) - rounding
    if 2 ** len(of_group) <= n_permutations:
        return float(np.mean(np.abs(_all_flips(of_group)) >= at_least))
    drawn = np.abs(_drawn_flips(of_group, n_permutations, seed))
    return (int(np.sum(drawn >= at_least)) + 1) / (n_permutations + 1)


def _all_flips(of_group: Floats) -> Floats:
    """Return the (2ⁿ,) sums over all signs of n groups."""
    sums = np.zeros(1)
    for value in of_group:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_flips(of_group: Floats, n: int, seed: int) -> Floats:
    """Return (n,) sums with random signs.

    Drawn for a few groups at a time, from all the sums they can have: one draw does for all.
    """
    rng = np.random.default_rng(seed)
    sums = np.zeros(n)
    for start in range(0, len(of_group), _FLIPPED_AT_ONCE):
        sums += rng.choice(_all_flips(of_group[start : start + _FLIPPED_AT_ONCE]), n)
    return sums


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust the p-values of a family of tests so that one false alarm in all of them is rare.

    Holm (1979), Scandinavian Journal of Statistics 6.

    Parameters
    ----------
    p_values
        Of every test, by its name.

    Returns
    -------
    dict
        The adjusted ones, in the same order.

    Examples
    --------
    >>> holm({"cnn": 0.25, "lstm": 0.5})
    {'cnn': 0.5, 'lstm': 0.5}
    """
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))
