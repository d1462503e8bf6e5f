"""Embeddings that were computed elsewhere: a table with a row for each track."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genreflow.features.embedding.encoders import EncoderError
from genreflow.features.embedding.sound import Sound
from genreflow.features.rows import Floats


class TableEncoder:
    """Looks tracks up; a copy to train on has the vector of its track.

    Parameters
    ----------
    path
        Parquet: a column ``track_id``, as in ``results/tracks.parquet``, and columns of numbers.

    Raises
    ------
    EncoderError
        There is no such table, or it can't be used.
    """

    def __init__(self, path: Path) -> None:
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise EncoderError(
                f"{path}: can't be read ({reason}); expected a Parquet file of track_id and "
                "columns of numbers (features.embedding.encoder)"
            ) from None
        columns = [name for name in table.column_names if name != "track_id"]
        wrong = [name for name in columns if not _is_number(table.schema.field(name).type)]
        if "track_id" not in table.column_names or not columns or wrong:
            raise EncoderError(
                f"{path}: has the columns {', '.join(table.column_names)}; expected track_id and, "
                f"beside it, numbers alone{f', which {wrong[0]} are not' if wrong else ''}"
            )
        tracks = table["track_id"].to_pylist()
        if len(set(tracks)) < len(tracks):
            raise EncoderError(f"{path}: has several rows of a track; expected one for each")
        values = [table[name].to_numpy().astype(np.float32) for name in columns]
        self._path = path
        self._rows = dict(zip(tracks, np.stack(values, axis=1), strict=True))
        self.names = tuple(f"{path.stem} {name}" for name in columns)

    def embed(self, sound: Sound, track_id: str) -> Floats:  # noqa: ARG002
        """Return the row of a track, (1, n).

        Raises
        ------
        EncoderError
            The track isn't in the table, or is none of the corpus.
        """
        if not track_id:
            raise EncoderError(
                f"{self._path} holds embeddings of the corpus alone, so no other file can be "
                "predicted by a model that reads them"
            )
        if track_id not in self._rows:
            raise EncoderError(
                f"{self._path}: has no row for {track_id}; add it (track_id is as in "
                "results/tracks.parquet), or take the table out of features.embedding.encoder"
            )
        row: Floats = self._rows[track_id][np.newaxis]
        return row


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
