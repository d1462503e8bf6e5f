"""Who plays on the demo's tracks: the bands, each of which plays several tracks of its genre.

What the tracks of a band have in common is decided by the synthesiser, which this module doesn't
need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from genreflow.corpus.demo.styles import STYLES, band_number

_TRACK_ID = re.compile(r"([a-z]+)/\1\.([0-9]{5,})\.flac")


def artist_of(track_id: str) -> str:
    """Return the name of the band on a track: ``blues band 4`` on ``blues/blues.00011.flac``.

    It is ``""`` for files that aren't called like a track of the demo corpus.
    """
    match = _TRACK_ID.fullmatch(track_id)
    if match is None or match[1] not in STYLES:
        return ""
    return f"{match[1]} band {band_number(int(match[2]))}"


def artists_of(track_ids: Iterable[str]) -> pd.DataFrame:
    """List who plays on the tracks.

    Parameters
    ----------
    track_ids
        Names of files. Those that aren't the demo's are left out: nothing is known of them.

    Returns
    -------
    DataFrame
        Columns track_id and group, the name of the band, in the order of `track_ids`.
    """
    rows = [(track_id, band) for track_id in track_ids if (band := artist_of(track_id))]
    return pd.DataFrame(rows, columns=["track_id", "group"], dtype=object)
