"""The audio cache: every usable track, decoded once, in Arrow files that can be mapped.

What can't be used is set aside with a reason and stays in the shard's manifest.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from genreflow.artifacts import Stamp, atomic
from genreflow.corpus.scan import TrackFile
from genreflow.decoding import UNKNOWN, Decoded, RejectedError, Samples, decode
from genreflow.params import Audio
from genreflow.parquet import stamp_of, with_stamp, write_table

__all__ = [
    "AUDIO_SCHEMA",
    "MANIFEST_SCHEMA",
    "AudioShard",
    "Decoded",
    "RejectedError",
    "audio_digest",
    "decode",
    "write_audio",
]

AUDIO_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("genre", pa.string()),
        ("sample_rate", pa.int32()),
        ("samples", pa.list_(pa.field("item", pa.int16(), nullable=False))),
        ("source_sha256", pa.string()),
        ("pcm_sha256", pa.string()),
    ]
)

MANIFEST_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("genre", pa.string()),
        ("shard", pa.string()),
        ("codec", pa.string()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("seconds", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("source_sha256", pa.string()),
        ("pcm_sha256", pa.string()),
    ]
)


def audio_digest(track_ids: Iterable[str], pcm_sha256: Iterable[str]) -> str:
    """Return a SHA-256 over which tracks a shard holds and what they sound like."""
    pairs = sorted(zip(track_ids, pcm_sha256, strict=True))
    return hashlib.sha256("".join(f"{t}\0{p}\n" for t, p in pairs).encode()).hexdigest()


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
    schema = with_stamp(AUDIO_SCHEMA, _with_facts(stamp, sample_rate=params.sample_rate))
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
        write_table(table, manifest, _with_facts(stamp, ignored=list(ignored), audio=digest))


def _with_facts(stamp: Stamp, **facts: Any) -> Stamp:
    return replace(stamp, facts={**stamp.facts, **facts})


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
        "codec": source.codec,
        "sample_rate": source.sample_rate,
        "channels": source.channels,
        "seconds": source.seconds,
        "status": "rejected" if reason else "ok",
        "reason": reason,
        "source_sha256": source_sha256,
        "pcm_sha256": pcm_sha256,
    }
    return row, batch


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RejectedError(f"can't be opened ({error.strerror})") from None


class AudioShard:
    """Read what :func:`write_audio` wrote, mapped into memory.

    Parameters
    ----------
    path
        The Arrow file.
    expected
        What it must have been made with.

    Attributes
    ----------
    track_id, genre
        Per track, in the file's order.
    pcm_sha256
        Digest of each track's samples.
    sample_rate
        Of every track [Hz].
    digest
        :func:`audio_digest` of the shard.

    Raises
    ------
    StaleArtifactError
        The file was made with other parameters.
    """

    def __init__(self, path: Path, expected: Stamp) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._reader = pa.ipc.open_file(pa.py_buffer(self._map))
        stamp = stamp_of(self._reader.schema, path)
        stamp.check(expected, path)
        self.track_id: list[str] = []
        self.genre: list[str] = []
        self.pcm_sha256: list[str] = []
        for i in range(len(self)):
            batch = self._batch(i)
            self.track_id.append(batch["track_id"][0].as_py())
            self.genre.append(batch["genre"][0].as_py())
            self.pcm_sha256.append(batch["pcm_sha256"][0].as_py())
        self.sample_rate = int(stamp.facts["sample_rate"])
        self.digest = audio_digest(self.track_id, self.pcm_sha256)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return int(self._reader.num_record_batches)

    def samples(self, track: int) -> Samples:
        """Return a read-only view of one track's samples, (n,) int16, that copies nothing."""
        samples: Samples = self._batch(track)["samples"].values.to_numpy(zero_copy_only=True)
        return samples

    def _batch(self, track: int) -> pa.RecordBatch:
        # Pages of earlier tracks would count as this process's memory for as long as it lives.
        # They stay in the system's cache, and a view that is still in use finds them there.
        self._map.madvise(mmap.MADV_DONTNEED)
        return self._reader.get_batch(track)

    def stamped(self, stamp: Stamp) -> Stamp:
        """Add the digest of this audio to the stamp of what is made from it."""
        return _with_facts(stamp, audio=self.digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; views that are still in use keep it mapped."""
        del self._reader
