"""What the user lists of single tracks: their groups, their roles."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from genreflow.corpus.labels import Row
from genreflow.corpus.scan import AUDIO_EXTENSIONS
from genreflow.errors import GenreflowError
from genreflow.store.cells import unguarded

log = logging.getLogger(__name__)

_EXAMPLES = 2
_LONGEST = 200
"""Characters of a name or reason that a message quotes."""


class ListingError(GenreflowError):
    """A listing can't be used."""


def read_listing(path: Path, column: str) -> pd.DataFrame:
    """Read a CSV with the columns track_id and `column`, both as text.

    Blanks around a cell don't count, an empty cell says nothing, and any other is a name: also
    ``NA`` and ``None``, which are bands.

    Raises
    ------
    ListingError
        The file is missing or no CSV, lacks a column, or lists a track twice.
    """
    if not path.is_file():
        raise ListingError(
            f"{path}: no such file (expected a CSV with the columns track_id, {column}); "
            "correct the path in params.yaml"
        )
    frame = read_text_table(path).rename(columns=str.strip)
    if twice := sorted({name for name in ("track_id", column) if list(frame).count(name) > 1}):
        raise ListingError(f"{path}: has two columns called {', '.join(twice)}; keep one")
    if missing := {"track_id", column} - set(frame.columns):
        raise ListingError(
            f"{path}: lacks the column {', '.join(sorted(missing))} (found "
            f"{_examples(frame.columns, 10)}); its first line must read track_id,{column}"
        )
    frame = frame[["track_id", column]].apply(lambda cells: cells.str.strip().map(_name))
    frame = frame[(frame != "").all(axis=1)].reset_index(drop=True)
    if (twice := frame["track_id"].duplicated()).any():
        raise ListingError(
            f"{path}: lists {frame.loc[twice, 'track_id'].iloc[0]} twice; keep one line a track"
        )
    listed: pd.DataFrame = frame
    return listed


def listing_of(rows: Sequence[Row], column: str) -> pd.DataFrame:
    """Return what a table of labels says in `column`, group or role, as a listing of its own."""
    said = [(row.track_id, getattr(row, column)) for row in rows if getattr(row, column)]
    return pd.DataFrame(said, columns=["track_id", column], dtype=str)


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a CSV whose cells are all text; an empty cell is "".

    Raises
    ------
    ListingError
        It is no CSV in UTF-8, or a line has more cells than there are columns.
    """
    try:
        with warnings.catch_warnings():
            # pandas would cut longer lines off, or take their first cells for names of rows.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(
                path, dtype=str, encoding="utf-8-sig", keep_default_na=False, index_col=False
            )
    except (ValueError, pd.errors.ParserWarning, OSError) as error:
        reason = " ".join(str(error).split())[:_LONGEST]
        raise ListingError(
            f"{path}: is no CSV with the same number of cells in each line, in UTF-8 ({reason}); "
            "save it as such"
        ) from None
    return table.fillna("")


def match_listing(listing: pd.DataFrame, track_ids: Sequence[str], source: str) -> pd.DataFrame:
    """Give listed tracks the names that they have in the corpus.

    A listed track is one of the corpus if their paths are equal, whatever their Unicode
    normalisation and with backslashes for slashes. Where that still tells tracks apart, the
    extension may be another or missing, and there may be more folders in front, or none.

    Parameters
    ----------
    listing
        What :func:`read_listing` returned.
    track_ids
        All tracks of the corpus, those set aside too: these have their names as well.
    source
        Name of the listing, for messages.

    Returns
    -------
    DataFrame
        The rows of tracks that the corpus has, with the names they have there. The others are
        counted in a warning.

    Raises
    ------
    ListingError
        No listed track is in the corpus, or two lines mean the same track.
    """
    known: dict[str, str | None] = {}
    for track in track_ids:
        for name in _names(track):
            # None: several tracks go by this name.
            known[name] = track if known.get(name, track) == track else None
    known |= {_plain(track): track for track in track_ids}

    def found(listed: str) -> str | None:
        parts = PurePosixPath(_plain(listed)).parts
        tails = (PurePosixPath(*parts[n:]).as_posix() for n in range(len(parts)))
        return next((known[name] for tail in tails for name in _forms(tail) if name in known), None)

    tracks = listing["track_id"].map(found)
    absent = listing.loc[tracks.isna(), "track_id"]
    if len(listing) and len(absent) == len(listing):
        raise ListingError(
            f"{source}: none of its {len(listing)} tracks is in the corpus. It lists "
            f"{_examples(listing['track_id'])}; the corpus has {_examples(sorted(track_ids))}. "
            "A track_id is the path below corpus.root, as in results/tracks.parquet"
        )
    if len(absent):
        log.warning(
            "%s: %d of %d listed tracks are not in the corpus, such as %s",
            source,
            len(absent),
            len(listing),
            _examples(absent),
        )
    matched = listing.assign(track_id=tracks)[tracks.notna()].reset_index(drop=True)
    if (twice := matched["track_id"].duplicated()).any():
        raise ListingError(
            f"{source}: two lines mean {matched.loc[twice, 'track_id'].iloc[0]}; keep one"
        )
    return matched


def _name(cell: str) -> str:
    return _composed(unguarded(cell))


def _composed(name: str) -> str:
    """Return a name in Unicode's composed form; macOS hands out names decomposed."""
    return unicodedata.normalize("NFC", name)


def _plain(track_id: str) -> str:
    return _composed(track_id).replace("\\", "/")


def _names(track_id: str) -> set[str]:
    """Return what a track may be called: its path or its name, with or without extension."""
    path = PurePosixPath(_plain(track_id))
    return {form for name in (path.as_posix(), path.name) for form in _forms(name)}


def _forms(name: str) -> tuple[str, str]:
    """Return a name as it is, and without the extension if it ends in one of an audio file."""
    path = PurePosixPath(name)
    is_audio = path.suffix.lower() in AUDIO_EXTENSIONS
    return name, path.with_suffix("").as_posix() if is_audio else name


def _examples(names: Sequence[str] | pd.Series[str] | pd.Index[str], count: int = _EXAMPLES) -> str:
    return ", ".join(name[:_LONGEST] for name in list(names)[:count])
