"""The manifest of all tracks: what was found, what was set aside and why, and what repeats."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow.audio.cache import AudioShard
from genreflow.errors import GenreflowError
from genreflow.fingerprints.read import CorpusPrints
from genreflow.params import Tracks
from genreflow.store.files import KEPT_OPEN
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, read_table
from genreflow.tracks.duplicates import near_duplicates
from genreflow.tracks.groups import join_pairs

log = logging.getLogger(__name__)

COLUMNS = [
    "track_id",
    "genre",
    "shard",
    "codec",
    "decoder",
    "sample_rate",
    "channels",
    "seconds",
    "claimed_seconds",
    "decoded_seconds",
    "status",
    "reason",
    "remark",
    "source_sha256",
    "pcm_sha256",
    "duplicate_group",
    "duplicate_kind",
]


_Places = dict[str, tuple[Path, int]]
"""Of each usable track: its shard, and its number there."""


class TracksError(GenreflowError):
    """The corpus as a whole can't be used."""


def collect_tracks(
    manifests: Sequence[Path],
    shards: Sequence[Path],
    prints: Sequence[Path],
    expected: Stamp,
    expected_prints: Stamp,
    params: Tracks,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Join the manifests of all shards and mark recordings that occur more than once.

    Parameters
    ----------
    manifests, shards
        ``results/audio/<shard>.parquet`` and ``.arrow``, in the same order.
    prints
        ``results/fingerprints/<shard>.arrow``, likewise; none are needed, nor looked at, where
        only equal samples are looked for.
    expected
        The stamp that manifests and shards carry.
    expected_prints
        The stamp that fingerprints carry.
    params
        The section ``tracks``.

    Returns
    -------
    tracks : DataFrame
        One row per file found, sorted by track_id, with the columns ``COLUMNS``.
        ``duplicate_group`` is the smallest track_id of the group, or ``""``; ``duplicate_kind``
        is ``exact``, ``near`` or ``""``.
    facts : dict
        ``audio``: shard → digest of its audio; ``ignored``: files that take no part.

    Raises
    ------
    TracksError
        More than ``max_rejected_fraction`` of the files were set aside, or none is usable.
    StaleArtifactError
        A file was made with other parameters, or fingerprints of other audio.
    """
    frames, ignored, digests = [], [], {}
    places: _Places = {}
    for manifest, shard in zip(manifests, shards, strict=True):
        frames.append(read_table(manifest, expected))
        ignored.extend(read_stamp(manifest).facts["ignored"])
        with AudioShard(shard, expected) as audio:
            digests[shard.stem] = audio.digest
            places |= {name: (shard, row) for row, name in enumerate(audio.track_id)}
    tracks = pd.concat(frames, ignore_index=True).sort_values("track_id", ignore_index=True)
    _check_rejections(tracks, params)
    usable = tracks[tracks["status"] == "ok"]
    exact = [list(rows) for rows in usable.groupby("pcm_sha256").indices.values()]
    near: list[tuple[int, int]] = []
    if params.near_duplicates:
        # Equal samples have equal fingerprints: one of them speaks for all.
        firsts = sorted(int(rows[0]) for rows in exact)
        names = usable["track_id"].iloc[firsts].tolist()
        made_from = dict(zip(prints, digests.values(), strict=True))
        known = CorpusPrints(made_from, expected_prints, {name: i for i, name in enumerate(names)})
        found = _search(names, known, places, expected, params)
        near = [(firsts[one], firsts[two]) for one, two in found]
    marks = _mark(usable, exact, near).reindex(tracks.index, fill_value="")
    tracks = tracks.join(marks)
    return tracks[COLUMNS], {"audio": digests, "ignored": sorted(ignored)}


def _check_rejections(tracks: pd.DataFrame, params: Tracks) -> None:
    rejected = tracks[tracks["status"] == "rejected"]
    if len(rejected) == len(tracks):
        listing = _list(rejected)
        raise TracksError(f"no usable track among {len(tracks)} files{listing}")
    share = len(rejected) / len(tracks)
    if share > params.max_rejected_fraction:
        raise TracksError(
            f"{len(rejected)} of {len(tracks)} files ({share:.0%}) had to be set aside, more than "
            f"tracks.max_rejected_fraction = {params.max_rejected_fraction} allows; mend or remove "
            f"them, or raise the parameter:{_list(rejected)}"
        )
    for row in rejected.itertuples():
        log.warning("set aside: %s: %s", row.track_id, row.reason)
    for row in tracks[tracks["remark"] != ""].itertuples():
        log.warning("%s: %s", row.track_id, row.remark)
    for genre in sorted(set(tracks["genre"]) - set(tracks.loc[tracks["status"] == "ok", "genre"])):
        raise TracksError(
            f"genre {genre}: none of its files is usable; mend them or remove the folder:"
            + _list(rejected[rejected["genre"] == genre])
        )


def _list(rejected: pd.DataFrame) -> str:
    return "".join(f"\n  {row.track_id}: {row.reason}" for row in rejected.itertuples())


def _search(
    names: Sequence[str], prints: CorpusPrints, places: _Places, expected: Stamp, params: Tracks
) -> list[tuple[int, int]]:
    """Return the pairs of tracks that hold the same recording, by their positions in `names`."""
    # Those that haven't been used for longest are let go.
    opened = lru_cache(KEPT_OPEN)(partial(AudioShard, expected=expected))

    def samples(position: int) -> npt.NDArray[np.int16]:
        path, row = places[names[position]]
        return opened(path).samples(row)

    matches = near_duplicates(prints, samples, params.min_correlation)
    for match in matches:
        log.info(
            "same recording: %s = %s (%d landmarks agree, correlation %.2f)",
            names[match.first],
            names[match.second],
            match.matches,
            match.correlation,
        )
    return [(match.first, match.second) for match in matches]


def _mark(
    usable: pd.DataFrame,
    exact: Sequence[Sequence[int]],
    near: Sequence[tuple[int, int]],
) -> pd.DataFrame:
    """Return the group and kind of usable tracks; `exact` and `near` hold rows that are one."""
    pairs = [(int(rows[0]), int(row)) for rows in exact for row in rows[1:]]
    kind = pd.Series("", index=usable.index)
    kind.iloc[[row for pair in near for row in pair]] = "near"
    kind[usable["pcm_sha256"].duplicated(keep=False)] = "exact"
    label = pd.Series(join_pairs([*pairs, *near], len(usable)), index=usable.index)
    group = usable["track_id"].groupby(label).transform("min")
    group[label.groupby(label).transform("size") == 1] = ""
    return pd.DataFrame({"duplicate_group": group, "duplicate_kind": kind})
