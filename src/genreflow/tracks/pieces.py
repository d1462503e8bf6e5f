"""Recognise pieces of recordings by their names: a corpus that was cut before genreflow saw it.

Neighbouring pieces share no audio, so that no search for duplicates joins them; what gives them
away is that ``blues.00000.0.wav`` to ``blues.00000.9.wav`` differ in a trailing number alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

PATTERN = r"^(.*[^/\d])\d+\)?\.\w+$"
"""What a piece is called: its one capture is the recording. As ``corpus.group_pattern`` it groups
the pieces of each."""

_COVERED = 0.5
"""Names of numbered parts are evidence where they are at least so large a share of a folder."""


@dataclass(frozen=True)
class Pieces:
    """Names that look like numbered parts.

    Attributes
    ----------
    names
        Names with several parts.
    fewest, most
        Parts of a name.
    tracks
        All parts.
    example
        The first name.
    """

    names: int
    fewest: int
    most: int
    tracks: int
    example: str

    def facts(self) -> dict[str, Any]:
        """Return these numbers and the pattern that would group the pieces, for a stamp."""
        return {**asdict(self), "pattern": PATTERN}

    def __str__(self) -> str:
        parts = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} to {self.most}"
        return (
            f"{self.names} names with {parts} numbered parts each, such as {self.example}…: parts "
            f"of one recording? To keep them together, set corpus.group_pattern: '{PATTERN}'"
        )


def find_pieces(track_ids: Iterable[str]) -> Pieces | None:
    """Look for tracks that are numbered parts of the same name.

    One name with everything is no evidence (``blues.00000.wav``, ``track01.mp3``), nor are names
    that are nothing but numbers, nor a few numbered names among many others: in a folder there
    must be several names with several parts each, and most files must be such parts.

    Returns
    -------
    Pieces or None
        None where nothing speaks for pieces.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for track in track_ids:
        folders[PurePosixPath(track).parent.as_posix()].append(track)
    parts: Counter[str] = Counter()
    for tracks in folders.values():
        found = Counter(match[1] for track in tracks if (match := re.search(PATTERN, track)))
        several = Counter({name: n for name, n in found.items() if n > 1})
        enough = len(several) > 1 and several.total() >= _COVERED * len(tracks)
        if enough and max(several.values()) <= several.total() / 2:
            parts += several
    if not parts:
        return None
    sizes = parts.values()
    return Pieces(len(parts), min(sizes), max(sizes), parts.total(), min(parts))


def find_divided(groups: Mapping[str, str]) -> Pieces | None:
    """Look for pieces of one name that are in several groups: track → group."""
    pieces = find_pieces(groups)
    if pieces is None:
        return None
    homes: dict[str, set[str]] = defaultdict(set)
    for track, group in groups.items():
        if match := re.search(PATTERN, track):
            homes[match[1]].add(group)
    divided = {name for name, found in homes.items() if len(found) > 1}
    return find_pieces(
        track for track in groups if (match := re.search(PATTERN, track)) and match[1] in divided
    )
