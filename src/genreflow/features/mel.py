"""Log-power mel spectra, once per track, and the windows that models see of them.

Frames are stored once, in half precision; overlapping windows are cut when they are read. The
file is an uncompressed npz, so that a window lies at a known offset and is read straight into
the batch: the memory that a reader takes does not depend on the size of the corpus.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from genreflow.artifacts import Stamp, atomic
from genreflow.audio import AudioShard
from genreflow.decoding import Samples
from genreflow.features.spectrum import Floats, decibels, frame_count, mel_filters, power_blocks
from genreflow.params import Mel

STORED = np.dtype("<f2")
"""Levels are stored in steps of at most 1/16 dB."""

_NO_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip archive can hold: equal content makes equal bytes."""


def log_mel(samples: Samples, sample_rate: int, params: Mel) -> Floats:
    """Return the log-power mel spectrum, (frames, n_mels) [dB re 1], at least -100 dB.

    Equals ``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)``, transposed.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        [Hz]
    """
    filters = mel_filters(sample_rate, params.n_fft, params.n_mels, params.fmin, params.fmax)
    count = frame_count(len(samples), params.n_fft, params.hop_length)
    levels = np.empty((count, params.n_mels), dtype=np.float32)
    for where, power in power_blocks(samples, params.n_fft, params.hop_length):
        levels[where] = decibels(filters @ power).T
    return levels


def window_geometry(sample_rate: int, params: Mel) -> tuple[int, int]:
    """Return the frames in a window and the frames from one window to the next, rounded down.

    The defaults at 22,050 Hz make 129 and 64: a clip of 30 s has 39 windows.
    """
    frames = params.window_seconds * sample_rate / params.hop_length
    return max(1, int(frames)), max(1, int(frames * (1 - params.overlap)))


def window_starts(n_frames: int, frames_per_window: int, frames_per_hop: int) -> range:
    """Return the first frame of every window that fits into `n_frames`."""
    return range(0, n_frames - frames_per_window + 1, frames_per_hop)


def cut_windows(levels: Floats, frames_per_window: int, frames_per_hop: int) -> Floats:
    """Cut (frames, bands) into (windows, time, frequency, 1), as :class:`MelWindows` reads them.

    Levels are rounded as they are in the artifact: a prediction sees what training saw.
    """
    starts = window_starts(len(levels), frames_per_window, frames_per_hop)
    rounded = levels.astype(STORED).astype(np.float32)
    rows = np.array(starts, dtype=np.int64)[:, np.newaxis] + np.arange(frames_per_window)
    windows: Floats = rounded[rows][..., np.newaxis]
    return windows


