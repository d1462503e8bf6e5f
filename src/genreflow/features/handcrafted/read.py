"""Read handcrafted features.

This module reads what :mod:`genreflow.features.handcrafted.extract` writes and imports nothing of
it: training depends on the table, not on how its columns are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.features.rows import FeatureRows, FeaturesError, Matrix, copy_numbers
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, read_table

_INDEX = ("track_id", "genre", "copy")
"""Columns that are no features."""


def read_handcrafted(
    paths: Sequence[Path], expected: Stamp, *, copies: bool = False
) -> pd.DataFrame:
    """Read any number of shards: track_id, genre and the features, sorted by track_id.

    ``.attrs["audio_digests"]`` holds the digest of the audio behind each shard, by its name.

    Parameters
    ----------
    copies
        Whether to return the copies that models train on, too, each after its track; a column
        ``copy`` names their recipe, ``""`` for the track as it is.

    Raises
    ------
    StaleArtifactError
        A shard was made with other parameters.
    FeaturesError
        Shards differ in their columns, or a feature is missing.
    """
    if not paths:
        raise ValueError("read_handcrafted: no shards to read; expected at least one path")
    frames: list[pd.DataFrame] = []
    digests: dict[str, str] = {}
    for path in paths:
        frame = read_table(path, expected)
        if frames and list(frame.columns) != list(frames[0].columns):
            odd = sorted(set(frame.columns) ^ set(frames[0].columns)) or "their order"
            raise FeaturesError(
                f"{path}: columns differ from those of {paths[0]} ({odd}); delete both and rerun"
            )
        missing = frame.columns[frame.isna().any()]
        if len(missing):
            raise FeaturesError(
                f"{path}: holds missing values in {list(missing)}; delete and rerun"
            )
        digests[path.stem] = read_stamp(path).facts["audio"]
        frames.append(frame)
    table = pd.concat(frames).sort_values("track_id", ignore_index=True, kind="stable")
    if "copy" not in table:  # as in the tables of a kind of features that are of tracks alone
        table["copy"] = ""
    if not copies:
        table = table[table["copy"] == ""].drop(columns="copy").reset_index(drop=True)
    table.attrs["audio_digests"] = digests
    return table


def open_rows(paths: Sequence[Path], expected: Stamp) -> FeatureRows:
    """Read any number of shards, one row per track and per copy; see :func:`read_handcrafted`."""
    table = read_handcrafted(paths, expected, copies=True)
    names = tuple(name for name in table.columns if name not in _INDEX)
    number, track_id = pd.factorize(table["track_id"])
    return FeatureRows(
        source=Matrix(table[list(names)].to_numpy(dtype=np.float32)),
        track_id=track_id.tolist(),
        row_track=number.astype(np.int64),
        row_copy=copy_numbers(table["copy"]),
        row_window=np.full(len(table), -1),
        shape=(len(names),),
        names=names,
        audio_digests=table.attrs["audio_digests"],
    )
