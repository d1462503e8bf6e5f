"""Mean and variance of more examples than fit into memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from genreflow.features.rows import Floats
from genreflow.models.base import Examples

Doubles = npt.NDArray[np.float64]


def moments(
    examples: Examples,
    *,
    collapse: Callable[[Floats], Doubles | Floats],
    weight: Floats | None = None,
) -> tuple[Doubles, Doubles]:
    """Return mean and variance over `examples`, which are read in batches.

    Levels lie around -30 dB with a spread of 20: sums of squares in double precision lose nothing.

    Parameters
    ----------
    collapse
        Turns values (n, ...), and their squares, into what is averaged over the first axis.
    weight
        (n,) share of each example, of mean 1; all alike when None.

    Returns
    -------
    mean, variance
        Of the shape that `collapse` gives one example.
    """
    total = squares = np.zeros(1)
    start = 0
    for values in examples.batches():
        here = slice(start, start + len(values))
        share = None if weight is None else weight[here].astype(np.float64)
        total = total + _sum(collapse(values), share)
        squares = squares + _sum(collapse(np.square(values)), share)
        start = here.stop
    mean = total / len(examples)
    return mean, squares / len(examples) - mean**2


def _sum(values: Doubles | Floats, share: Doubles | None) -> Doubles:
    if share is None:
        plain: Doubles = values.sum(axis=0, dtype=np.float64)
        return plain
    weighted: Doubles = np.tensordot(share, values, axes=1)
    return weighted
