"""Divide groups of tracks: in a stable way, or where groups are few as one best assignment.

Carving and dealing go by a keyed hash of the groups' names, so that a new track leaves nearly all
others where they were. With three to five artists in a genre they can end in a corner; then the
whole assignment is found at once, as a mixed integer program (HiGHS, through SciPy).

References
----------
Q. Huangfu, J. Hall, "Parallelizing the dual revised simplex method", Mathematical Programming
Computation 10, 2018 (HiGHS).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, csr_array, eye_array, kron

from genreflow.errors import GenreflowError

_NODES = 20_000
"""Where the search for the best assignment ends; seconds would end it elsewhere elsewhere."""


class SplitsError(GenreflowError):
    """The tracks can't be divided as asked."""


def carve(tracks: pd.DataFrame, fraction: float, salt: str) -> pd.Series[bool]:
    """Choose whole groups so that each genre comes as close to `fraction` as it can.

    Groups are visited in the order of a keyed hash of their name: a seeded shuffle in which
    adding a track to the corpus leaves the others where they were.

    Parameters
    ----------
    tracks
        Columns group and genre.
    fraction
        Share of each genre's tracks.
    salt
        Seeds the order.

    Returns
    -------
    Series
        Whether each track is chosen.
    """
    counts = pd.crosstab(tracks["group"], tracks["genre"])
    target = (counts.sum() * fraction).round().clip(lower=1).to_numpy()
    order = sorted(counts.index, key=lambda group: _hash(salt, group))
    rows = dict(zip(counts.index, counts.to_numpy(), strict=True))
    filled = np.zeros_like(target)
    chosen = set()
    for group in order:
        now, then = np.abs(target - filled).sum(), np.abs(target - filled - rows[group]).sum()
        if then < now:
            filled = filled + rows[group]
            chosen.add(group)
    return tracks["group"].isin(chosen)


def deal(tracks: pd.DataFrame, n_parts: int, salt: str) -> pd.Series[int]:
    """Deal whole groups to parts that hold about equally many tracks of each genre.

    Large groups, and those with tracks of several genres, go one by one to where they are missed
    most. What is then missing in each part is cut from the row of all other groups of a genre,
    in the order of a keyed hash. A new track shifts the cuts by less than a track, and so moves at
    most a group at each. (Where it changes the order of the large groups, it can move more.)

    Parameters
    ----------
    tracks
        Columns group and genre.
    n_parts
        How many parts.
    salt
        Seeds the order.

    Returns
    -------
    Series
        The part of each track, from 0. A genre of few groups may be missing in a part.
    """
    counts = pd.crosstab(tracks["group"], tracks["genre"])
    fair = counts.sum().to_numpy() / n_parts
    part: dict[str, int] = {}
    large = (counts > np.maximum(fair / 2, 1)).any(axis=1) | ((counts > 0).sum(axis=1) > 1)
    filled = np.zeros((n_parts, len(fair)))
    sizes = counts.sum(axis=1)
    for group in sorted(counts.index[large], key=lambda g: (-sizes[g], _hash(salt, g))):
        own = counts.loc[group].to_numpy()
        # Of parts that miss the genre alike, the smallest.
        crowd = filled @ (own / fair**2) + filled.sum(axis=1) * own.sum() / fair.sum() ** 2
        part[group] = min(range(n_parts), key=lambda p: (crowd[p], _hash(salt, f"{group}/{p}")))
        filled[part[group]] += own
    for column, genre in enumerate(counts.columns):
        rest = counts.loc[~large & (counts[genre] > 0), genre]
        row = rest.loc[sorted(rest.index, key=lambda g: _hash(salt, g))]
        # Parts take turns in another order for each genre, or the first would be the largest.
        order = sorted(range(n_parts), key=lambda p: _hash(salt, f"{genre}/{p}"))
        missing = _missing(filled[order, column], float(row.sum()))
        middle = row.cumsum().to_numpy() - row.to_numpy() / 2
        place = np.searchsorted(np.cumsum(missing)[:-1], middle)
        part |= {group: order[p] for group, p in zip(row.index, place, strict=True)}
    return tracks["group"].map(part).astype(int)


def _missing(filled: npt.NDArray[np.float64], total: float) -> npt.NDArray[np.float64]:
    """Return how to share out `total` so that what is filled least is filled first."""
    lowest = np.sort(filled)
    levels = (lowest.cumsum() + total) / np.arange(1, len(filled) + 1)
    # The level up to which only parts below it have been filled.
    level = levels[np.flatnonzero(levels >= lowest)[-1]]
    missing: npt.NDArray[np.float64] = np.maximum(level - filled, 0)
    return missing


