"""Duplicate recordings: how many there are, whether they disagree, whether they leak."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd


def audit_duplicates(tracks: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    """Describe the duplicate groups of a corpus.

    Parameters
    ----------
    tracks
        The manifest: track_id, genre, status, duplicate_group ("" when none), duplicate_kind.
    splits
        Columns fold, track_id, role.

    Returns
    -------
    dict
        ``groups``: per group its tracks (track_id, genre, kind) and whether it crosses genres;
        ``n_groups``, ``n_tracks``, ``n_exact_pairs``, ``n_near_pairs``, ``n_label_conflicts``
        (groups that cross genres); ``n_leaking``: test tracks, over all folds, that have a
        duplicate in training or validation of the same fold.
    """
    usable = tracks[(tracks["status"] == "ok") & (tracks["duplicate_group"] != "")]
    usable = usable.sort_values("track_id")
    groups: list[dict[str, Any]] = []
    pairs = {"exact": 0, "near": 0}
    for name, members in usable.groupby("duplicate_group", sort=True):
        if len(members) < 2:
            continue
        for one, other in combinations(members["duplicate_kind"], 2):
            pairs["exact" if one == other == "exact" else "near"] += 1
        groups.append(
            {
                "group": str(name),
                "tracks": members[["track_id", "genre", "duplicate_kind"]]
                .rename(columns={"duplicate_kind": "kind"})
                .to_dict("records"),
                "label_conflict": len(set(members["genre"])) > 1,
            }
        )
    return {
        "groups": groups,
        "n_groups": len(groups),
        "n_tracks": sum(len(group["tracks"]) for group in groups),
        "n_exact_pairs": pairs["exact"],
        "n_near_pairs": pairs["near"],
        "n_label_conflicts": sum(group["label_conflict"] for group in groups),
        "n_leaking": _leaking(usable, splits),
    }


def _leaking(usable: pd.DataFrame, splits: pd.DataFrame) -> int:
    """Count test tracks with a duplicate on the other side of the same fold's split."""
    table = splits.merge(usable[["track_id", "duplicate_group"]], on="track_id")
    tested = table["role"] == "test"
    learned = set(
        table.loc[~tested, ["fold", "duplicate_group"]].itertuples(index=False, name=None)
    )
    pairs = table.loc[tested, ["fold", "duplicate_group"]].itertuples(index=False, name=None)
    return sum(pair in learned for pair in pairs)
