"""Whether a difference to the baseline is more than chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests


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


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust the p-values of a family of tests so that one false alarm in all of them is rare.

    Holm (1979), Scandinavian Journal of Statistics 6.
    """
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))
