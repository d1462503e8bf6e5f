"""Find recordings that occur more than once, from the audio alone.

Exact duplicates have the same decoded samples. Near-duplicates are the same recording at another
level, offset or codec. Candidates (:mod:`genreflow.tracks.candidates`) are compared by their
landmarks: pairs of spectral peaks, hashed by their two frequencies and their distance in time, that
agree on one offset between two tracks. Two renditions of the same notes (sequenced music) can agree
too, so a pair counts only if the waveforms correlate at that offset.

References
----------
A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
B. L. Sturm, "An analysis of the GTZAN music genre dataset", ACM MIRUM 2012 (its repetitions were
found the same way).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate

from genreflow.fingerprints.prints import HOP_LENGTH, Landmarks, Prints
from genreflow.tracks.candidates import candidates

# Chosen on 500 real tracks and on copies of them at another level, cut at arbitrary samples and
# coded as MP3 at the lowest quality: every copy scores at least 25 matches and a share of 0.046;
# unrelated tracks stay below 15 matches, or below a share of 0.015. A common stretch shorter than
# a mel window (1.5 s) is no evidence.
MAX_BUCKET = 60
MIN_MATCHES = 20
MIN_SHARE = 0.04
BLOCK = 2**16
MIN_COMMON_FRAMES = 129


@dataclass(frozen=True)
class Match:
    """Two tracks that hold the same recording.

    Attributes
    ----------
    first, second
        Positions of the tracks.
    offset
        Frames by which the recording starts later in the first track.
    matches
        Landmarks that agree on the offset.
    share
        Those, as a share of the landmarks of the sparser track in the common stretch.
    correlation
        Largest normalised cross-correlation near that offset, median over blocks of 3 s; its
        sign is dropped, since a copy may have the other polarity.
    """

    first: int
    second: int
    offset: int
    matches: int
    share: float
    correlation: float


def near_duplicates(
    prints: Prints,
    samples: Callable[[int], npt.NDArray[np.int16]],
    min_correlation: float,
) -> list[Match]:
    """Return the pairs of tracks whose landmarks and waveforms agree on one offset.

    Parameters
    ----------
    prints
        The fingerprints of the tracks.
    samples
        Returns the samples, shape (n,), of the track at a position.
    min_correlation
        Least correlation of two tracks that count as the same recording. Different music over one
        loop correlates, too, the more the louder the loop.

    Returns
    -------
    list of Match
        Sorted by position.
    """
    matches = []
    for first, second in candidates(prints):
        one, two = prints.landmarks(first), prints.landmarks(second)
        offset, votes = agreement(one, two)
        if votes < MIN_MATCHES:
            continue
        frames_in_common, landmarks_in_common = _common(one, two, offset)
        share = votes / landmarks_in_common
        if share >= MIN_SHARE and frames_in_common >= MIN_COMMON_FRAMES:
            agreed = correlation(samples(first), samples(second), offset * HOP_LENGTH)
            if agreed >= min_correlation:
                matches.append(Match(first, second, offset, votes, share, agreed))
    return matches


def agreement(one: Landmarks, two: Landmarks) -> tuple[int, int]:
    """Return the offset [frames] on which most landmarks of two tracks agree, and how many do."""
    (hashes, frames), (others, theirs) = _by_hash(one), _by_hash(two)
    start, count = _places(others, hashes)
    # A hash that is shared by very many landmarks (a steady hum) says nothing.
    count[count + _occurrences(hashes) > MAX_BUCKET] = 0
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    offsets = np.repeat(frames, count) - theirs[np.repeat(start, count) + place]
    if not len(offsets):
        return 0, 0
    least = int(offsets.min())
    votes = np.bincount(offsets - least)
    # Framing shifts a peak by one frame: neighbouring offsets vote together.
    total = votes.copy()
    total[:-1] += votes[1:]
    total[1:] += votes[:-1]
    total[votes == 0] = 0
    best = int(np.argmax(total))
    return least + best, int(total[best])


def _by_hash(marks: Landmarks) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    # Numbers are sorted several times as fast as their order is found.
    both = np.sort((marks.hashes.astype(np.int64) << 32) | marks.frames)
    return (both >> 32).astype(np.int32), both.astype(np.int32)


def _places(
    hashes: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return where in sorted `hashes` each wanted one begins, and how often it is there."""
    start = np.searchsorted(hashes, wanted)
    return start, np.searchsorted(hashes, wanted, side="right") - start


def _occurrences(hashes: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Return how often each of sorted `hashes` is among them."""
    begins = np.flatnonzero(np.diff(hashes, prepend=-1))
    lengths = np.diff(begins, append=len(hashes))
    return np.repeat(lengths, lengths)


def _common(one: Landmarks, two: Landmarks, offset: int) -> tuple[int, int]:
    """Measure the common stretch in frames, and in landmarks of the sparser track."""
    a, b = one.frames, two.frames + offset
    low, high = max(a.min(), b.min()), min(a.max(), b.max())
    counts = (int(np.sum((frames >= low) & (frames <= high))) for frames in (a, b))
    return int(high - low), max(min(counts), MIN_MATCHES)


def correlation(first: npt.NDArray[np.int16], second: npt.NDArray[np.int16], offset: int) -> float:
    """Correlate two tracks where `second` starts `offset` samples after the start of `first`.

    Parameters
    ----------
    first, second
        Shapes (n,) and (m,).
    offset
        Samples, accurate to two STFT hops; may be negative.

    Returns
    -------
    float
        See :class:`Match`; 0 where one of them is silent.
    """
    low, high = max(offset, 0), min(len(first), len(second) + offset)
    values = []
    for start in range(low, max(high - BLOCK // 2, low + 1), BLOCK):
        stop = min(start + BLOCK, high)
        a = first[start:stop].astype(np.float32)
        b = second[start - offset : stop - offset].astype(np.float32)
        norm = np.linalg.norm(a) * np.linalg.norm(b)
        lags = np.abs(correlate(a, b, method="fft"))
        near = lags[max(len(b) - 1 - 2 * HOP_LENGTH, 0) : len(b) + 2 * HOP_LENGTH]
        values.append(near.max() / norm if norm > 0 else 0.0)
    return float(np.median(values))
