"""Changed tracks as models see them: what the files hold, how they are written and read.

A file holds a family of changes: per track, change and kind of features the rows that a model
reads, in the precision that the features are stored in. The changed audio is never written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genreflow.features.rows import Floats
from genreflow.registry import FEATURES
from genreflow.store.files import atomic
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp
from genreflow.store.tables import opened, with_stamp

_KEYS = ("track_id", "genre", "change")


def _schema(kinds: Iterable[str]) -> pa.Schema:
    values = [
        (kind, pa.list_(pa.field("item", getattr(pa, FEATURES[kind].stored)(), nullable=False)))
        for kind in kinds
    ]
    return pa.schema([*((name, pa.string()) for name in _KEYS), *values])


@dataclass(frozen=True)
class ChangedTrack:
    """A track after a change.

    Attributes
    ----------
    rows
        By the kind of features, what a model reads of it: its rows one after the other, (n,).
    """

    track_id: str
    genre: str
    change: str
    rows: Mapping[str, Floats]


class Writer:
    """Adds one changed track after the other; see :func:`new_file`."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def add(self, track_id: str, genre: str, change: str, rows: Mapping[str, Floats]) -> None:
        """Write a track after a change: of every kind of features the rows, (n, ...)."""
        columns = [pa.array([name], pa.string()) for name in (track_id, genre, change)]
        schema = self._file.schema
        for kind in schema.names[len(_KEYS) :]:
            values = np.ascontiguousarray(rows[kind], dtype=FEATURES[kind].stored).ravel()
            offsets = pa.array([0, len(values)], pa.int32())
            of_lists = schema.field(kind).type
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(values), type=of_lists))
        self._file.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


@contextmanager
def new_file(path: Path, kinds: Sequence[str], stamp: Stamp) -> Iterator[Writer]:
    """Write changed tracks, atomically, and with the same bytes for the same tracks.

    Parameters
    ----------
    kinds
        Of features that are written.
    """
    # Sorted by their bytes, levels take a quarter less room, and less time.
    split = [f"{kind}.list.element" for kind in kinds]
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(
            temporary,
            with_stamp(_schema(kinds), stamp),
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=split,
            write_statistics=False,
        ) as file,
    ):
        yield Writer(file)


def read_tracks(path: Path, kinds: Sequence[str], expected: Stamp) -> Generator[ChangedTrack]:
    """Yield the changed tracks of a file with their rows of some kinds of features, one at a time.

    Raises
    ------
    StaleArtifactError
        The file was made by other parameters than `expected`, or is damaged.
    """
    with opened(path, expected) as file:
        columns = [*_KEYS, *kinds]
        found = file.schema_arrow
        fields = [found.field(name) for name in columns if name in found.names]
        if not pa.schema(fields).equals(_schema(kinds)):
            raise StaleArtifactError(f"{path}: has other columns than expected; {REMEDY}")
        for batch in file.iter_batches(batch_size=1, columns=columns):
            rows = {kind: batch[kind].flatten().to_numpy().astype(np.float32) for kind in kinds}
            yield ChangedTrack(rows=rows, **{name: batch[name][0].as_py() for name in _KEYS})