def assign(tracks: pd.DataFrame, shares: dict[str, float], salt: str) -> pd.Series[str]:
    """Find the best assignment of groups to parts that has every genre in every part.

    Parameters
    ----------
    tracks
        Columns group and genre.
    shares
        The parts, and the share of each genre's tracks that each of them should have.
    salt
        Decides between equally good assignments.

    Returns
    -------
    Series
        The part of each track.

    Raises
    ------
    SplitsError
        There is no such assignment; the message names the genre that makes it impossible.
    """
    counts = pd.crosstab(tracks["group"], tracks["genre"])
    order = {group: int.from_bytes(_hash(salt, group)[:6], "big") / 2**48 for group in counts.index}
    found = _best(counts, shares, order)
    if found is None:
        sizes = (counts > 0).sum().sort_values(kind="stable")
        few = sizes[sizes < len(shares)]
        parts = ", ".join(shares)
        what = (
            f"genre {few.index[0]} has {few.iloc[0]} independent "
            f"{'group' if few.iloc[0] == 1 else 'groups'} of tracks, but {len(shares)} are needed "
            f"({parts}){largest_group(tracks, few.index[0])}"
            if len(few)
            else f"no way of dividing the {len(counts)} groups of tracks puts every genre into "
            f"each of {parts}, because groups hold tracks of several genres"
        )
        raise SplitsError(
            f"{what}; tracks of one artist and copies of one recording are never divided. Add "
            "tracks by others, remove the genre's folder, or change the listing of groups"
        )
    return tracks["group"].map(found)


def largest_group(tracks: pd.DataFrame, genre: str) -> str:
    """Say which group holds most tracks of a genre, as the end of a clause; "" for lone tracks.

    Parameters
    ----------
    tracks
        Columns group and genre.
    genre
        Which genre.
    """
    sizes = tracks.loc[tracks["genre"] == genre, "group"].value_counts().sort_index()
    name, n = sizes.idxmax(), int(sizes.max())
    if n == 1:
        return ""
    return (
        f"; the largest, {name}, holds {n} of its {sizes.sum()} tracks (if it is one because "
        "different tracks share a loop, raise tracks.min_correlation)"
    )


def _hash(salt: str, name: str) -> bytes:
    return hashlib.sha256(f"{salt}/{name}".encode()).digest()


def _best(
    counts: pd.DataFrame, shares: Mapping[str, float], order: Mapping[str, float]
) -> dict[str, str] | None:
    """Return the part of every group, or None; see :func:`assign`.

    `counts` holds tracks per group (rows) and genre (columns), `order` a number between 0 and 1
    for each group.
    """
    tracks = counts.to_numpy(dtype=float)
    n_groups, n_genres = tracks.shape
    n_parts = len(shares)
    # Variables: for each part, whether each group is in it; then, for each part and genre, by how
    # many tracks it misses its share.
    each_group_once = kron(np.ones((1, n_parts)), eye_array(n_groups), format="csr")
    tracks_of_part = kron(eye_array(n_parts), csr_array(tracks.T), format="csr")
    groups_of_part = kron(eye_array(n_parts), csr_array((tracks > 0).T.astype(float)), format="csr")
    misses = eye_array(n_parts * n_genres, format="csr")
    wanted = np.outer(list(shares.values()), tracks.sum(axis=0)).ravel()
    constraints = [
        LinearConstraint(_wide(each_group_once, n_parts * n_genres), 1, 1),
        LinearConstraint(_wide(groups_of_part, n_parts * n_genres), 1, np.inf),
        LinearConstraint(block_array([[tracks_of_part, -misses]], format="csr"), -np.inf, wanted),
        LinearConstraint(block_array([[tracks_of_part, misses]], format="csr"), wanted, np.inf),
    ]
    taste = np.array([order[group] for group in counts.index])
    tie_break = np.concatenate([taste * part for part in range(n_parts)]) / (n_parts * n_groups)
    found = milp(
        np.concatenate([0.01 * tie_break, np.ones(n_parts * n_genres)]),
        constraints=constraints,
        integrality=np.repeat([1, 0], [n_parts * n_groups, n_parts * n_genres]),
        bounds=Bounds(0, np.repeat([1.0, np.inf], [n_parts * n_groups, n_parts * n_genres])),
        options={"node_limit": _NODES},
    )
    if found.x is None and found.status == 1:
        raise SplitsError(
            f"no way of dividing the {n_groups} groups of tracks was found in {_NODES} steps; "
            "change splits.seed, or ask for fewer folds"
        )
    if found.x is None:
        return None
    chosen = found.x[: n_parts * n_groups].reshape(n_parts, n_groups).argmax(axis=0)
    names = list(shares)
    return {group: names[part] for group, part in zip(counts.index, chosen, strict=True)}


def _wide(matrix: csr_array, n_misses: int) -> csr_array:
    """Add columns of zeros for the variables that a constraint doesn't hold."""
    return block_array([[matrix, csr_array((matrix.shape[0], n_misses))]], format="csr")
