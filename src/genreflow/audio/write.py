"""Write the audio cache: every usable track, decoded once, in Arrow files that can be mapped.

What can't be used is set aside with a reason and stays in the shard's manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from genreflow.audio.augment import make_copies
from genreflow.audio.cache import AUDIO_SCHEMA, MANIFEST_SCHEMA, audio_digest
from genreflow.audio.decode import UNKNOWN, RejectedError, decode
from genreflow.audio.samples import Samples
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
        Cache to write: an Arrow IPC file, one record batch per usable track and per copy of it
        that ``params.augment`` asks for (``AUDIO_SCHEMA``), uncompressed, so that a reader maps
        the samples into memory. Copies follow their track, in the order of their recipes' names.
    manifest
        Parquet table to write: one row per file found (``MANIFEST_SCHEMA``). Its stamp's facts
        hold the `ignored` paths and the digest of the tracks' audio.
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
                row, samples = _one_track(file, shard, params)
                rows.append(row)
                if samples is not None:
                    for batch in _entries(row, samples, params):
                        writer.write_batch(batch)
        table = pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA)
        usable = [row for row in rows if row["status"] == "ok"]
        digest = audio_digest(
            (str(row["track_id"]) for row in usable), (str(row["pcm_sha256"]) for row in usable)
        )
        write_table(table, manifest, stamp.with_facts(ignored=list(ignored), audio=digest))


def _one_track(
    file: TrackFile, shard: str, params: Audio
) -> tuple[dict[str, object], Samples | None]:
    """Return the manifest row of a file, and its samples if it can be used."""
    source, reason, source_sha256, samples = UNKNOWN, "", "", None
    try:
        source_sha256 = _file_sha256(file.path)
        decoded = decode(file.path, params)
    except RejectedError as error:
        source, reason = error.source, str(error)
    else:
        source, samples = decoded.source, decoded.samples
    row: dict[str, object] = {
        "track_id": file.track_id,
        "genre": file.genre,
        "shard": shard,
        **asdict(source),
        "status": "rejected" if reason else "ok",
        "reason": reason,
        "source_sha256": source_sha256,
        "pcm_sha256": "" if samples is None else _pcm_sha256(samples),
    }
    return row, samples


def _entries(
    row: Mapping[str, object], samples: Samples, params: Audio
) -> Iterator[pa.RecordBatch]:
    """Yield what the cache holds of a usable track: itself, and its copies."""
    yield _entry(row, "", samples, params)
    for name, copy in make_copies(samples, str(row["track_id"]), params):
        yield _entry(row, name, copy, params)


def _entry(row: Mapping[str, object], copy: str, samples: Samples, params: Audio) -> pa.RecordBatch:
    values = {
        "track_id": row["track_id"],
        "genre": row["genre"],
        "copy": copy,
        "sample_rate": params.sample_rate,
        "source_sha256": row["source_sha256"],
        "pcm_sha256": _pcm_sha256(samples) if copy else row["pcm_sha256"],
    }
    columns = []
    for field in AUDIO_SCHEMA:
        if field.name == "samples":
            offsets = pa.array([0, len(samples)], pa.int32())
            pcm = pa.array(samples.astype("<i2", copy=False))
            columns.append(pa.ListArray.from_arrays(offsets, pcm, type=field.type))
        else:
            columns.append(pa.array([values[field.name]], field.type))
    return pa.RecordBatch.from_arrays(columns, schema=AUDIO_SCHEMA)


def _pcm_sha256(samples: Samples) -> str:
    return hashlib.sha256(samples.astype("<i2", copy=False).data).hexdigest()


def _file_sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise RejectedError(f"can't be opened ({error.strerror})") from None
