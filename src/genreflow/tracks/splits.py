"""Folds: which track trains, validates and tests, without ever dividing a group.

A group is what must stay on one side: the tracks of one artist or album that the user lists, and
recordings found to be the same. Groups that share a track are joined.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow.errors import GenreflowError
from genreflow.folds import fold_names
from genreflow.params import Splits
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, read_table, write_table
from genreflow.tracks.groups import join_pairs
from genreflow.tracks.listings import read_listing

log = logging.getLogger(__name__)

ROLES = ("train", "valid", "test")
COLUMNS = ["fold", "track_id", "genre", "group", "role"]


class SplitsError(GenreflowError):
    """The tracks can't be divided as asked."""


def make_splits(
    tracks: pd.DataFrame, groups: pd.DataFrame, roles: pd.DataFrame, params: Splits
) -> pd.DataFrame:
    """Assign a role to every track in every fold.

    Parameters
    ----------
    tracks
        Usable tracks: columns track_id, genre and duplicate_group (``""`` where alone).
    groups
        Columns track_id, group; may be empty.
    roles
        Columns track_id, role; read when ``params.strategy`` is ``"predefined"``.
    params
        The section ``splits``.

    Returns
    -------
    DataFrame
        Columns fold, track_id, genre, group, role, sorted by fold and track_id. The result does
        not depend on the order of the rows of `tracks`.

    Raises
    ------
    SplitsError
        A listed track doesn't exist, a role is unknown, or a genre has too few tracks.
    """
    tracks = tracks.sort_values("track_id", ignore_index=True)
    tracks["group"] = _join_groups(tracks, groups, params.keep_duplicates_together)
    if params.strategy == "holdout":
        test = _carve(tracks, params.test_fraction, f"{params.seed}/test")
        folds = [_with_validation(tracks, test, params)]
    elif params.strategy == "kfold":
        folds = [_with_validation(tracks, test, params) for test in _kfold_tests(tracks, params)]
    else:
        folds = [_predefined(tracks, roles, params)]
    named = [fold.assign(fold=name) for name, fold in zip(fold_names(params), folds, strict=True)]
    splits = pd.concat(named, ignore_index=True)[COLUMNS]
    _check_every_genre_in_every_role(splits)
    return splits


def write_splits(
    tracks: Path,
    groups: Path,
    roles: Path,
    out: Path,
    params: Splits,
    *,
    tracks_stamp: Stamp,
    stamp: Stamp,
) -> None:
    """Read ``tracks.parquet`` and the two listings, and write ``splits.parquet``.

    The digests of the audio behind the tracks travel on in ``stamp.facts["audio"]``, so that
    training notices features that were made from other audio.

    Raises
    ------
    SplitsError, ListingError, StaleArtifactError
        See :func:`make_splits`, :func:`~genreflow.tracks.listings.read_listing` and
        :func:`~genreflow.store.tables.read_table`.
    """
    found = read_table(tracks, tracks_stamp)
    splits = make_splits(
        found[found["status"] == "ok"],
        read_listing(groups, "group"),
        read_listing(roles, "role"),
        params,
    )
    write_table(splits, out, stamp.with_facts(audio=read_stamp(tracks).facts["audio"]))


def _join_groups(
    tracks: pd.DataFrame, groups: pd.DataFrame, keep_duplicates_together: bool
) -> pd.Series[str]:
    """Name the joined group of each track: its smallest label, or the track_id when alone."""
    listed = tracks["track_id"].map(groups.set_index("track_id")["group"])
    kinds = {"group": listed}
    if keep_duplicates_together:
        kinds["duplicate"] = tracks["duplicate_group"].replace("", np.nan)
    label = tracks["track_id"].where(listed.isna(), listed)
    pairs = [
        pair
        for column in kinds.values()
        for rows in column.groupby(column).indices.values()
        for pair in pairwise(rows)
    ]
    return label.groupby(join_pairs(pairs, len(tracks))).transform("min")