def write_mel(shard: AudioShard, params: Mel, out: Path, stamp: Stamp) -> None:
    """Compute and write the mel frames of a shard and the index of its windows.

    Members: frames (sum of frames, n_mels) float16 [dB], track_id, genre, offsets (tracks + 1:
    where each track's frames begin), window_start and window_track (windows: a row of frames, and
    a position in track_id), window_frames, hop_frames, stamp.
    """
    window, hop = window_geometry(shard.sample_rate, params)
    counts = [
        frame_count(len(shard.samples(i)), params.n_fft, params.hop_length)
        for i in range(len(shard))
    ]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    starts = [offsets[i] + np.array(window_starts(n, window, hop)) for i, n in enumerate(counts)]
    small = {
        "track_id": np.array(shard.track_id, dtype=np.str_),
        "genre": np.array(shard.genre, dtype=np.str_),
        "offsets": offsets,
        "window_start": np.concatenate([*starts, []]).astype(np.int64),
        "window_track": np.repeat(np.arange(len(counts)), [len(s) for s in starts]),
        "window_frames": np.int64(window),
        "hop_frames": np.int64(hop),
        "stamp": np.str_(shard.stamped(stamp).to_json()),
    }
    with atomic(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with _member(archive, "frames") as file:
            shape = (int(offsets[-1]), params.n_mels)
            header = {"descr": STORED.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for i in range(len(shard)):
                levels = log_mel(shard.samples(i), shard.sample_rate, params)
                file.write(levels.astype(STORED).data)
        for name, values in small.items():
            with _member(archive, name) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(f"{name}.npy", _NO_DATE)
    with archive.open(info, "w", force_zip64=True) as file:
        yield file


@dataclass(frozen=True)
class _Index:
    """What a shard holds apart from its frames, and the byte at which those begin."""

    members: dict[str, npt.NDArray[Any]]
    stamp: Stamp
    first_byte: int
    bands: int


def _read_index(path: Path, expected: Stamp) -> _Index:
    try:
        with np.load(path) as archive:
            members = {name: archive[name] for name in archive.files if name != "frames"}
        stamp = Stamp.from_json(str(members.pop("stamp")), path)
    except (zipfile.BadZipFile, ValueError, KeyError):
        stamp = Stamp.from_json("", path)
    stamp.check(expected, path)
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        # The archive's directory says where the member's own header lies, which ends with two
        # fields of variable length; the array's header follows.
        header = archive.getinfo("frames.npy").header_offset
        file.seek(header + 26)
        lengths = np.frombuffer(file.read(4), dtype="<u2")
        file.seek(header + 30 + int(lengths.sum()))
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        return _Index(members, stamp, file.tell(), int(shape[1]))


class MelWindows:
    """The mel windows of any number of shards, read on demand.

    Instances can be pickled and shared between threads and forked processes. They keep one file
    per shard open until :meth:`close`.

    Parameters
    ----------
    paths
        Shards; tracks and windows follow their order.
    expected
        What they must have been made with.

    Attributes
    ----------
    track_id, genre
        Per track.
    window_track
        (windows,) int64: each window's position in `track_id`.
    window_index
        (windows,) int64: each window's number within its track.
    shape
        (windows, time, frequency, 1)
    audio_digests
        Digest of the audio behind each shard, by the shard's name.

    Raises
    ------
    StaleArtifactError
        A shard was made with other parameters.
    """

    def __init__(self, paths: Sequence[Path], expected: Stamp) -> None:
        if not paths:
            raise ValueError("MelWindows: no shards to read; expected at least one path")
        shards = [_read_index(path, expected) for path in paths]
        members = [shard.members for shard in shards]
        tracks = np.array([len(m["track_id"]) for m in members])
        windows = np.array([len(m["window_start"]) for m in members])
        tracks_before = np.repeat(np.cumsum(tracks) - tracks, windows)
        time, bands = int(members[0]["window_frames"]), shards[0].bands
        self.track_id = [str(track) for m in members for track in m["track_id"]]
        self.genre = [str(genre) for m in members for genre in m["genre"]]
        self.window_track = np.concatenate([m["window_track"] for m in members]) + tracks_before
        first = np.searchsorted(self.window_track, np.arange(len(self.track_id)))
        self.window_index = np.arange(len(self.window_track)) - first[self.window_track]
        self.shape = (int(windows.sum()), time, bands, 1)
        self.audio_digests: dict[str, str] = {
            path.stem: shard.stamp.facts["audio"] for path, shard in zip(paths, shards, strict=True)
        }
        rows = np.concatenate([m["window_start"] for m in members])
        first_bytes = np.repeat([shard.first_byte for shard in shards], windows)
        self._byte = first_bytes + rows * (bands * STORED.itemsize)
        self._shard = np.repeat(np.arange(len(paths)), windows)
        self._paths = [Path(path) for path in paths]
        self._files = [FileIO(path) for path in self._paths]

    def read(self, indices: npt.ArrayLike) -> Floats:
        """Return the windows numbered `indices`, (len(indices), time, frequency, 1) [dB].

        Raises
        ------
        IndexError
            There is no such window.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(
                f"window {wanted.min() if wanted.min() < 0 else wanted.max()} was asked for; "
                f"there are {len(self)}, counted from 0"
            )
        batch = np.empty((len(wanted), *self.shape[1:]), dtype=STORED)
        for window, index in zip(batch, wanted, strict=True):
            shard = self._shard[index]
            # Each read states its offset: the files have no position that threads could disturb.
            found = os.preadv(self._files[shard].fileno(), [window.data], int(self._byte[index]))
            if found != window.nbytes:
                raise OSError(f"{self._paths[shard]}: ends within window {index}; delete and rerun")
        return batch.astype(np.float32)

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_files"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._files = [FileIO(path) for path in self._paths]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
