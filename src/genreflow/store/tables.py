"""Stamped tables: Parquet files, and Arrow schemas that carry a stamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genreflow.store.files import atomic
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp

_KEY = b"genreflow"


def with_stamp(schema: pa.Schema, stamp: Stamp) -> pa.Schema:
    """Return `schema` with `stamp` in its metadata."""
    return schema.with_metadata({_KEY: stamp.to_json().encode()})


def stamp_of(schema: pa.Schema, path: Path) -> Stamp:
    """Return the stamp in an Arrow schema; raise :class:`StaleArtifactError` if there is none."""
    return Stamp.from_json((schema.metadata or {}).get(_KEY, b""), path)


def write_table(table: pd.DataFrame | pa.Table, path: Path, stamp: Stamp) -> None:
    """Write a stamped Parquet file, atomically and with the same bytes for the same table."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    with atomic(path) as temporary:
        pq.write_table(table.cast(with_stamp(table.schema, stamp)), temporary, compression="zstd")


def read_stamp(path: Path) -> Stamp:
    """Read the stamp of a Parquet file; raise :class:`StaleArtifactError` if it can't be."""
    with reading(path):
        return stamp_of(pq.read_schema(path), path)


def read_table(path: Path, expected: Stamp, *, columns: list[str] | None = None) -> pd.DataFrame:
    """Read what :func:`write_table` wrote.

    Raises
    ------
    StaleArtifactError
        The file was made by other parameters than `expected`, or is damaged.
    """
    with opened(path, expected) as file:
        frame: pd.DataFrame = file.read(columns=columns).to_pandas()
        return frame


@contextmanager
def opened(path: Path, expected: Stamp) -> Iterator[pq.ParquetFile]:
    """Open a stamped Parquet file for reading.

    Raises
    ------
    StaleArtifactError
        The file was made by other parameters than `expected`, or is damaged.
    """
    with reading(path), pq.ParquetFile(path) as file:
        stamp_of(file.schema_arrow, path).check(expected, path)
        yield file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what Arrow raises over a damaged file into :class:`StaleArtifactError`."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        # A file that isn't there is no damaged one, and says so by itself.
        if not path.is_file():
            raise
        reason = " ".join(str(error).split())
        raise StaleArtifactError(f"{path}: can't be read ({reason}); {REMEDY}") from error