def _carve(tracks: pd.DataFrame, fraction: float, salt: str) -> pd.Series[bool]:
    """Choose whole groups so that each genre comes as close to `fraction` as it can.

    Groups are visited in the order of a keyed hash of their name: a seeded shuffle in which
    adding a track to the corpus leaves the others where they were.
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


def _hash(salt: str, name: str) -> bytes:
    return hashlib.sha256(f"{salt}/{name}".encode()).digest()


def _kfold_tests(tracks: pd.DataFrame, params: Splits) -> Iterable[pd.Series[bool]]:
    from sklearn.model_selection import StratifiedGroupKFold

    sizes = tracks.groupby("genre")["group"].nunique()
    if sizes.min() < params.n_splits:
        raise SplitsError(
            f"genre {sizes.idxmin()} has {sizes.min()} independent tracks, too few for "
            f"splits.n_splits = {params.n_splits}; lower it or add tracks"
        )
    folds = StratifiedGroupKFold(params.n_splits, shuffle=True, random_state=params.seed)
    for _, test in folds.split(tracks, tracks["genre"], tracks["group"]):
        yield pd.Series(np.isin(np.arange(len(tracks)), test), index=tracks.index)


def _with_validation(tracks: pd.DataFrame, test: pd.Series[bool], params: Splits) -> pd.DataFrame:
    rest = tracks[~test]
    valid = _carve(rest, params.valid_fraction, f"{params.seed}/valid")
    fold = tracks.assign(role="train")
    fold.loc[test, "role"] = "test"
    fold.loc[rest.index[valid], "role"] = "valid"
    return fold


def _predefined(tracks: pd.DataFrame, roles: pd.DataFrame, params: Splits) -> pd.DataFrame:
    """Apply listed roles; unlisted tracks take no part."""
    if unknown := sorted(set(roles["role"]) - set(ROLES)):
        raise SplitsError(
            f"{params.file}: unknown role {', '.join(unknown)}; use train, valid or test"
        )
    fold = tracks.merge(roles, on="track_id", how="inner", validate="one_to_one")
    if fold.empty:
        raise SplitsError(
            f"{params.file}: none of its {len(roles)} track_ids is a usable track of the corpus; "
            "a track_id is the path below corpus.root with its extension, as in "
            "results/tracks.parquet"
        )
    if absent := len(roles) - len(fold):
        log.warning("%s: %d listed tracks are absent or set aside", params.file, absent)
    if left_out := len(tracks) - len(fold):
        log.warning("%s: %d tracks of the corpus are not listed", params.file, left_out)
    if not (fold["role"] == "valid").any():
        fold = _with_validation(fold.drop(columns="role"), fold["role"] == "test", params)
    return _drop_leaks(fold)


def _drop_leaks(fold: pd.DataFrame) -> pd.DataFrame:
    """Where a listing divides a group, keep the side that is tested last and drop the rest."""
    rank = fold["role"].map({role: n for n, role in enumerate(ROLES)})
    leaks = rank < rank.groupby(fold["group"]).transform("max")
    if leaks.any():
        log.warning(
            "dropped from training: %d tracks whose group is also in validation or test: %s",
            leaks.sum(),
            ", ".join(fold.loc[leaks, "track_id"].head(10)),
        )
    return fold[~leaks]


def _check_every_genre_in_every_role(splits: pd.DataFrame) -> None:
    names = ["fold", "genre", "role"]
    keys: list[Any] = [splits["fold"].unique(), sorted(splits["genre"].unique()), ROLES]
    every = pd.MultiIndex.from_product(keys, names=names)
    counts = splits.groupby(names).size().reindex(every, fill_value=0).reset_index(name="count")
    lacking = counts[counts["count"] == 0]
    if not lacking.empty:
        fold, genre, role = lacking.iloc[0][names]
        raise SplitsError(
            f"genre {genre} has no {role} track in fold {fold}; every genre needs at least one "
            "track for each of train, valid and test: add tracks, remove the genre's folder, or "
            "change the splits section of params.yaml"
        )
