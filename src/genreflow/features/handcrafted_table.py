"""Read handcrafted features.

This module reads what :mod:`genreflow.features.handcrafted` writes and imports nothing of it:
training depends on the table, not on how its columns are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genreflow.artifacts import Stamp
from genreflow.parquet import read_stamp, read_table


def read_handcrafted(paths: Sequence[Path], expected: Stamp) -> pd.DataFrame:
    """Read any number of shards: track_id, genre and the features, sorted by track_id.

    ``.attrs["audio_digests"]`` holds the digest of the audio behind each shard, by its name.

    Raises
    ------
    StaleArtifactError
        A shard was made with other parameters.
    ValueError
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
            raise ValueError(
                f"{path}: columns differ from those of {paths[0]} ({odd}); delete both and rerun"
            )
        missing = frame.columns[frame.isna().any()]
        if len(missing):
            raise ValueError(f"{path}: holds missing values in {list(missing)}; delete and rerun")
        digests[path.stem] = read_stamp(path).facts["audio"]
        frames.append(frame)
    table = pd.concat(frames).sort_values("track_id", ignore_index=True)
    table.attrs["audio_digests"] = digests
    return table
