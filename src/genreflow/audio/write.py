"""Write the audio cache: every usable track, decoded once, in Arrow files that can be mapped.

What can't be used is set aside with a reason and stays in the shard's manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from genreflow.audio.cache import AUDIO_SCHEMA, MANIFEST_SCHEMA, audio_digest
from genreflow.audio.decode import UNKNOWN, RejectedError, decode
from genreflow.corpus.scan import TrackFile
from genreflow.params import Audio
from genreflow.store.files import atomic, file_sha256
from genreflow.store.stamp import Stamp
from genreflow.store.tables import with_stamp, write_table


def write_audio(
    files: Sequence[TrackFile],
    shard: str,
    params: Audio,
    arrow: Path,
    manifest: Path,
    stamp: Stamp,
    ignored: Sequence[str],
) -> None:
    """Decode the files of a shard and write its cache and its manifest.

    Parameters
    ----------
    files
        Audio files found, in the order they are written in.
    shard
        Name of the shard.
    params
        Decoding.
    arrow
        Cache to write: an Arrow IPC file, one record batch per usable track
        (``AUDIO_SCHEMA``), uncompressed, so that a reader maps the samples into memory.
    manifest
        Parquet table to write: one row per file found (``MANIFEST_SCHEMA``). Its stamp's facts
        hold the `ignored` paths and the digest of the audio.
    stamp
        What both files are made with.
    ignored
        Files found that are no audio.
    """
    rows = []
    schema = with_stamp(AUDIO_SCHEMA, stamp.with_facts(sample_rate=params.sample_rate))
    with atomic(arrow) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for file in files:
                row, batch = _one_track(file, shard, params)
                rows.append(row)
                if batch is not None:
                    writer.write_batch(batch)
        table = pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)
        usable = [row for row in rows if row["status"] == "ok"]
        digest = audio_digest(
            (str(row["track_id"]) for row in usable), (str(row["pcm_sha256"]) for row in usable)
        )
        write_table(table, manifest, stamp.with_facts(ignored=list(ignored), audio=digest))


def _one_track(
    file: TrackFile, shard: str, params: Audio
) -> tuple[dict[str, object], pa.RecordBatch | None]:
    """Return the manifest row of a file, and its record batch if it can be used."""
    source, reason, source_sha256, pcm_sha256, batch = UNKNOWN, "", "", "", None
    try:
        source_sha256 = _file_sha256(file.path)
        decoded = decode(file.path, params)
    except RejectedError as error:
        source, reason = error.source, str(error)
    else:
        source = decoded.source
        pcm = decoded.samples.astype("<i2", copy=False)
        pcm_sha256 = hashlib.sha256(pcm.data).hexdigest()
        offsets = pa.array([0, len(pcm)], pa.int32())
        samples = pa.ListArray.from_arrays(offsets, pa.array(pcm), type=AUDIO_SCHEMA[3].type)
        columns = [[file.track_id], [file.genre], [params.sample_rate], samples]
        columns += [[source_sha256], [pcm_sha256]]
        batch = pa.RecordBatch.from_arrays(
            [
                column if isinstance(column, pa.Array) else pa.array(column, field.type)
                for column, field in zip(columns, AUDIO_SCHEMA, strict=True)
            ],
            schema=AUDIO_SCHEMA,
        )
    row: dict[str, object] = {
        "track_id": file.track_id,
        "genre": file.genre,
        "shard": shard,
        **asdict(source),
        "status": "rejected" if reason else "ok",
        "reason": reason,
        "source_sha256": source_sha256,
        "pcm_sha256": pcm_sha256,
    }
    return row, batch


def _file_sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise RejectedError(f"can't be opened ({error.strerror})") from None
