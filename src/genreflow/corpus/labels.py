"""Genres from a table instead of folders: a CSV with the columns path and genre.

A table may also name each track's group and its role. One without rows says nothing: then the
folders are the genres. Rows reach the steps by what they say of a track, so that an edit of a
genre redoes audio, and an edit of a group or a role doesn't.
"""

from __future__ import annotations

import csv
import posixpath
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from genreflow.corpus.scan import CorpusError, Scan, Shard, TrackFile, deal, walk
from genreflow.store.files import text_sha256

_PATH = ("path", "track_id")
_OPTIONAL = ("group", "role")
_EXAMPLES = 2
_MOST_MISSING = 0.5
"""A table that misses a larger share of its files was made for another folder."""


@dataclass(frozen=True)
class Row:
    """What a table says of a track; group and role are "" where it says nothing."""

    track_id: str
    genre: str
    group: str = ""
    role: str = ""


@dataclass(frozen=True)
class Labels:
    """A table, and the files that it speaks of.

    Attributes
    ----------
    rows
        In the order of the table.
    files
        Of all rows, by track_id. A file that doesn't exist is listed like any other, so that it is
        set aside with a reason instead of disappearing.
    ignored
        All other files below the root, relative to it.
    """

    rows: tuple[Row, ...]
    files: tuple[TrackFile, ...]
    ignored: tuple[str, ...]

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres of the table, sorted by code point."""
        return tuple(sorted({row.genre for row in self.rows}))

    def scan_all(self, shards: Sequence[Shard]) -> dict[str, Scan]:
        """Return the files of several shards of one genre. What isn't listed belongs to none."""
        own = self._by_genre.get(shards[0].genre, ())
        return deal(((file.track_id, file.path, True) for file in own), shards)

    @cached_property
    def _by_genre(self) -> dict[str, list[TrackFile]]:
        found: dict[str, list[TrackFile]] = defaultdict(list)
        for file in self.files:
            found[file.genre].append(file)
        return found


def read_labels(table: Path, root: Path) -> Labels | None:
    """Read a table and find its files below `root`; None where it has no rows.

    Paths may differ from those of the files in their Unicode normalisation.

    Raises
    ------
    CorpusError
        As :func:`read_rows`; or more than half of the files don't exist, or a path is no file.
    """
    rows = read_rows(table, root)
    if not rows:
        return None
    if not root.is_dir():
        raise CorpusError(
            f"{root}: there is no such folder, but {table} lists files in it. Set corpus.root in "
            "params.yaml to the folder that the table's paths are relative to."
        )
    listed = {row.track_id: row for row in rows}
    files: dict[str, TrackFile] = {}
    others = []
    for name, path, is_audio in walk(root, root):
        row = listed.get(name) or listed.get(_composed(name))
        if row is None or row.track_id in files:
            others.append((name, is_audio))
            continue
        if not is_audio:
            _check_regular(path, name, table)
        files[row.track_id] = TrackFile(name, row.genre, path)
    missing = [name for name in listed if name not in files]
    if len(missing) > _MOST_MISSING * len(listed):
        found = [*(name for name, is_audio in others if is_audio), *files]
        raise CorpusError(
            f"{table}: {len(missing)} of its {len(listed)} files are not below {root}, such as "
            f"{_some(missing)}. {_what_there_is(found)} A path in the table is relative to "
            "corpus.root; correct one or the other, or list only files that you have."
        )
    for name in missing:
        _check_regular(root / name, name, table)
        files[name] = TrackFile(name, listed[name].genre, root / name)
    return Labels(
        rows,
        tuple(sorted(files.values(), key=lambda file: file.track_id)),
        tuple(sorted(name for name, _ in others)),
    )


def read_rows(table: Path, root: Path) -> tuple[Row, ...]:
    """Read the rows of a table that name a genre, without a look at the audio.

    Blanks around a cell don't count. A path is relative to `root`, or absolute and in it, with
    slashes or backslashes; it becomes a track_id.

    Raises
    ------
    CorpusError
        The table can't be read or lacks a column; a path leaves the root or is listed twice; a
        genre can't be called so, or is the only one.
    """
    starts = _starts(root)
    rows: dict[str, Row] = {}
    places: dict[str, int] = {}
    for line, cells in _cells(table):
        path, genre = cells["path"], cells["genre"]
        if not path or not genre:
            continue
        where = f"{table}, line {line}"
        if fault := _fault_of_genre(genre):
            raise CorpusError(f"{where}: the genre {fault}. Write it another way.")
        track_id = _relative(path, starts)
        if track_id.startswith(("/", "../")) or track_id in ("..", ".") or "\0" in track_id:
            raise CorpusError(
                f"{where}: {path} is no file below corpus.root ({root}). Paths are relative to it; "
                "set corpus.root to a folder that holds all of them, or remove the line."
            )
        if (known := rows.get(track_id)) is not None:
            raise CorpusError(
                f"{where}: {track_id} is listed in line {places[track_id]} already"
                + (f", as {known.genre}. A track has one genre" if known.genre != genre else "")
                + "; keep one line."
            )
        rows[track_id] = Row(track_id, genre, cells["group"], cells["role"])
        places[track_id] = line
    _check_genres({row.genre for row in rows.values()}, table)
    return tuple(rows.values())


