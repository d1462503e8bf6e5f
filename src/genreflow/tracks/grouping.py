"""Which tracks belong together by the user's word: listings, patterns of names, folders.

Of several words on one track the most particular counts: the listing of groups, then the table of
labels, then the pattern, then the folder.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from genreflow.corpus.demo.artists import artists_of
from genreflow.corpus.labels import Row
from genreflow.params import Corpus
from genreflow.tracks.listings import ListingError, listing_of, match_listing, read_listing

log = logging.getLogger(__name__)

_EXAMPLES = 2


@dataclass(frozen=True)
class Known:
    """What is known of groups.

    Attributes
    ----------
    groups
        Columns track_id, group; tracks of which nothing is known are left out.
    sources
        Who says so, the most particular first; ``("",)`` where the demo knows its bands.
    artists
        Whether groups are artists or albums: somebody listed them, or they have folders. What a
        pattern captures may be anything.
    """

    groups: pd.DataFrame
    sources: tuple[str, ...]
    artists: bool


def known_groups(
    track_ids: Sequence[str],
    groups: Path,
    rows: Sequence[Row],
    corpus: Corpus,
    *,
    is_demo: bool = False,
) -> Known:
    """Find the group of each track of which something is known.

    Parameters
    ----------
    track_ids
        All tracks of the corpus.
    groups
        The listing ``track_id,group``.
    rows
        Of the table of labels; its groups.
    corpus
        The section ``corpus``: the pattern and the rule for folders.
    is_demo
        Of the demo it is known which band plays, unless something else says otherwise.

    Raises
    ------
    ListingError
        A listing, the pattern or the rule for folders fits no track.
    """
    labels = listing_of(rows, "group")
    listings = {
        str(groups): match_listing(read_listing(groups, "group"), track_ids, str(groups)),
        corpus.labels: match_listing(labels, track_ids, corpus.labels),
    }
    rules = {}
    if corpus.group_pattern is not None:
        rules["corpus.group_pattern"] = by_pattern(track_ids, corpus.group_pattern)
    if corpus.group_by == "folder":
        rules["corpus.group_by"] = by_folder(track_ids, below_genre=not rows)
    found = {name: table for name, table in (listings | rules).items() if len(table)}
    if not found and is_demo:
        return Known(artists_of(track_ids), ("",), artists=True)
    groups_of = first_word(list(found.values()), "group")
    return Known(groups_of, tuple(found), artists=bool(set(found) - {"corpus.group_pattern"}))


def first_word(tables: Sequence[pd.DataFrame], column: str) -> pd.DataFrame:
    """Join listings: of several that name a track the first counts."""
    nothing = pd.DataFrame(columns=["track_id", column], dtype=str)
    joined: pd.DataFrame = pd.concat([*tables, nothing], ignore_index=True)
    return joined.drop_duplicates("track_id", ignore_index=True)


def by_pattern(track_ids: Sequence[str], pattern: str) -> pd.DataFrame:
    """Group tracks by what the one capture of `pattern` holds, searched in the track_id.

    Tracks in which it finds nothing, or captures nothing, stand alone.

    Raises
    ------
    ListingError
        It finds nothing in any track.
    """
    compiled = re.compile(pattern)
    found = {track: match[1] for track in track_ids if (match := compiled.search(track))}
    captured = {track: group for track, group in found.items() if group}
    if not captured:
        raise ListingError(
            f"corpus.group_pattern: {pattern!r} captures nothing in any of {len(track_ids)} tracks "
            f"such as {_examples(track_ids)}. It is searched in the whole track_id (re.search); "
            "correct it, or set it to null"
        )
    if alone := [track for track in track_ids if track not in captured]:
        log.warning(
            "corpus.group_pattern captures nothing in %d of %d tracks, such as %s",
            len(alone),
            len(track_ids),
            _examples(alone),
        )
    return _table(captured)


def by_folder(track_ids: Sequence[str], *, below_genre: bool) -> pd.DataFrame:
    """Group tracks by the first folder below the genre's, or below the root.

    In artist/album/track that is the artist's folder. Tracks that lie in none stand alone.

    Raises
    ------
    ListingError
        No track lies in such a folder.
    """
    depth = 2 if below_genre else 1
    parts = {track: PurePosixPath(track).parts for track in track_ids}
    found = {track: "/".join(path[:depth]) for track, path in parts.items() if len(path) > depth}
    if not found:
        where = "the folder of its genre" if below_genre else "corpus.root"
        raise ListingError(
            f"corpus.group_by: folder, but every track lies directly in {where}, such as "
            f"{_examples(track_ids)}; put the files of each artist or album into a folder, or set "
            "corpus.group_by to file"
        )
    return _table(found)


def _table(groups: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(groups.items()), columns=["track_id", "group"], dtype=str)


def _examples(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:_EXAMPLES])
