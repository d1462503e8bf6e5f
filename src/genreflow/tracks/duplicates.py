"""Find recordings that occur more than once, from the audio alone.

Exact duplicates have the same decoded samples. Near-duplicates are the same recording at another
level, offset or codec. Candidates are found by landmark fingerprints: pairs of spectral peaks,
hashed by their two frequencies and their distance in time, that agree on one offset between two
tracks. Two renditions of the same notes (sequenced music) can agree too, so a candidate counts only
if the waveforms correlate at that offset.

References
----------
A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
B. L. Sturm, "An analysis of the GTZAN music genre dataset", ACM MIRUM 2012 (its repetitions were
found the same way).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.signal import correlate

# Chosen on 500 real tracks and on copies of them at another level, cut at arbitrary samples and
# coded as MP3 at the lowest quality: every copy scores at least 25 matches and a share of 0.046;
# unrelated tracks stay below 15 matches, or below a share of 0.015. A common stretch shorter than
# a mel window (1.5 s) is no evidence.
N_FFT = 1024
HOP_LENGTH = 256
PEAK_BINS, PEAK_FRAMES = 21, 15
PEAK_FLOOR_DB = 50.0
FAN_OUT = 6
MAX_FRAMES_APART = 63
MAX_BINS_APART = 63
MAX_BUCKET = 60
MIN_MATCHES = 20
MIN_SHARE = 0.04
BLOCK = 2**16
MIN_COMMON_FRAMES = 129
LANDMARKS_AT_A_TIME = 2**20


@dataclass(frozen=True)
class Landmarks:
    """Fingerprint of one track: a hash and a frame number per pair of peaks, both (n,)."""

    hashes: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Match:
    """Two tracks that hold the same recording.

    Parameters
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


