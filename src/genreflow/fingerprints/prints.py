"""What a fingerprint holds, and the fingerprints of many tracks side by side.

Two things are known of each track. Its *landmarks* are pairs of spectral peaks: there are many, and
what two tracks share of them tells how alike they are. But unrelated tracks share landmarks, too,
the more the larger the corpus. Its *constellations* are groups of three peaks. They are so special
that two tracks which share some at one offset are worth a comparison, and can be looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

HOP_LENGTH = 256
"""Samples from one frame to the next; offsets of fingerprints are frames."""

KEY_BITS = 63
"""Keys of constellations are evenly spread over 0 … 2**63 - 1."""


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of one track: a hash and a frame number per pair of peaks, both (n,) int32."""

    hashes: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Constellations:
    """The constellations of one track or of several.

    Attributes
    ----------
    keys
        (n,) int64: which three peaks; see :data:`KEY_BITS`.
    tracks
        (n,) int32: positions of the tracks that they are of.
    frames
        (n,) int32: where in the track.
    """

    keys: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]


class Prints(Protocol):
    """Fingerprints of tracks, by their positions."""

    @property
    def size(self) -> int:
        """Number of constellations of all tracks together."""

    def __len__(self) -> int:
        """Return the number of tracks."""

    def landmarks(self, track: int) -> Landmarks:
        """Return the landmarks of a track."""

    def between(self, low: int, high: int) -> Constellations:
        """Return the constellations of all tracks whose keys are at least `low`, below `high`."""


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of some tracks, as they are stored.

    Attributes
    ----------
    starts
        (tracks + 1,) int64: where each track's landmarks begin.
    marks
        The landmarks of all tracks, one track after the other.
    stars
        The constellations of all tracks, sorted by key, track and frame.
    """

    starts: npt.NDArray[np.int64]
    marks: Landmarks
    stars: Constellations

    @classmethod
    def of(cls, tracks: Sequence[tuple[Landmarks, Constellations]]) -> Fingerprints:
        """Put the fingerprints of tracks side by side; each is at position 0 of its own."""
        marks, stars = [one for one, _ in tracks], [two for _, two in tracks]
        keys = np.concatenate([np.empty(0, np.int64), *(one.keys for one in stars)])
        track = np.repeat(np.arange(len(stars), dtype=np.int32), [len(one.keys) for one in stars])
        frames = _joined([one.frames for one in stars])
        order = np.lexsort((frames, track, keys))
        return cls(
            np.cumsum([0, *(len(one.hashes) for one in marks)], dtype=np.int64),
            Landmarks(_joined([m.hashes for m in marks]), _joined([m.frames for m in marks])),
            Constellations(keys[order], track[order], frames[order]),
        )

    @property
    def size(self) -> int:
        """Number of constellations of all tracks together."""
        return len(self.stars.keys)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.starts) - 1

    def landmarks(self, track: int) -> Landmarks:
        """Return the landmarks of a track."""
        own = slice(self.starts[track], self.starts[track + 1])
        return Landmarks(self.marks.hashes[own], self.marks.frames[own])

    def between(self, low: int, high: int) -> Constellations:
        """Return the constellations whose keys are at least `low`, below `high`."""
        keys = self.stars.keys
        # 2**63, the upper end of all keys, is no int64 itself.
        first, last = np.searchsorted(keys, low), np.searchsorted(keys, high - 1, side="right")
        own = slice(first, last)
        return Constellations(keys[own], self.stars.tracks[own], self.stars.frames[own])


def _joined(parts: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *parts])
