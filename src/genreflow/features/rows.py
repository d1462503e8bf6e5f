"""What a model may read of the features: numbered rows, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    Parameters
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
