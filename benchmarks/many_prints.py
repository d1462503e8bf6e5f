"""Make up the fingerprints of many tracks, for the search for recordings that occur twice.

Ten thousand tracks of audio would take days to synthesise. Their spectral peaks are made instead
from those of a real corpus: stretches of 2 to 5 s of random tracks, one after the other, each
transposed and stretched in time, with each peak off by up to a bin and half a frame: else thousands
of tracks, made of a few hundred, would hold the very same seconds. A hundredth of the tracks are
copies of others, begun later, of which 35 to 90 % of the peaks are left, among others that are
new; a copy as MP3 at the lowest quality keeps a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genreflow.audio.decode import decode
from genreflow.fingerprints.constellations import constellations
from genreflow.fingerprints.landmarks import N_FFT, pair, peaks
from genreflow.fingerprints.prints import HOP_LENGTH, Fingerprints, Landmarks
from genreflow.fingerprints.write import save
from genreflow.params import Audio
from genreflow.store.stamp import Stamp

RATE = 22050
SECONDS = 30.0
FRAMES = int(SECONDS * RATE / HOP_LENGTH)
PER_SHARD = 100
PLANTED = 100
"""One track in so many is a copy of the one before."""

STAMP = Stamp("fingerprints", {})
_Peaks = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class MadeUp:
    """Fingerprints of tracks that nobody has heard.

    Parameters
    ----------
    paths
        Their files.
    positions
        Of each track.
    begins
        How many frames later than its original a copy begins, by the position of the copy.
    """

    paths: tuple[Path, ...]
    positions: dict[str, int]
    begins: dict[int, int]

    def samples(self, position: int) -> npt.NDArray[np.int16]:
        """Return a sound of its own for each recording: noise, which a copy begins later."""
        begin = self.begins.get(position)
        recording = position - (begin is not None)
        # As cheap as noise can be, since making it is no part of the search.
        noise = np.random.default_rng(recording).bytes(2 * int(SECONDS * RATE))
        return np.frombuffer(noise, np.int16)[HOP_LENGTH * (begin or 0) :]


def base_peaks(corpus: Path, limit: int) -> list[_Peaks]:
    """Return the peaks of some tracks of a corpus, evenly chosen."""
    files = sorted(path for path in corpus.glob("*/*") if path.is_file())
    params = Audio(augment=[])
    return [peaks(decode(path, params).samples) for path in files[:: -(-len(files) // limit)]]


def make(base: list[_Peaks], n_tracks: int, folder: Path) -> MadeUp:
    """Write the fingerprints of `n_tracks` tracks, and return where they are."""
    made = read(folder, n_tracks)
    tracks = _tracks(base, n_tracks, made.begins)
    names = list(made.positions)
    for number, path in enumerate(made.paths):
        own = names[number * PER_SHARD : (number + 1) * PER_SHARD]
        marks = islice(tracks, len(own))
        prints = Fingerprints.of([(one, constellations(one)) for one in marks])
        save(own, prints, path, STAMP.with_facts(audio=""))
    return made


def read(folder: Path, n_tracks: int) -> MadeUp:
    """Return what :func:`make` has made, or will make."""
    rng = np.random.default_rng(1)
    copies = range(PLANTED - 1, n_tracks, PLANTED)
    return MadeUp(
        tuple(folder / f"{first:08d}.arrow" for first in range(0, n_tracks, PER_SHARD)),
        {f"{i:08d}": i for i in range(n_tracks)},
        {copy: int(rng.integers(1, FRAMES // 3)) for copy in copies},
    )


def _tracks(base: list[_Peaks], n_tracks: int, begins: dict[int, int]) -> Iterator[Landmarks]:
    rng = np.random.default_rng(0)
    last: _Peaks = base[0]
    for i in range(n_tracks):
        if i in begins:
            found = _copy(last, begins[i], rng)
        else:
            found = last = _track(base, rng)
        yield pair(*found)


def _track(base: list[_Peaks], rng: np.random.Generator) -> _Peaks:
    times, bins, at = [], [], 0
    while at < FRAMES:
        time, frequency = base[int(rng.integers(len(base)))]
        length = int(rng.uniform(2, 5) * RATE / HOP_LENGTH)
        begin = int(rng.integers(0, max(int(time[-1]) - length, 1)))
        own = (time >= begin) & (time < begin + length)
        stretched = (time[own] - begin) * rng.uniform(0.8, 1.25) + rng.uniform(-0.5, 0.5, own.sum())
        times.append(at + np.maximum(stretched, 0).astype(np.int32))
        moved = frequency[own] * 2 ** rng.uniform(-0.5, 0.5) + rng.uniform(-1, 1, own.sum())
        bins.append(moved.astype(np.int32))
        at += length
    return _sorted(np.concatenate(times), np.concatenate(bins))


def _copy(original: _Peaks, begin: int, rng: np.random.Generator) -> _Peaks:
    time, frequency = original
    left = rng.random(len(time)) < rng.uniform(0.35, 0.9)
    n_new = int(0.3 * len(time))
    new = rng.integers(0, FRAMES, n_new), rng.integers(1, N_FFT // 2, n_new)
    time = np.concatenate([time[left], new[0]]) - begin
    frequency = np.concatenate([frequency[left], new[1]])
    return _sorted(time[time >= 0], frequency[time >= 0])


def _sorted(time: npt.NDArray[np.integer], frequency: npt.NDArray[np.integer]) -> _Peaks:
    there = (frequency >= 1) & (frequency < N_FFT // 2) & (time < FRAMES)
    both = np.unique(np.stack([time[there], frequency[there]], axis=1), axis=0)
    return both[:, 0].astype(np.int32), both[:, 1].astype(np.int32)
