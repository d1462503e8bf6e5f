"""Fingerprint the audio files of a shard, so that a step reruns when their content changes.

Modification times say too much (a fresh clone, a copy) and too little (``cp -p``, archives).
Content is what counts, but reading a whole corpus at every start would be slow: the hash of a
file is kept in a cache, and trusted for as long as the file's size and times are what they were.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from genreflow.corpus.layout import Layout
from genreflow.corpus.scan import Shard, TrackFile
from genreflow.store.files import file_sha256, text_sha256, write_text

_SETTLED_NS = 2_000_000_000
# Times can be as coarse as 2 s (FAT): a file that changed more recently might change again
# without a trace, so its hash isn't kept.

_Entry = tuple[list[int], str]


def shard_digest(layout: Layout, shard: Shard, cache: Path) -> str:
    """Return the SHA-256 over the (track_id, SHA-256 of the file) pairs of a shard.

    Parameters
    ----------
    layout, shard
        The corpus, and which part of it.
    cache
        Folder for the hashes of single files; made when missing. It is safe to delete, to share
        between processes, to lose to a crash, and not to be writable.

    Returns
    -------
    str
        64 hexadecimal digits. A file that can't be read counts by its name, so that one bad file
        stops nothing.

    Raises
    ------
    CorpusError
        A folder can't be listed.
    """
    return shard_digests(layout, [shard], cache)[shard.name]


def shard_digests(layout: Layout, shards: Sequence[Shard], cache: Path) -> dict[str, str]:
    """Return the digests of several shards of one genre, in one walk through its files.

    To walk through them once for every shard would cost the number of files times that of shards.

    Raises
    ------
    CorpusError
        See :func:`shard_digest`.
    """
    root, scans = layout.root.resolve(), layout.scan_all(shards)
    return {
        shard.name: files_digest(scans.pop(shard.name).files, f"{root}\0{shard.name}", cache)
        for shard in shards
    }


def files_digest(files: Iterable[TrackFile], place: str, cache: Path) -> str:
    """Return the SHA-256 over the (track_id, SHA-256 of the file) pairs of some files.

    Parameters
    ----------
    files
        Audio files.
    place
        Where they lie: what their hashes are kept by.
    cache
        As for :func:`shard_digest`.
    """
    digests = _file_digests(files, place, cache)
    return text_sha256(f"{digests[track_id]} {track_id}\0" for track_id in sorted(digests))


def _file_digests(files: Iterable[TrackFile], place: str, cache: Path) -> dict[str, str]:
    """Return the SHA-256 of every file, by track_id."""
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
    cached = cache / f"{digest[:32]}.json"
    known = _read(cached)
    settled = time.time_ns() - _SETTLED_NS
    digests: dict[str, str] = {}
    keep: dict[str, _Entry] = {}
    for file in files:
        entry = _entry(file, known.get(file.track_id))
        digests[file.track_id] = "unreadable" if entry is None else entry[1]
        if entry is not None and max(entry[0][1:]) < settled:
            keep[file.track_id] = entry
    if keep != known:
        _write(keep, cached)
    return digests


def _entry(file: TrackFile, known: _Entry | None) -> _Entry | None:
    """Return the signature and the hash of a file, or None when it can't be read."""
    try:
        status = file.path.stat()
        signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        if known is not None and known[0] == signature:
            return known
        return signature, file_sha256(file.path)
    except OSError:
        return None


def _read(path: Path) -> dict[str, _Entry]:
    """Read a cache file; one that is missing or damaged is empty."""
    try:
        entries = json.loads(path.read_bytes())
        return {
            str(track_id): ([int(size), int(mtime), int(ctime)], str(digest))
            for track_id, [[size, mtime, ctime], digest] in entries.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(entries: Mapping[str, _Entry], path: Path) -> None:
    """Replace a cache file in one step; the hashes are right even where they can't be kept."""
    with suppress(OSError):
        write_text(json.dumps(entries), path)