def landmarks(samples: npt.NDArray[np.int16]) -> Landmarks:
    """Fingerprint a track.

    Parameters
    ----------
    samples
        Shape (n,), mono. Levels don't matter: peaks are relative to their surroundings.

    Returns
    -------
    Landmarks
        Empty when the track is shorter than one STFT frame.
    """
    if len(samples) < N_FFT:
        return Landmarks(np.empty(0, np.int32), np.empty(0, np.int32))
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_LENGTH]
    windowed = frames * np.hanning(N_FFT).astype(np.float32)
    level = 20 * np.log10(np.abs(rfft(windowed, axis=1))[:, : N_FFT // 2] + 1e-3)
    peaks = level == running_max(running_max(level, PEAK_FRAMES).T, PEAK_BINS).T
    peaks &= level > level.max() - PEAK_FLOOR_DB
    peaks[:, 0] = False
    time, frequency = np.nonzero(peaks)
    order = np.lexsort((frequency, time))
    return _pair(time[order].astype(np.int32), frequency[order].astype(np.int32))


def running_max(level: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Return the largest value among `size` (odd) rows around each row, the shape of `level`.

    Equals :func:`scipy.ndimage.maximum_filter1d`, which takes several times as long: here long
    windows are made of two shorter ones.
    """
    half = size // 2
    reach, covered = np.pad(level, ((half, half), (0, 0)), mode="edge"), 1
    while covered < size:
        step = min(covered, size - covered)
        reach = np.maximum(reach[:-step], reach[step:])
        covered += step
    return reach


def _pair(time: npt.NDArray[np.int32], frequency: npt.NDArray[np.int32]) -> Landmarks:
    """Hash each peak with the next few peaks that lie close enough in time and frequency."""
    hashes, frames = [], []
    for step in range(1, 4 * FAN_OUT + 1):
        apart = time[step:] - time[:-step]
        interval = frequency[step:] - frequency[:-step]
        near = (apart > 0) & (apart <= MAX_FRAMES_APART) & (np.abs(interval) <= MAX_BINS_APART)
        start = frequency[:-step][near]
        hashes.append((start << 13) | ((interval[near] + 64) << 6) | apart[near])
        frames.append(time[:-step][near])
    # The nearest FAN_OUT partners of each peak, as in the paper; more adds cost, not evidence.
    every_hash, every_frame = np.concatenate(hashes), np.concatenate(frames)
    order = np.argsort(every_frame, kind="stable")
    every_hash, every_frame = every_hash[order], every_frame[order]
    first = np.searchsorted(every_frame, every_frame)
    keep = np.arange(len(every_frame)) - first < 2 * FAN_OUT
    return Landmarks(every_hash[keep], every_frame[keep])


def near_duplicates(
    prints: Sequence[Landmarks],
    samples: Callable[[int], npt.NDArray[np.int16]],
    min_correlation: float,
) -> list[Match]:
    """Return the pairs of tracks whose landmarks and waveforms agree on one offset.

    Parameters
    ----------
    prints
        One fingerprint per track.
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
    sizes = [len(p.hashes) for p in prints]
    if sum(sizes) == 0:
        return []
    track = np.repeat(np.arange(len(prints), dtype=np.int32), sizes)
    hashes = np.concatenate([p.hashes for p in prints])
    frames = np.concatenate([p.frames for p in prints])
    order = np.lexsort((frames, track, hashes))
    track, hashes, frames = track[order], hashes[order], frames[order]
    matches = []
    for first, second, offset, votes in _vote(track, hashes, frames, len(prints)):
        frames_in_common, landmarks_in_common = _common(prints[first], prints[second], offset)
        share = votes / landmarks_in_common
        if share >= MIN_SHARE and frames_in_common >= MIN_COMMON_FRAMES:
            agreement = correlation(samples(first), samples(second), offset * HOP_LENGTH)
            if agreement >= min_correlation:
                matches.append(Match(first, second, offset, votes, share, agreement))
    return matches


def _vote(
    track: npt.NDArray[np.int32],
    hashes: npt.NDArray[np.int32],
    frames: npt.NDArray[np.int32],
    n_tracks: int,
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first, second, offset, votes) for the best offset of each promising pair."""
    # A hash shared by very many landmarks (a steady hum) says nothing and costs the square.
    _, start, count = np.unique(hashes, return_index=True, return_counts=True)
    usable = np.repeat((count > 1) & (count <= MAX_BUCKET), count)
    group = np.repeat(np.arange(len(start), dtype=np.int32), count)[usable]
    track, frames = track[usable], frames[usable]
    # Some tracks at a time, as the first of a pair: the votes of all pairs don't fit into memory.
    n_blocks = 1 + len(track) // LANDMARKS_AT_A_TIME
    for block in np.array_split(np.arange(n_tracks), min(n_blocks, n_tracks)):
        rows = np.flatnonzero((track >= block[0]) & (track <= block[-1]))
        yield from _best_offsets(rows, track, group, frames, n_tracks)


def _best_offsets(
    rows: npt.NDArray[np.intp],
    track: npt.NDArray[np.int32],
    group: npt.NDArray[np.int32],
    frames: npt.NDArray[np.int32],
    n_tracks: int,
) -> Iterator[tuple[int, int, int, int]]:
    """Do the same for the pairs whose first landmark is one of `rows`."""
    keys = []
    span = 1 << 22
    for step in range(1, MAX_BUCKET):
        rows = rows[: np.searchsorted(rows, len(track) - step)]
        rows = rows[group[rows] == group[rows + step]]
        if not len(rows):
            break
        one = rows[track[rows] != track[rows + step]]
        two = one + step
        pair = track[one].astype(np.int64) * n_tracks + track[two]
        keys.append(pair * span + (frames[one] - frames[two] + span // 2))
    if not keys:
        return
    key, votes = np.unique(np.concatenate(keys), return_counts=True)
    # Framing shifts a peak by one frame: neighbouring offsets vote together.
    after = np.zeros_like(votes)
    adjacent = np.diff(key) == 1
    after[:-1][adjacent] = votes[1:][adjacent]
    before = np.zeros_like(votes)
    before[1:][adjacent] = votes[:-1][adjacent]
    total = votes + after + before
    strong = np.flatnonzero(total >= MIN_MATCHES)
    pair = key[strong] // span
    for one in np.unique(pair):
        best = strong[pair == one][np.argmax(total[strong[pair == one]])]
        yield (
            int(one // n_tracks),
            int(one % n_tracks),
            int(key[best] % span - span // 2),
            int(total[best]),
        )


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
