"""Whether a difference to the baseline is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

PERMUTATIONS = 19_999
"""Flips drawn where groups are too many to try all of them; the least p-value is 0.0001."""


def mcnemar_p(correct: npt.NDArray[np.bool_], baseline_correct: npt.NDArray[np.bool_]) -> float:
    """Return the p-value of the exact, two-sided McNemar test on paired tracks.

    Only tracks on which exactly one of the two is right carry information; under the null
    hypothesis they fall to either side like a fair coin. McNemar (1947), Psychometrika 12.
    """
    pairs = [
        [int(np.sum(correct & baseline_correct)), int(np.sum(correct & ~baseline_correct))],
        [int(np.sum(~correct & baseline_correct)), int(np.sum(~correct & ~baseline_correct))],
    ]
    return float(mcnemar(pairs, exact=True).pvalue)


def paired_p(
    correct: npt.NDArray[np.bool_],
    baseline_correct: npt.NDArray[np.bool_],
    groups: Sequence[str],
    *,
    seed: int,
    n_permutations: int = PERMUTATIONS,
) -> float:
    """Return the two-sided p-value of a difference on the same tracks.

    Tracks of one artist stand or fall together, so what is flipped under the null hypothesis is
    which of the two models is which, for all tracks of a group at once (Good 2005, *Permutation,
    Parametric and Bootstrap Tests of Hypotheses*, chapter 3; with few groups all flips are tried).
    Where every track is a group of its own, that is the exact McNemar test, which needs no draws.

    Parameters
    ----------
    correct, baseline_correct
        (n,) whether either is right, track by track.
    groups
        (n,) what each track belongs to.
    seed
        Of the flips.
    n_permutations
        How many of them.
    """
    gained = pd.Series(correct.astype(int) - baseline_correct.astype(int))
    of_group = gained.groupby(list(groups)).sum().to_numpy()
    if len(of_group) == len(gained):
        return mcnemar_p(correct, baseline_correct)
    of_group = of_group[of_group != 0]
    if not len(of_group):
        return 1.0
    tested = stats.permutation_test(
        (of_group,),
        lambda flipped, axis: flipped.sum(axis=axis),
        permutation_type="samples",
        n_resamples=n_permutations,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(tested.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust the p-values of a family of tests so that one false alarm in all of them is rare.

    Holm (1979), Scandinavian Journal of Statistics 6.
    """
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))
