"""Folds: which track trains, validates and tests, without ever dividing a group.

A group is what must stay on one side: the tracks of one artist or album that the user lists, and
recordings found to be the same. Groups that share a track are joined.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.corpus.labels import Row
from genreflow.folds import fold_names
from genreflow.params import Corpus, Splits
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, read_table, write_table
from genreflow.tracks.assignment import SplitsError, assign, carve, deal, largest_group
from genreflow.tracks.grouping import first_word, known_groups
from genreflow.tracks.groups import join_pairs
from genreflow.tracks.listings import listing_of, match_listing, read_listing
from genreflow.tracks.pieces import find_divided

log = logging.getLogger(__name__)

ROLES = ("train", "valid", "test")
SPELLINGS = {"training": "train", "validation": "valid", "val": "valid"}
"""What roles are called elsewhere."""

COLUMNS = ["fold", "track_id", "genre", "group", "role"]

FAULT_FILTERED = Path(__file__).parent / "fault_filtered.csv"
"""GTZAN without repetitions, distortions and wrong labels, artists kept apart: 930 of its tracks.

C. Kereliuk, B. L. Sturm, J. Larsen, "Deep learning and music adversaries", IEEE Transactions on
Multimedia 17, 2015.
"""


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
        Columns track_id, role: a given partition, where ``params.strategy`` asks for one.
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
        A role is unknown, no track is listed, or no way of dividing the groups gives every genre
        the roles that it needs.
    """
    tracks = tracks.sort_values("track_id", ignore_index=True)
    tracks["group"] = _join_groups(tracks, groups, params.keep_duplicates_together)
    folds = _divided(tracks, params) if params.drawn else [_predefined(tracks, roles, params)]
    named = [fold.assign(fold=name) for name, fold in zip(fold_names(params), folds, strict=True)]
    splits = pd.concat(named, ignore_index=True)[COLUMNS]
    _check_roles(splits, params)
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
    rows: Sequence[Row] = (),
    corpus: Corpus | None = None,
    is_demo: bool = False,
) -> None:
    """Read ``tracks.parquet`` and the listings, and write ``splits.parquet``.

    The groups and roles in the table of labels, `rows`, count for tracks that the listings of
    groups and roles leave out. Of the demo corpus it is known which band plays, unless the user
    names other groups.

    The digests of the audio behind the tracks travel on in ``stamp.facts["audio"]``, so that
    training notices features that were made from other audio; ``stamp.facts["n_grouped"]`` counts
    the usable tracks whose group is known, ``stamp.facts["groups"]`` says from where ("": the
    demo), ``stamp.facts["artists"]`` whether they are artists or albums, and
    ``stamp.facts["pieces"]`` what looks like pieces of recordings that nothing keeps together.

    Raises
    ------
    SplitsError, ListingError, StaleArtifactError
        See :func:`make_splits`, :func:`~genreflow.tracks.listings.read_listing` and
        :func:`~genreflow.store.tables.read_table`.
    """
    found = read_table(tracks, tracks_stamp)
    usable = found[found["status"] == "ok"]
    # A listed track that was set aside must be found too, or its line could mean another.
    names = found["track_id"].tolist()
    known = known_groups(names, groups, rows, corpus or Corpus(), is_demo=is_demo)
    if params.strategy == "fault_filtered":
        roles, rows = FAULT_FILTERED, ()
    parts = read_listing(roles, "role")
    # Where no partition is asked for, a run must not fail over the listing of one.
    if not params.drawn:
        parts = match_listing(parts, names, str(roles))
        labels = match_listing(listing_of(rows, "role"), names, "corpus.labels")
        parts = first_word([parts, labels], "role")
    splits = make_splits(usable, known.groups, parts, params)
    homes = dict(zip(splits["track_id"], splits["group"], strict=True))
    if (pieces := find_divided(homes)) is not None:
        log.warning("%s", pieces)
    facts = {
        "audio": read_stamp(tracks).facts["audio"],
        "n_grouped": int(usable["track_id"].isin(known.groups["track_id"]).sum()),
        "groups": " and ".join(known.sources or (str(groups),)),
        "artists": known.artists,
        "pieces": None if pieces is None else pieces.facts(),
    }
    write_table(splits, out, stamp.with_facts(**facts))


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


def _divided(tracks: pd.DataFrame, params: Splits) -> Iterator[pd.DataFrame]:
    """Yield the folds of all repeats; a repeat is what its seed would give alone."""
    for repeat in range(params.repeats):
        once = params.model_copy(update={"seed": params.seed + repeat, "repeats": 1})
        if once.strategy == "holdout":
            yield _holdout(tracks, once)
        else:
            part = _kfold(tracks, once)
            for number in range(once.n_splits):
                yield _with_validation(tracks, part == number, once)


