"""Read mel windows on demand, straight from the shards into the batch.

This module reads what :mod:`genreflow.features.mel.extract` writes and imports nothing of it:
training depends on the layout of the file, not on how its content is computed.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreflow.features.rows import FeatureRows, copy_numbers
from genreflow.store.archive import check_archive
from genreflow.store.files import KEPT_OPEN
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp

STORED = np.dtype("<f2")
"""Levels are stored in steps of at most 1/16 dB."""


@dataclass(frozen=True)
class _Index:
    """What a shard holds apart from its frames, and the byte at which those begin."""

    members: dict[str, npt.NDArray[Any]]
    stamp: Stamp
    first_byte: int
    bands: int


def _read_index(path: Path, expected: Stamp) -> _Index:
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files if name != "frames"}
        stamp = Stamp.from_json(str(members.pop("stamp")), path)
        stamp.check(expected, path)
        first_byte, bands = _frames(path, members)
    except (OSError, StaleArtifactError):
        raise
    # NumPy and zipfile say nowhere what they raise over damage; it differs by its place.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise StaleArtifactError(f"{path}: can't be read ({reason}); {REMEDY}") from error
    return _Index(members, stamp, first_byte, bands)


def _frames(path: Path, members: dict[str, npt.NDArray[Any]]) -> tuple[int, int]:
    """Return the byte at which the frames begin, and their bands.

    Raises
    ------
    ValueError
        They are laid out in another way than they are read, or the index leads beyond them.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        # The archive's directory says where the member's own header lies, which ends with two
        # fields of variable length; the array's header follows.
        info = archive.getinfo("frames.npy")
        file.seek(info.header_offset + 26)
        lengths = np.frombuffer(file.read(4), dtype="<u2")
        begin = info.header_offset + 30 + int(lengths.sum())
        file.seek(begin)
        np.lib.format.read_magic(file)
        shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
        first_byte = file.tell()
    if by_columns or kind != STORED or len(shape) != 2:
        raise ValueError(f"its frames are {shape} {kind}")
    if begin + info.file_size != first_byte + shape[0] * shape[1] * STORED.itemsize:
        raise ValueError(f"its frames aren't {shape}")
    start, track = members["window_start"], members["window_track"]
    name, copy = members["track_id"], members["copy"]
    n_tracks, window = len(name), int(members["window_frames"])
    same_length = len(members["genre"]) == len(copy) == n_tracks
    if not same_length or len(start) != len(track) or window < 1:
        raise ValueError("its index contradicts itself")
    if n_tracks and (copy[0] != "" or (name[1:] != name[:-1])[copy[1:] != ""].any()):
        raise ValueError("a copy doesn't follow its track")
    if len(start) and not (start.min() >= 0 and start.max() + window <= shape[0]):
        raise ValueError("a window leads beyond its frames")
    if len(track) and not (track[0] >= 0 and track[-1] < n_tracks and (np.diff(track) >= 0).all()):
        raise ValueError("a window belongs to a track that isn't there")
    return first_byte, int(shape[1])


class MelWindows(AbstractContextManager["MelWindows"]):
    """The mel windows of any number of shards, read on demand.

    They are those of the tracks alone; the windows of the copies that models train on, too, are
    there where `copies` asks for them.

    Instances can be pickled and shared between threads and forked processes. They keep the files
    of the first shards open until :meth:`close`, and open others for each read.

    Parameters
    ----------
    paths
        Shards; tracks and windows follow their order.
    expected
        What they must have been made with.
    copies
        Whether to read the windows of copies, too; those of a track's copies follow its own.

    Attributes
    ----------
    track_id, genre
        Per track.
    window_track
        (windows,) int64: each window's position in `track_id`.
    window_copy
        (windows,) int64: the number of the copy that it is of; 0: the track as it is.
    window_index
        (windows,) int64: each window's number within its track or copy.
    shape
        (windows, time, frequency, 1).
    audio_digests
        Digest of the audio behind each shard, by the shard's name.

    Raises
    ------
    StaleArtifactError
        A shard was made with other parameters, or is damaged.
    """

    def __init__(self, paths: Sequence[Path], expected: Stamp, *, copies: bool = False) -> None:
        if not paths:
            raise ValueError("MelWindows: no shards to read; expected at least one path")
        shards = [_read_index(path, expected) for path in paths]
        members = [shard.members for shard in shards]
        entries = np.array([len(m["track_id"]) for m in members])
        windows = np.array([len(m["window_start"]) for m in members])
        entries_before = np.repeat(np.cumsum(entries) - entries, windows)
        entry = np.concatenate([m["window_track"] for m in members]) + entries_before
        copy = np.concatenate([m["copy"] for m in members])
        is_track = copy == ""
        self.track_id = _of_tracks("track_id", members)
        self.genre = _of_tracks("genre", members)
        first = np.searchsorted(entry, np.arange(len(copy)))
        index = np.arange(len(entry)) - first[entry]
        kept = np.flatnonzero(is_track[entry] | copies)
        self.window_track = (np.cumsum(is_track) - 1)[entry][kept]
        self.window_copy = copy_numbers(copy)[entry][kept]
        self.window_index = index[kept]
        time, bands = int(members[0]["window_frames"]), shards[0].bands
        self.shape = (len(kept), time, bands, 1)
        self.audio_digests: dict[str, str] = {
            path.stem: shard.stamp.facts["audio"] for path, shard in zip(paths, shards, strict=True)
        }
        rows = np.concatenate([m["window_start"] for m in members])
        first_bytes = np.repeat([shard.first_byte for shard in shards], windows)
        self._byte = (first_bytes + rows * (bands * STORED.itemsize))[kept]
        self._shard = np.repeat(np.arange(len(paths)), windows)[kept]
        self._paths = [Path(path) for path in paths]
        self._open_some()

    def read(self, indices: npt.ArrayLike) -> npt.NDArray[np.float32]:
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
        shards = self._shard[wanted]
        for shard in np.unique(shards):
            with self._file(shard) as file:
                for i in np.flatnonzero(shards == shard):
                    # Each read states its offset: files have no position for threads to disturb.
                    found = os.preadv(file.fileno(), [batch[i].data], int(self._byte[wanted[i]]))
                    if found != batch[i].nbytes:
                        raise OSError(
                            f"{self._paths[shard]}: ends within window {wanted[i]}; "
                            "delete and rerun"
                        )
        return batch.astype(np.float32)

    def _open_some(self) -> None:
        self._files = [FileIO(path) for path in self._paths[:KEPT_OPEN]]

    def _file(self, shard: int) -> AbstractContextManager[FileIO]:
        """Return the file of a shard for a moment: one that is kept open stays so."""
        if shard < len(self._files):
            return nullcontext(self._files[shard])
        return FileIO(self._paths[shard])

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_files"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open_some()

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _of_tracks(name: str, members: Sequence[dict[str, npt.NDArray[Any]]]) -> list[str]:
    """Return a member of all shards without what it says of copies."""
    return [str(value) for m in members for value in m[name][m["copy"] == ""]]


def open_rows(paths: Sequence[Path], expected: Stamp) -> FeatureRows:
    """Open any number of shards for reading windows, copies too; see :class:`MelWindows`."""
    windows = MelWindows(paths, expected, copies=True)
    return FeatureRows(
        source=windows,
        track_id=windows.track_id,
        row_track=windows.window_track,
        row_copy=windows.window_copy,
        row_window=windows.window_index,
        shape=windows.shape[1:],
        names=(),
        audio_digests=windows.audio_digests,
    )
