"""What a model may read of the features: numbered rows, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from genreflow.errors import GenreflowError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class FeaturesError(GenreflowError):
    """Files of features don't belong together, or lack something."""


class Source(Protocol):
    """Anything that reads numbered rows."""

    def read(self, indices: npt.ArrayLike) -> Floats:
        """Return the rows `indices`, (len(indices), ...)."""

    def close(self) -> None:
        """Let go of files."""


def copy_numbers(copies: npt.ArrayLike) -> Integers:
    """Turn the recipes of copies, (n,) names, into numbers; ``""``, the track as it is, is 0."""
    _, number = np.unique(np.append("", np.asarray(copies, dtype=np.str_)), return_inverse=True)
    return number[1:].astype(np.int64)


@dataclass(frozen=True)
class Matrix:
    """A source that lies in memory."""

    values: Floats

    def read(self, indices: npt.ArrayLike) -> Floats:
        """Return the rows `indices`, (len(indices), ...)."""
        return self.values[np.asarray(indices, dtype=np.int64)]

    def close(self) -> None:
        """Do nothing: there are no files."""


@dataclass(frozen=True)
class FeatureRows:
    """All rows of all tracks: windows, or one row per track.

    Attributes
    ----------
    source
        Reads the rows.
    track_id
        (tracks,) of every track.
    row_track
        (rows,) position in `track_id`; rows of a track lie side by side, those of its copies after
        its own.
    row_copy
        (rows,) 0: of the track as it is; else the number of the copy, for models to train on.
    row_window
        (rows,) number of the window within its track or copy; -1: the whole of it.
    shape
        Of one row.
    names
        Names of the columns of a row, where they have any.
    audio_digests
        Digest of the audio behind each shard, by its name.
    """

    source: Source
    track_id: Sequence[str]
    row_track: Integers
    row_copy: Integers
    row_window: Integers
    shape: tuple[int, ...]
    names: tuple[str, ...]
    audio_digests: Mapping[str, str]

    def close(self) -> None:
        """Close the source."""
        self.source.close()


def side_by_side(parts: Sequence[FeatureRows]) -> FeatureRows:
    """Join kinds of features of one row per track and copy: the columns of one after the other.

    Raises
    ------
    FeaturesError
        They are of other tracks or copies.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        same = list(part.track_id) == list(first.track_id) and all(
            np.array_equal(getattr(part, name), getattr(first, name))
            for name in ("row_track", "row_copy", "row_window")
        )
        if not same:
            raise FeaturesError(
                "two kinds of features are of other tracks, or of other copies of them; rerun "
                "`snakemake`, which makes both from the same audio"
            )
    rows = np.arange(len(first.row_track))
    values = np.concatenate([part.source.read(rows) for part in parts], axis=1)
    for part in parts:
        part.close()
    names = tuple(name for part in parts for name in part.names)
    return replace(first, source=Matrix(values), shape=values.shape[1:], names=names)