def _holdout(tracks: pd.DataFrame, params: Splits) -> pd.DataFrame:
    test = carve(tracks, params.test_fraction, f"{params.seed}/test")
    fold = _with_validation(tracks, test, params, strict=False)
    if _lacking(fold).empty:
        return fold
    rest = 1 - params.test_fraction
    shares = {
        "train": rest * (1 - params.valid_fraction),
        "valid": rest * params.valid_fraction,
        "test": params.test_fraction,
    }
    return tracks.assign(role=assign(tracks, shares, f"{params.seed}/holdout"))


def _kfold(tracks: pd.DataFrame, params: Splits) -> pd.Series[int]:
    """Return the fold that tests each track."""
    sizes = tracks.groupby("genre")["group"].nunique()
    if sizes.min() < params.n_splits:
        raise SplitsError(
            f"genre {sizes.idxmin()} has {sizes.min()} independent groups of tracks, too few for "
            f"splits.n_splits = {params.n_splits}{largest_group(tracks, str(sizes.idxmin()))}; "
            "lower it or add tracks"
        )
    part = deal(tracks, params.n_splits, f"{params.seed}/kfold")
    found = pd.crosstab(tracks["genre"], part)
    if found.shape[1] == params.n_splits and found.to_numpy().min() > 0:
        return part
    shares = {str(number): 1 / params.n_splits for number in range(params.n_splits)}
    return assign(tracks, shares, f"{params.seed}/kfold").astype(int)


def _with_validation(
    tracks: pd.DataFrame, test: pd.Series[bool], params: Splits, *, strict: bool = True
) -> pd.DataFrame:
    """Carve validation tracks off what isn't tested.

    Parameters
    ----------
    strict
        Whether every genre must have training and validation tracks, if that can be.
    """
    rest = tracks[~test]
    valid = carve(rest, params.valid_fraction, f"{params.seed}/valid")
    fold = tracks.assign(role="train")
    fold.loc[test, "role"] = "test"
    fold.loc[rest.index[valid], "role"] = "valid"
    if strict and not _lacking(fold[~test], ("train", "valid")).empty:
        shares = {"train": 1 - params.valid_fraction, "valid": params.valid_fraction}
        fold.loc[rest.index, "role"] = assign(rest, shares, f"{params.seed}/valid")
    return fold


def _predefined(tracks: pd.DataFrame, roles: pd.DataFrame, params: Splits) -> pd.DataFrame:
    """Apply listed roles; unlisted tracks take no part."""
    roles = roles.assign(role=roles["role"].str.lower().replace(SPELLINGS))
    if unknown := sorted(set(roles["role"]) - set(ROLES)):
        raise SplitsError(
            f"{params.file} or the column role of corpus.labels: unknown role "
            f"{', '.join(unknown)}; use train, valid or test"
        )
    fold = tracks.merge(roles, on="track_id", how="inner", validate="one_to_one")
    if fold.empty:
        raise SplitsError(
            f"{params.file}: lists no track; fill it in, or the column role of corpus.labels, or "
            "change splits.strategy"
        )
    if left_out := len(tracks) - len(fold):
        log.warning("%s: %d tracks of the corpus are not listed", params.file, left_out)
    if not (fold["role"] == "valid").any():
        tested = fold["role"] == "test"
        # The only group of a genre stays in training: a model can't do without.
        groups = fold[~tested].groupby("genre")["group"].nunique()
        alone = fold["genre"].map(groups).fillna(0) < 2
        part = ~alone | tested
        carved = _with_validation(fold[part], tested[part], params)
        fold.loc[carved.index, "role"] = carved["role"]
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


def _check_roles(splits: pd.DataFrame, params: Splits) -> None:
    """Raise, or where a partition is given warn, if a genre has no track of some role.

    For a genre only training tracks are indispensable there: a model can't know what it has never
    heard. But some genre must have validation and test tracks.
    """
    lacking = _lacking(splits)
    for fold, genre, role in lacking.itertuples(index=False, name=None):
        if params.drawn or role == "train":
            raise SplitsError(
                f"genre {genre} has no {role} track in fold {fold}: add tracks, remove the genre's "
                "folder, or change the splits section of params.yaml"
            )
        log.warning("genre %s has no %s track", genre, role)
    for role in ROLES:
        if not (splits["role"] == role).any():
            raise SplitsError(
                f"no track has the role {role}: list some in {params.file}, or change "
                "splits.strategy"
            )


def _lacking(splits: pd.DataFrame, roles: Sequence[str] = ROLES) -> pd.DataFrame:
    """Return fold, genre, role of what doesn't occur."""
    folds = splits["fold"] if "fold" in splits else pd.Series("", index=splits.index)
    found = set(zip(folds, splits["genre"], splits["role"], strict=True))
    every = product(sorted(folds.unique()), sorted(splits["genre"].unique()), roles)
    lacking = [key for key in every if key not in found]
    return pd.DataFrame(lacking, columns=["fold", "genre", "role"])
