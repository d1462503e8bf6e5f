"""Tracks that belong together because a chain of pairs connects them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def join_pairs(pairs: Iterable[tuple[int, int]], n: int) -> npt.NDArray[np.int64]:
    """Label `n` tracks by the connected component that `pairs` put them in, shape (n,)."""
    first, second = np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    labels: npt.NDArray[np.int64] = connected_components(links, directed=False)[1]
    return labels
