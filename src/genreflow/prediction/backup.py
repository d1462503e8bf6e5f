"""What files were tagged with before: written down first, and put back on request."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from genreflow.errors import GenreflowError
from genreflow.prediction.output import csv_lines
from genreflow.prediction.tags import TagError, read_genre, write_genre
from genreflow.store.cells import guarded, unguarded

COLUMNS = ["path", "old", "new", "time"]
"""Of a backup: the absolute path, the genres before as a JSON list, the new one, and when (UTC)."""

_CODING = ("utf-8", "surrogateescape")


class BackupError(GenreflowError):
    """A backup can't be written or read."""


@dataclass(frozen=True)
class Change:
    """A line of a backup.

    Attributes
    ----------
    path
        Of the file.
    old
        Its genres before.
    new
        The one that was to be written.
    """

    path: Path
    old: tuple[str, ...]
    new: str


def note(backup: Path, change: Change) -> None:
    """Add a change to a backup, and return once the disk has it.

    Raises
    ------
    BackupError
        It can't be written, or is another kind of file.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    old = json.dumps(change.old, ensure_ascii=False)
    row = [guarded(str(change.path)), old, guarded(change.new), now]
    try:
        with backup.open("a+b") as file:
            file.seek(0)
            begin = file.readline()
            if begin and begin.decode(*_CODING) != csv_lines([COLUMNS]):
                raise BackupError(
                    f"{backup}: is no backup of tags (expected the columns {','.join(COLUMNS)}); "
                    "name another file with --backup"
                )
            rows = [row] if begin else [COLUMNS, row]
            file.seek(-1 if begin else 0, os.SEEK_END)
            # A line that a kill has cut off stays one, and hides none.
            torn = b"" if not begin or file.read(1) == b"\n" else b"\n"
            file.write(torn + csv_lines(rows).encode(*_CODING))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(
            f"{backup}: can't be written ({error.strerror}), so no file is touched; name another "
            "file with --backup"
        ) from None


def read_backup(backup: Path) -> list[Change]:
    """Return what a backup says of each file: the genres before the first change, the last new one.

    Raises
    ------
    BackupError
        It isn't there, or is another kind of file.
    """
    try:
        with backup.open(encoding=_CODING[0], errors=_CODING[1], newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise BackupError(f"{backup}: can't be read ({error.strerror})") from None
    if not rows or rows[0] != COLUMNS:
        raise BackupError(
            f"{backup}: is no backup of tags; expected a CSV with the columns {','.join(COLUMNS)}"
        )
    changes: dict[Path, Change] = {}
    for row in rows[1:]:
        # What a kill has cut off was about a file that wasn't touched.
        with suppress(ValueError, TypeError):
            name, old, new, _ = row
            path = Path(unguarded(name))
            first = changes[path].old if path in changes else _genres(old)
            changes[path] = Change(path, first, unguarded(new))
    return list(changes.values())


def _genres(cell: str) -> tuple[str, ...]:
    genres = json.loads(cell)
    if not isinstance(genres, list) or not all(isinstance(genre, str) for genre in genres):
        raise TypeError("no list of genres")
    return tuple(genres)


@dataclass(frozen=True)
class Restored:
    """What became of a file whose genre was put back.

    Attributes
    ----------
    path
        Of the file.
    old
        What it has now, and had before; None where it was left alone.
    reason
        Why it was left alone; "" where it wasn't.
    """

    path: Path
    old: Sequence[str] | None
    reason: str = ""


def restore(changes: Sequence[Change], *, write: bool) -> Iterator[Restored]:
    """Put back the genres of files, but of those that somebody has changed since.

    Parameters
    ----------
    write
        Whether files are written; otherwise it is said what would be.
    """
    for change in changes:
        try:
            found = read_genre(change.path)
            if found == change.old:
                continue
            if found != (change.new,):
                now = ", ".join(found) or "none"
                reason = f"left alone: its genre is {now}, and {change.new} was written"
                yield Restored(change.path, None, reason)
                continue
            if write:
                write_genre(change.path, change.old)
        except TagError as error:
            yield Restored(change.path, None, str(error))
        else:
            yield Restored(change.path, change.old)
