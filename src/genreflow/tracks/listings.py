"""What the user lists of single tracks: their groups, their roles."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from genreflow.errors import GenreflowError


class ListingError(GenreflowError):
    """A listing can't be used."""


def read_listing(path: Path, column: str) -> pd.DataFrame:
    """Read a CSV with the columns track_id and `column`, both as text.

    Raises
    ------
    ListingError
        The file is missing, lacks a column, or lists a track twice.
    """
    if not path.is_file():
        raise ListingError(
            f"{path}: no such file (expected a CSV with the columns track_id, {column}); "
            "correct the path in params.yaml"
        )
    frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig").rename(columns=str.strip)
    if missing := {"track_id", column} - set(frame.columns):
        raise ListingError(
            f"{path}: lacks the column {', '.join(sorted(missing))} (found "
            f"{', '.join(frame.columns)}); its first line must read track_id,{column}"
        )
    frame = frame[["track_id", column]].dropna()
    if (twice := frame["track_id"].duplicated()).any():
        raise ListingError(
            f"{path}: lists {frame.loc[twice, 'track_id'].iloc[0]} twice; keep one line a track"
        )
    return frame
