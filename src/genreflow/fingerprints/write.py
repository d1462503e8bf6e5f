"""Write the fingerprints of a shard's tracks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreflow.audio.cache import AudioShard
from genreflow.audio.samples import Samples
from genreflow.fingerprints.constellations import constellations
from genreflow.fingerprints.landmarks import landmarks
from genreflow.fingerprints.layout import SCHEMA
from genreflow.fingerprints.prints import Constellations, Fingerprints, Landmarks
from genreflow.store.files import atomic
from genreflow.store.stamp import Stamp
from genreflow.store.tables import with_stamp


def write(shard: AudioShard, out: Path, stamp: Stamp) -> None:
    """Fingerprint the tracks of a shard, and not the copies of them to train on.

    Parameters
    ----------
    out
        Arrow file to write; :data:`~genreflow.fingerprints.layout.SCHEMA`.
    stamp
        What it is made with.
    """
    prints = [fingerprint(shard.samples(i)) for i in range(len(shard))]
    save(shard.track_id, Fingerprints.of(prints), out, shard.stamped(stamp))


def fingerprint(samples: Samples) -> tuple[Landmarks, Constellations]:
    """Return what is known of a track, (n,) mono samples."""
    marks = landmarks(samples)
    return marks, constellations(marks)


def save(track_id: Sequence[str], prints: Fingerprints, out: Path, stamp: Stamp) -> None:
    """Write fingerprints whose stamp says which audio they were made from, atomically."""
    columns: dict[str, Sequence[str] | npt.NDArray[Any]] = {
        "track_id": track_id,
        "start": prints.starts,
        "hash": prints.marks.hashes,
        "frame": prints.marks.frames,
        "key": prints.stars.keys,
        "star_track": prints.stars.tracks,
        "star_frame": prints.stars.frames,
    }
    arrays = [
        pa.LargeListArray.from_arrays(
            pa.array(np.array([0, len(columns[field.name])]), pa.int64()),
            pa.array(columns[field.name], field.type.value_type),
        )
        for field in SCHEMA
    ]
    # The fields of the lists hold no nulls, which an array that is made of two others doesn't say.
    schema = with_stamp(SCHEMA, stamp)
    with (
        atomic(out) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        arrays = [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)]
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
