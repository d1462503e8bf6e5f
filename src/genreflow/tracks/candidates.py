"""Find the pairs of tracks that are worth a comparison, without comparing all pairs.

Tracks are looked up by their constellations, a range of keys at a time. What two of them share by
chance goes with the size of the corpus, so of a large one a share of all keys is looked up: a copy
has mostly more in common with its original than is needed, but the poorest are missed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from genreflow.fingerprints.prints import KEY_BITS, Constellations, Prints

_Numbers = npt.NDArray[np.int64]

MOST_FRAMES = 2**21
"""Offsets of up to so many frames are looked for: six hours. Of a million tracks and more, those
that leave room for the pair in 64 bit: of ten million, six minutes."""

MIN_AGREEING, MIN_SHARE = 2, 0.0025
"""Constellations at one offset that make two tracks a candidate, also as a share of those that the
sparser track has in the common stretch. Chosen on 255 copies of real tracks: MP3 at a low quality,
5 s of them, with noise 14 dB below. All 243 that the comparison accepts have as many, and so has 1
of 4,851 pairs of other tracks of 30 s."""

CLEAR_SHARE = 0.01
"""Of these copies, all but those with noise have a share of 0.014 and more. Whatever has as much as
this is compared."""

MOST, MOST_PER_TRACK = 1000, 0.25
"""Of the others, at most so many pairs are compared, the likeliest: some pairs in every so many are
alike by chance, and pairs go with the square of the tracks."""

NEIGHBOURS = 8
"""Each is compared with so many others of its key. What very many tracks share (a hum) says nothing
and would cost the square; and of a recording that many tracks hold, each finds some of the others,
which joins them all."""

ALL_UP_TO = 2**25
"""Constellations of which all are looked up, those of some 2,400 real tracks of 30 s. Of n times as
many, one in √n is; what that costs in copies is in docs/scale.md."""

AT_A_TIME = 2**23
"""Constellations that are sorted together, some 0.4 GB."""


def candidates(prints: Prints) -> list[tuple[int, int]]:
    """Return the pairs of tracks that share constellations at one offset, sorted.

    Parameters
    ----------
    prints
        The fingerprints of all tracks.

    Returns
    -------
    list of (int, int)
        Positions, the smaller one first.
    """
    n_tracks = len(prints)
    span = min(2 * MOST_FRAMES, 2**62 // max(n_tracks, 1) ** 2)
    extents = Extents.of_none(n_tracks)
    finds = []
    for part in _parts(prints):
        extents.add(part)
        finds.append(np.sort(_finds(part, n_tracks, span)))
    pair, offset, agreeing = _agreeing(finds, n_tracks, span)
    share = agreeing / extents.in_common(pair // n_tracks, pair % n_tracks, offset)
    pair, first = np.unique(pair, return_index=True)
    best = np.maximum.reduceat(share, first) if len(first) else share
    most = int((best >= CLEAR_SHARE).sum() + MOST + MOST_PER_TRACK * n_tracks)
    likeliest = np.argsort(-best, kind="stable")[:most]
    strong = np.sort(pair[likeliest[best[likeliest] >= MIN_SHARE]])
    return [(int(one // n_tracks), int(one % n_tracks)) for one in strong]


@dataclass(frozen=True)
class Extents:
    """How many constellations each track has, and between which frames; all (tracks,) int64."""

    count: _Numbers
    first: _Numbers
    last: _Numbers

    @classmethod
    def of_none(cls, n_tracks: int) -> Extents:
        """Return those of tracks of which nothing is known yet."""
        none = np.zeros(n_tracks, np.int64)
        return cls(none, none + np.iinfo(np.int32).max, none.copy())

    def add(self, part: Constellations) -> None:
        """Take more constellations of the tracks into account."""
        self.count[:] += np.bincount(part.tracks, minlength=len(self.count))
        # Of other types than the result, NumPy takes them one by one, forty times as slowly.
        tracks, frames = part.tracks.astype(np.intp), part.frames.astype(np.int64)
        np.minimum.at(self.first, tracks, frames)
        np.maximum.at(self.last, tracks, frames)

    def in_common(self, one: _Numbers, two: _Numbers, offset: _Numbers) -> npt.NDArray[np.float64]:
        """Estimate how many the sparser track of each pair has in the stretch that both hold."""
        begin = np.maximum(self.first[one], self.first[two] + offset)
        end = np.minimum(self.last[one], self.last[two] + offset)
        density = self.count / (self.last - self.first + 1)
        estimate = (end - begin) * np.minimum(density[one], density[two])
        at_least: npt.NDArray[np.float64] = np.maximum(estimate, 1)
        return at_least


def _agreeing(
    finds: Sequence[_Numbers], n_tracks: int, span: int
) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Return pairs and offsets with enough finds, and how many each has; all (n,).

    Parameters
    ----------
    finds
        Of each part, sorted; see :func:`_finds`.
    """
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    # Some tracks at a time: what is counted takes several times the memory of what is kept.
    n_blocks = 1 + sum(map(len, finds)) // AT_A_TIME
    bounds = [number * n_tracks // n_blocks * n_tracks * span for number in range(n_blocks + 1)]
    for low, high in pairwise(bounds):
        own = [part[slice(*np.searchsorted(part, [low, high]))] for part in finds]
        key, count = np.unique(np.concatenate(own), return_counts=True)
        total = count.copy()
        # Framing shifts a peak by one frame: neighbouring offsets count together.
        adjacent = np.diff(key) == 1
        total[:-1][adjacent] += count[1:][adjacent]
        total[1:][adjacent] += count[:-1][adjacent]
        enough = total >= MIN_AGREEING
        found.append((key[enough], total[enough]))
    key, total = (np.concatenate(column) for column in zip(*found, strict=True))
    return key // span, key % span - span // 2, total


def _parts(prints: Prints) -> Iterator[Constellations]:
    """Yield constellations in parts that fit into memory; each key is in one of them, or none."""
    share = min(1.0, math.sqrt(ALL_UP_TO / max(prints.size, 1)))
    n_parts = 1 + int(share * prints.size) // AT_A_TIME
    bounds = [number * int(share * 2**KEY_BITS) // n_parts for number in range(n_parts + 1)]
    for low, high in pairwise(bounds):
        yield prints.between(low, high)


def _finds(part: Constellations, n_tracks: int, span: int) -> _Numbers:
    """Return of each two constellations with one key the pair of tracks and the offset.

    Returns
    -------
    (n,) int64
        ``(first * n_tracks + second) * span + offset + span // 2``, with the smaller position
        first; the offset is the frames by which the second track starts later in the first.
    """
    order = np.argsort(part.keys)
    keys = part.keys[order]
    again = keys[1:] == keys[:-1]
    is_shared = np.zeros(len(keys), np.bool_)
    is_shared[:-1] |= again
    is_shared[1:] |= again
    shared = order[is_shared]
    keys, tracks, frames = part.keys[shared], part.tracks[shared], part.frames[shared]
    # By track, so that finds don't depend on how tracks are divided into shards.
    order = np.lexsort((frames, tracks, keys))
    keys, tracks, frames = keys[order], tracks[order].astype(np.int64), frames[order]
    found = [np.empty(0, np.int64)]
    for step in range(1, NEIGHBOURS + 1):
        same = (keys[step:] == keys[:-step]) & (tracks[step:] != tracks[:-step])
        one = np.flatnonzero(same)
        offset = frames[one].astype(np.int64) - frames[one + step]
        near = np.abs(offset) < span // 2 - 1
        pair = tracks[one] * n_tracks + tracks[one + step]
        found.append((pair * span + offset + span // 2)[near])
    return np.concatenate(found)
