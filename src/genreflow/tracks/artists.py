"""Who plays on which track: a listing of groups from tags, from a table, or from GTZAN's index.

References
----------
B. L. Sturm, "The state of the art ten years after a state of the art: future research in music
information retrieval", Journal of New Music Research 43, 2014 (the index of GTZAN's artists).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from genreflow.corpus.demo.artists import artists_of
from genreflow.corpus.layout import read_layout
from genreflow.corpus.scan import TrackFile, list_shards
from genreflow.errors import GenreflowError
from genreflow.params import DEMO_ROOT
from genreflow.store.files import write_csv
from genreflow.tracks.listings import match_listing, read_listing, read_text_table

By = Literal["artist", "album"]

_SEPARATOR = ":::"
_UNKNOWN = {"", "?", "-", "n/a", "unknown", "unknown artist", "unknown album"}
"""What people write where they don't know; compared in lower case."""
_MANY = {
    "various",
    "various artists",
    "va",
    "v.a.",
    "v/a",
    "diverse interpreten",
    "verschiedene interpreten",
    "artistes divers",
    "varios artistas",
    "artisti vari",
}
"""What the tags of compilations name as their artist: nobody in particular."""
_TAGS: dict[By, tuple[str, ...]] = {
    "artist": ("artist", "TPE1", "Author"),
    "album": ("album", "TALB", "WM/AlbumTitle"),
}
_FILE_COLUMNS = ("track_id", "file", "filename", "path", "track")


class ArtistsError(GenreflowError):
    """Artists can't be read or written; the message says why and what to do."""


@dataclass(frozen=True)
class Listed:
    """What was found: tracks whose group is known, all tracks, and the number of groups."""

    known: int
    tracks: int
    groups: int


def list_groups(
    root: Path,
    out: Path,
    *,
    source: Path | None = None,
    by: By = "artist",
    labels: Path | None = None,
) -> Listed:
    """Write ``track_id,group`` for all tracks of a corpus whose artist or album is known.

    Spellings that differ in case, blanks or Unicode normalisation are one group. Tracks of which
    nothing is known, or whose artist is "Various Artists", are left out: they stand for themselves.

    Parameters
    ----------
    root
        The corpus. Its files are only read.
    out
        CSV to write. What is listed there already is never overwritten.
    source
        A CSV with a column for the file and one called like `by`, or lines ``file ::: artist :::
        title`` as in Sturm's index of GTZAN. By default the files' own tags; the demo corpus, which
        has none, knows its bands.
    by
        What makes a group.
    labels
        The table that says which files the corpus has, where folders aren't genres.

    Raises
    ------
    ArtistsError
        `out` lists groups already, `source` can't be read, or nothing is known of any track.
    genreflow.corpus.scan.CorpusError, genreflow.tracks.listings.ListingError
        The corpus can't be listed; `source` has none of its tracks.
    """
    if out.exists() and len(read_listing(out, "group")):
        raise ArtistsError(
            f"{out}: lists groups already, and is left as it is; name another file with --to, or "
            "move it away"
        )
    layout = read_layout(root, labels)
    shards = list_shards(layout.genres, 1).values()
    files = [file for shard in shards for file in layout.scan(shard).files]
    if source is not None:
        listing = _from_file(source, by, files)
    elif root == Path(DEMO_ROOT):
        listing = artists_of(file.track_id for file in files)
    else:
        listing = _from_tags(files, by)
    nobody = _UNKNOWN | _MANY if by == "artist" else _UNKNOWN
    known = ~listing["group"].map(_folded).isin(nobody)
    listing = listing[known].assign(group=lambda table: _one_spelling(table["group"]))
    if listing.empty:
        where = "the tags of its files" if source is None else str(source)
        raise ArtistsError(f"{root}: {where} name no {by} of any track, so nothing was written")
    write_csv(listing.sort_values("track_id"), out)
    return Listed(len(listing), len(files), listing["group"].nunique())


def _from_tags(files: Sequence[TrackFile], by: By) -> pd.DataFrame:
    rows = [(file.track_id, _tag(file.path, by)) for file in files]
    return pd.DataFrame(rows, columns=["track_id", "group"])


def _tag(path: Path, by: By) -> str:
    """Return a tag of an audio file; "" where it has none or can't be read."""
    import mutagen

    try:
        found = mutagen.File(path, easy=True)
    except (mutagen.MutagenError, OSError):
        return ""
    if found is None or found.tags is None:
        return ""
    # Most formats answer to the plain name; WAV and AIFF hold ID3 frames, WMA names of its own.
    values = next((v for name in _TAGS[by] if (v := found.tags.get(name))), [""])
    return str(getattr(values, "text", values)[0])


def _from_file(source: Path, by: By, files: Sequence[TrackFile]) -> pd.DataFrame:
    try:
        text = source.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ArtistsError(f"{source}: can't be read ({error.strerror})") from None
    if _SEPARATOR in text:
        rows = pd.DataFrame(list(_index_lines(text)), columns=["track_id", "group"])
    else:
        rows = _table(source, by)
    rows = rows[(rows != "").all(axis=1)].drop_duplicates("track_id", ignore_index=True)
    return match_listing(rows, [file.track_id for file in files], str(source))


def _index_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        file, separator, rest = line.partition(_SEPARATOR)
        if separator:
            yield file.strip(), rest.partition(_SEPARATOR)[0].strip()


def _table(source: Path, by: By) -> pd.DataFrame:
    table = read_text_table(source)
    names = {name.strip().lower(): name for name in table.columns}
    file = next((names[name] for name in _FILE_COLUMNS if name in names), None)
    group = names.get(by) or names.get("group")
    if file is None or group is None:
        raise ArtistsError(
            f"{source}: expected a column called {' or '.join(_FILE_COLUMNS)}, and one called "
            f"{by}; found {', '.join(table.columns)}"
        )
    return pd.DataFrame({"track_id": table[file].str.strip(), "group": table[group].str.strip()})


def _folded(name: str) -> str:
    """Return a name without what people write now this way, now that."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _one_spelling(names: pd.Series[str]) -> pd.Series[str]:
    """Write each name as it is written first."""
    return names.groupby(names.map(_folded)).transform("first").str.strip()
