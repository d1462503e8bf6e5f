"""The file of fingerprints: what it holds, and how it is opened.

It is an Arrow IPC file, one for each shard, uncompressed, so that a reader maps into memory what it
looks at. Its one row holds lists of different lengths:

=================== ====================================================================
track_id            The shard's tracks, in the order of the audio's.
start               tracks + 1: where each track's landmarks begin.
hash, frame         The landmarks: which two peaks, and where.
key                 The constellations, sorted: which three peaks, mixed.
star_track          Of each constellation, the number of its track.
star_frame          Of each, where in the track.
=================== ====================================================================

Its stamp says which audio it was made from.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreflow.fingerprints.prints import Constellations, Fingerprints, Landmarks
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp
from genreflow.store.tables import stamp_of

SCHEMA = pa.schema(
    [
        (name, pa.large_list(pa.field("item", kind, nullable=False)))
        for name, kind in (
            ("track_id", pa.string()),
            ("start", pa.int64()),
            ("hash", pa.int32()),
            ("frame", pa.int32()),
            ("key", pa.int64()),
            ("star_track", pa.int32()),
            ("star_frame", pa.int32()),
        )
    ]
)


@dataclass(frozen=True)
class Shard:
    """The fingerprints of a shard, mapped into memory.

    Attributes
    ----------
    track_id
        Per track.
    prints
        By the number of the track.
    audio
        Digest of the audio that they were made from.
    """

    track_id: list[str]
    prints: Fingerprints
    audio: str


def open_fingerprints(path: Path, expected: Stamp) -> Shard:
    """Open what :func:`genreflow.fingerprints.write.write` wrote.

    Raises
    ------
    StaleArtifactError
        The file was made with other parameters than `expected`, or is damaged.
    """
    with _naming(path):
        reader = _mapped(path)
        stamp = stamp_of(reader.schema, path)
        stamp.check(expected, path)
        if reader.schema != SCHEMA or reader.num_record_batches != 1:
            raise ValueError("it is laid out in another way")
        batch = reader.get_batch(0)
        batch.validate()
        if batch.num_rows != 1:
            raise ValueError("it holds more than one row")
        track_id = batch["track_id"][0].as_py()
        start, hashes, frames, keys, star_track, star_frame = (
            _column(batch, name) for name in SCHEMA.names[1:]
        )
        if (
            len(start) != len(track_id) + 1
            or not len(hashes) == len(frames) == start[-1]
            or start[0] != 0
            or (np.diff(start) < 0).any()
        ):
            raise ValueError("its landmarks contradict its tracks")
        if not len(keys) == len(star_track) == len(star_frame):
            raise ValueError("its constellations contradict themselves")
    prints = Fingerprints(
        start, Landmarks(hashes, frames), Constellations(keys, star_track, star_frame)
    )
    return Shard(track_id, prints, str(stamp.facts.get("audio")))


def read_stamp(path: Path) -> Stamp:
    """Read the stamp of fingerprints; raise :class:`StaleArtifactError` if it can't be."""
    with _naming(path):
        return stamp_of(_mapped(path).schema, path)


def _mapped(path: Path) -> pa.ipc.RecordBatchFileReader:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.ipc.open_file(pa.py_buffer(mapped))


def _column(batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    column: npt.NDArray[Any] = batch[name].flatten().to_numpy(zero_copy_only=True)
    return column


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what is raised over a damaged file into :class:`StaleArtifactError`."""
    try:
        yield
    except StaleArtifactError:
        raise
    except (pa.ArrowException, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise StaleArtifactError(f"{path}: can't be read ({reason}); {REMEDY}") from error
