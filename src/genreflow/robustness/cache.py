"""Changed tracks as models see them: what the files hold, how they are written and read.

A file holds a family of changes: per track, change and kind of features the rows that a model
reads, in the precision that the features are stored in. The changed audio is never written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
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

_VALUES = {
    kind.name: pa.list_(pa.field("item", getattr(pa, kind.stored)(), nullable=False))
    for kind in FEATURES.values()
}
_KEYS = ("track_id", "genre", "change")
_SCHEMA = pa.schema([*((name, pa.string()) for name in _KEYS), *_VALUES.items()])


@dataclass(frozen=True)
class ChangedTrack:
    """A track after a change; `rows` are what a model reads of it, one after the other, (n,)."""

    track_id: str
    genre: str
    change: str
    rows: Floats


class Writer:
    """Adds one changed track after the other; see :func:`new_file`."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def add(self, track_id: str, genre: str, change: str, rows: Mapping[str, Floats]) -> None:
        """Write a track after a change: of every kind of features the rows, (n, ...)."""
        columns = [pa.array([name], pa.string()) for name in (track_id, genre, change)]
        for kind, of_lists in _VALUES.items():
            values = np.ascontiguousarray(rows[kind], dtype=FEATURES[kind].stored).ravel()
            offsets = pa.array([0, len(values)], pa.int32())
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(values), type=of_lists))
        self._file.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))


@contextmanager
def new_file(path: Path, stamp: Stamp) -> Iterator[Writer]:
    """Write changed tracks, atomically, and with the same bytes for the same tracks."""
    # Sorted by their bytes, levels take a quarter less room, and less time.
    split = [f"{kind}.list.element" for kind in _VALUES]
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(
            temporary,
            with_stamp(_SCHEMA, stamp),
            compression="zstd",
            use_dictionary=False,
            use_byte_stream_split=split,
            write_statistics=False,
        ) as file,
    ):
        yield Writer(file)


def read_tracks(path: Path, kind: str, expected: Stamp) -> Generator[ChangedTrack]:
    """Yield the changed tracks of a file with their rows of one kind of features, one at a time.

    Raises
    ------
    StaleArtifactError
        The file was made by other parameters than `expected`, or is damaged.
    """
    with opened(path, expected) as file:
        if not file.schema_arrow.equals(_SCHEMA):
            raise StaleArtifactError(f"{path}: has other columns than expected; {REMEDY}")
        for batch in file.iter_batches(batch_size=1, columns=[*_KEYS, kind]):
            rows = batch[kind].flatten().to_numpy().astype(np.float32)
            yield ChangedTrack(rows=rows, **{name: batch[name][0].as_py() for name in _KEYS})