def digests(rows: Sequence[Row]) -> dict[str, str]:
    """Return a digest of what a table says to each step that reads it.

    Neither the order of the rows nor columns that nobody reads count.
    """
    return {
        "audio": _digest((row.track_id, row.genre) for row in rows),
        "splits": _digest(
            (row.track_id, row.group, row.role) for row in rows if row.group or row.role
        ),
    }


def _digest(facts: Iterable[tuple[str, ...]]) -> str:
    return text_sha256("\0".join(fact) + "\n" for fact in sorted(facts))


def _cells(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line, and its cells by the names of the columns."""
    expected = "expected a CSV with the columns path, genre and, if you like, group and role"
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            columns = {"path": next((header.index(name) for name in _PATH if name in header), None)}
            for name in ("genre", *_OPTIONAL):
                columns[name] = header.index(name) if name in header else None
            if columns["path"] is None or columns["genre"] is None:
                raise CorpusError(
                    f"{table}: its first line is {','.join(header)[:80]!r} ({expected}); correct it"
                )
            for cells in reader:
                yield (
                    reader.line_num,
                    {
                        name: _composed(cells[place].strip())
                        if place is not None and place < len(cells)
                        else ""
                        for name, place in columns.items()
                    },
                )
    except OSError as error:
        raise CorpusError(
            f"{table}: can't be read ({error.strerror}; {expected}). Correct corpus.labels in "
            "params.yaml; a table without rows leaves the genres to the folders."
        ) from None
    except UnicodeDecodeError:
        raise CorpusError(f"{table}: is no UTF-8 ({expected}); save it in that encoding") from None
    except csv.Error as error:
        raise CorpusError(
            f"{table}, line {reader.line_num}: is no CSV ({error}; {expected})"
        ) from None


def _starts(root: Path) -> set[str]:
    """Return how an absolute path below `root` may begin: with or without its links resolved."""
    places = (root.absolute(), root.resolve())
    return {posixpath.normpath(_composed(place.as_posix())).rstrip("/") + "/" for place in places}


def _relative(path: str, starts: set[str]) -> str:
    """Return a path of the table relative to the root, if it lies below it."""
    name = posixpath.normpath(path.replace("\\", "/"))
    return next((name[len(start) :] for start in starts if name.startswith(start)), name)


def _fault_of_genre(name: str) -> str:
    """Say why a genre can't be called so, as no folder could; "" where it can."""
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return f"{name!r} holds a control character (a line break, a tab)"
    if "/" in name:
        return f"{name!r} holds /, but genres name files of the pipeline"
    if name.startswith("."):
        return f"{name!r} begins with a dot, as hidden files do"
    return ""


def _check_genres(genres: set[str], table: Path) -> None:
    if len(genres) == 1:
        raise CorpusError(
            f"{table}: {genres.pop()} is the only genre; there is nothing to tell apart. "
            "List tracks of a second one."
        )
    spellings = defaultdict(list)
    for genre in sorted(genres):
        spellings[genre.casefold()].append(genre)
    for names in spellings.values():
        if len(names) > 1:
            raise CorpusError(
                f"{table}: {' and '.join(map(repr, names))} differ in case alone, and name the "
                "same file on many systems. Write them alike, or tell them apart."
            )


def _check_regular(path: Path, name: str, table: Path) -> None:
    """Refuse what isn't a file: a pipe or a device would block whoever opens it."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise CorpusError(f"{table}: {name} is {what}, not a file; list the audio files")


def _what_there_is(found: Sequence[str]) -> str:
    return f"There are {_some(sorted(found))}." if found else "There is no audio there."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_EXAMPLES])


def _composed(name: str) -> str:
    """Return a name in Unicode's composed form; macOS hands out names decomposed."""
    return unicodedata.normalize("NFC", name)
