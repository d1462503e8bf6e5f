"""Make a table of labels from the metadata of FMA, whose folders are numbers.

References
----------
M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson, "FMA: a dataset for music analysis", ISMIR
2017. ``fma_metadata/tracks.csv`` has two lines of headings, and a third with the name of the index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from genreflow.corpus.labels import read_rows
from genreflow.errors import GenreflowError
from genreflow.store.files import write_csv

Subset = Literal["small", "medium", "large"]

_COLUMNS = {
    "subset": ("set", "subset"),
    "role": ("set", "split"),
    "genre": ("track", "genre_top"),
    "group": ("artist", "id"),
}
_ROLES = {"training": "train", "validation": "valid", "test": "test"}


class FmaError(GenreflowError):
    """The metadata can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Labelled:
    """What was written: tracks and genres, and tracks without a top genre, which were left out."""

    tracks: int
    genres: int
    without_genre: int


def write_fma_labels(metadata: Path, subset: Subset, out: Path) -> Labelled:
    """Write ``path,genre,group,role`` for the tracks of a subset of FMA.

    Paths are those in ``fma_small.zip`` and the others, relative to the folder of the numbered
    folders. The genre is the top genre, the group the artist, the role FMA's own partition.

    Parameters
    ----------
    metadata
        ``fma_metadata/tracks.csv``.
    subset
        A larger one holds the smaller ones.
    out
        CSV to write. A table that has rows already is never overwritten.

    Raises
    ------
    FmaError
        `out` has rows already; `metadata` can't be read, is another file, or has no such tracks.
    """
    if out.exists() and read_rows(out, out.parent):
        raise FmaError(
            f"{out}: lists tracks already, and is left as it is; name another file with --to, or "
            "move it away"
        )
    table = _read(metadata)
    subsets = get_args(Subset)
    table = table[table["subset"].isin(subsets[: subsets.index(subset) + 1])]
    known = table[table["genre"] != ""]
    if known.empty:
        raise FmaError(f"{metadata}: no track of the subset {subset} has a genre")
    numbers = known["number"].astype(int)
    labels = pd.DataFrame(
        {
            "path": [f"{number // 1000:03d}/{number:06d}.mp3" for number in numbers],
            # A genre names files: of "Old-Time / Historic" the slash can't stay.
            "genre": [re.sub(r"\s*/\s*", "-", genre) for genre in known["genre"]],
            "group": [f"artist {artist}" if artist else "" for artist in known["group"]],
            "role": known["role"].map(_ROLES).fillna(""),
        }
    )
    write_csv(labels.sort_values("path"), out)
    return Labelled(len(known), known["genre"].nunique(), len(table) - len(known))


def _read(metadata: Path) -> pd.DataFrame:
    """Return number, subset, role, genre and group of all tracks, as text."""
    try:
        head = pd.read_csv(metadata, header=None, nrows=2, dtype=str, keep_default_na=False)
        headings = list(zip(*head.to_numpy().tolist(), strict=True))
        if missing := [of for of in _COLUMNS.values() if of not in headings]:
            raise FmaError(
                f"{metadata}: lacks the columns {', '.join('/'.join(of) for of in missing)}; "
                "expected tracks.csv of fma_metadata.zip, which has two lines of headings"
            )
        places = {"number": 0} | {name: headings.index(of) for name, of in _COLUMNS.items()}
        table: pd.DataFrame = pd.read_csv(
            metadata,
            header=None,
            skiprows=3,
            usecols=sorted(places.values()),
            dtype=str,
            keep_default_na=False,
        )
    except OSError as error:
        raise FmaError(f"{metadata}: can't be read ({error.strerror})") from None
    except (ValueError, UnicodeError) as error:
        raise FmaError(f"{metadata}: is no CSV ({error})") from None
    return table.rename(columns={place: name for name, place in places.items()})
