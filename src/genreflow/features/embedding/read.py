"""Read embeddings: one row per track and per copy of it, the mean over its patches.

This module reads what :mod:`genreflow.features.embedding.extract` writes and imports nothing of it:
training depends on the layout of the file, not on how its content is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreflow.features.rows import FeatureRows, FeaturesError, Floats, Matrix, copy_numbers
from genreflow.store.archive import check_archive
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp

STORED = np.dtype("<f2")


@dataclass(frozen=True)
class _Shard:
    members: dict[str, npt.NDArray[Any]]
    means: Floats
    stamp: Stamp


def mean_over_patches(values: npt.NDArray[Any], offsets: npt.ArrayLike) -> Floats:
    """Return the mean of each track's patches, (tracks, n) float32.

    Parameters
    ----------
    values
        (patches, n).
    offsets
        (tracks + 1,): where each track's patches begin; each has at least one.
    """
    offsets = np.asarray(offsets)
    sums = np.add.reduceat(values.astype(np.float32), offsets[:-1], axis=0)
    means: Floats = (sums / np.diff(offsets)[:, np.newaxis]).astype(np.float32)
    return means


def _read(path: Path, expected: Stamp) -> _Shard:
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        stamp = Stamp.from_json(str(members.pop("stamp")), path)
        stamp.check(expected, path)
        means = _checked_means(members)
    except (OSError, StaleArtifactError):
        raise
    # NumPy and zipfile say nowhere what they raise over damage; it differs by its place.
    except Exception as error:
        raise StaleArtifactError(f"{path}: is damaged ({error}); {REMEDY}") from None
    return _Shard(members, means, stamp)


def _checked_means(members: dict[str, npt.NDArray[Any]]) -> Floats:
    values, offsets = members.pop("values"), members["offsets"]
    track, copy = members["track_id"], members["copy"]
    if values.ndim != 2 or values.dtype != STORED or values.shape[1] != len(members["names"]):
        raise ValueError(f"its embeddings are {values.shape} {values.dtype}")
    if not len(offsets) - 1 == len(track) == len(copy) == len(members["genre"]):
        raise ValueError("its index contradicts itself")
    if offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 1).any():
        raise ValueError("a track lies beyond the embeddings")
    if len(track) and (copy[0] != "" or (track[1:] != track[:-1])[copy[1:] != ""].any()):
        raise ValueError("a copy doesn't follow its track")
    if not np.isfinite(values).all():
        raise ValueError("an embedding isn't finite")
    return mean_over_patches(values, offsets)


def open_rows(paths: Sequence[Path], expected: Stamp) -> FeatureRows:
    """Read any number of shards, one row per track and per copy, sorted by track.

    Raises
    ------
    StaleArtifactError
        A shard was made with other parameters, or is damaged.
    FeaturesError
        Shards differ in their columns.
    """
    if not paths:
        raise ValueError("open_rows: no shards to read; expected at least one path")
    shards = [_read(path, expected) for path in paths]
    names = tuple(shards[0].members["names"].tolist())
    for path, shard in zip(paths, shards, strict=True):
        if tuple(shard.members["names"].tolist()) != names:
            raise FeaturesError(f"{path}: columns differ from those of {paths[0]}; {REMEDY}")

    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([shard.members[name] for shard in shards])

    track, copy = joined("track_id"), joined("copy")
    order = np.argsort(track, kind="stable")
    track_id, number = np.unique(track[order], return_inverse=True)
    return FeatureRows(
        source=Matrix(np.concatenate([shard.means for shard in shards])[order]),
        track_id=track_id.tolist(),
        row_track=number.astype(np.int64),
        row_copy=copy_numbers(copy[order]),
        row_window=np.full(len(track), -1),
        shape=(len(names),),
        names=names,
        audio_digests={
            path.stem: shard.stamp.facts["audio"] for path, shard in zip(paths, shards, strict=True)
        },
    )
