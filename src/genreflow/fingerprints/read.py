"""Read the fingerprints of a corpus, a shard at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from genreflow.fingerprints.layout import open_fingerprints
from genreflow.fingerprints.prints import Constellations, Landmarks
from genreflow.store.files import KEPT_OPEN
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp


class CorpusPrints:
    """The fingerprints of those tracks of a corpus that have a position.

    Parameters
    ----------
    audio
        The file of each shard → the digest of the shard's audio.
    expected
        What the files must have been made with.
    positions
        The number of each track that counts: 0, 1 and so on.

    Attributes
    ----------
    size
        Number of constellations of all shards together.

    Raises
    ------
    StaleArtifactError
        A file was made with other parameters or of other audio, lacks a track, or is damaged.
    """

    def __init__(
        self, audio: Mapping[Path, str], expected: Stamp, positions: Mapping[str, int]
    ) -> None:
        # Those that haven't been used for longest are let go.
        self._opened = lru_cache(KEPT_OPEN)(partial(open_fingerprints, expected=expected))
        self._paths, self._expected = tuple(audio), expected
        self._positions = []
        self._places = [(-1, -1)] * len(positions)
        self.size = 0
        for number, (path, digest) in enumerate(audio.items()):
            shard = open_fingerprints(path, expected)
            if shard.audio != digest:
                raise StaleArtifactError(f"{path}: made from other audio; {REMEDY}")
            own = [positions.get(name, -1) for name in shard.track_id]
            for row, position in enumerate(own):
                if position >= 0:
                    self._places[position] = number, row
            self._positions.append(np.array(own, dtype=np.int32))
            self.size += shard.prints.size
        if (-1, -1) in self._places:
            raise StaleArtifactError(
                f"{self._paths[0].parent}: lacks fingerprints of a track; {REMEDY}"
            )

    def __len__(self) -> int:
        """Return the number of tracks that have a position."""
        return len(self._places)

    def landmarks(self, track: int) -> Landmarks:
        """Return the landmarks of the track at a position."""
        number, row = self._places[track]
        return self._opened(self._paths[number]).prints.landmarks(row)

    def between(self, low: int, high: int) -> Constellations:
        """Return the constellations whose keys are at least `low`, below `high`.

        Raises
        ------
        StaleArtifactError
            A file holds constellations of a track that isn't there.
        """
        found = [self._of_shard(number, low, high) for number in range(len(self._paths))]
        return Constellations(
            np.concatenate([part.keys for part in found]),
            np.concatenate([part.tracks for part in found]),
            np.concatenate([part.frames for part in found]),
        )

    def _of_shard(self, number: int, low: int, high: int) -> Constellations:
        path, positions = self._paths[number], self._positions[number]
        # Not one that is kept: all that was ever read of it would count as this process's memory.
        part = open_fingerprints(path, self._expected).prints.between(low, high)
        if len(part.tracks) and not 0 <= part.tracks.min() <= part.tracks.max() < len(positions):
            raise StaleArtifactError(f"{path}: a track isn't there; {REMEDY}")
        tracks = positions[part.tracks]
        counts = tracks >= 0
        return Constellations(part.keys[counts], tracks[counts], part.frames[counts])
