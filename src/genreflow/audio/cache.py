"""The audio cache: what its files hold, and how they are read.

:mod:`genreflow.audio.write` makes them; readers depend on the layout alone.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from copy import copy
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from genreflow.audio.samples import Samples
from genreflow.store.files import text_sha256
from genreflow.store.stamp import REMEDY, StaleArtifactError, Stamp
from genreflow.store.tables import stamp_of

AUDIO_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("genre", pa.string()),
        # "": the track; else the recipe of a copy of it, which follows it (audio.augment).
        ("copy", pa.string()),
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
        ("decoder", pa.string()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("seconds", pa.float64()),
        ("claimed_seconds", pa.float64()),
        ("decoded_seconds", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("remark", pa.string()),
        ("source_sha256", pa.string()),
        ("pcm_sha256", pa.string()),
    ]
)


def audio_digest(track_ids: Iterable[str], pcm_sha256: Iterable[str]) -> str:
    """Return a SHA-256 over which tracks a shard holds and what they sound like."""
    pairs = sorted(zip(track_ids, pcm_sha256, strict=True))
    return text_sha256(f"{track}\0{pcm}\n" for track, pcm in pairs)


class _Entry(NamedTuple):
    """A record batch of the file without its samples: a track, or a copy of the one before."""

    batch: int
    track_id: str
    genre: str
    copy: str
    pcm_sha256: str


class AudioShard(AbstractContextManager["AudioShard"]):
    """Read what :func:`write_audio` wrote, mapped into memory.

    It shows the tracks alone. The copies of them that models train on, too, are for those who
    extract features, and who say of every row which copy it is of: :meth:`with_copies`.

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
    copy
        Per track, ``""``; of a copy, its recipe.
    pcm_sha256
        Digest of each track's samples.
    sample_rate
        Of every track [Hz].
    digest
        :func:`audio_digest` of the shard's tracks. Copies follow from them and from the stamp.

    Raises
    ------
    StaleArtifactError
        The file was made with other parameters, or is damaged.
    """

    def __init__(self, path: Path, expected: Stamp) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._reader = pa.ipc.open_file(pa.py_buffer(self._map))
        except ValueError:  # of an empty file, or of Arrow's
            raise StaleArtifactError(f"{path}: is no whole Arrow file; {REMEDY}") from None
        stamp = stamp_of(self._reader.schema, path)
        stamp.check(expected, path)
        self.sample_rate = int(stamp.facts["sample_rate"])
        self._every = [self._entry(i) for i in range(self._reader.num_record_batches)]
        self._show([entry for entry in self._every if not entry.copy])
        self.digest = audio_digest(self.track_id, self.pcm_sha256)

    def with_copies(self) -> AudioShard:
        """Return the shard with its copies, each after its track; it needs no closing."""
        shard = copy(self)
        shard._show(self._every)
        return shard

    def _show(self, entries: Sequence[_Entry]) -> None:
        self._shown = entries
        self.track_id = [entry.track_id for entry in entries]
        self.genre = [entry.genre for entry in entries]
        self.copy = [entry.copy for entry in entries]
        self.pcm_sha256 = [entry.pcm_sha256 for entry in entries]

    def __len__(self) -> int:
        """Return the number of tracks; with copies, each of these is one more."""
        return len(self._shown)

    def samples(self, track: int) -> Samples:
        """Return a read-only view of one track's samples, (n,) int16, that copies nothing."""
        batch = self._batch(self._shown[track].batch)
        samples: Samples = batch["samples"].values.to_numpy(zero_copy_only=True)
        return samples

    def _entry(self, number: int) -> _Entry:
        batch = self._batch(number)
        track_id, genre, recipe, digest = (
            batch[name][0].as_py() for name in ("track_id", "genre", "copy", "pcm_sha256")
        )
        return _Entry(number, track_id, genre, recipe, digest)

    def _batch(self, number: int) -> pa.RecordBatch:
        # Pages of earlier tracks would count as this process's memory for as long as it lives.
        # They stay in the system's cache, and a view that is still in use finds them there.
        self._map.madvise(mmap.MADV_DONTNEED)
        return self._reader.get_batch(number)

    def stamped(self, stamp: Stamp) -> Stamp:
        """Add the digest of this audio to the stamp of what is made from it."""
        return stamp.with_facts(audio=self.digest)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; views that are still in use keep it mapped."""
        del self._reader
