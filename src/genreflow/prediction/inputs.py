"""What a command's arguments stand for: files, folders, playlists, and a list on standard input."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from genreflow.corpus.scan import CorpusError, walk
from genreflow.errors import GenreflowError
from genreflow.prediction.release import RELEASE
from genreflow.registry.entry import METADATA
from genreflow.store.cells import unguarded

STDIN = "-"
"""The argument that stands for the list on standard input."""

PLAYLISTS = (".m3u", ".m3u8")
TABLE = ".csv"
PATH_COLUMNS = ("path", "file", "filename", "track_id", "track", "location")
"""What the column of a table may be called that names the files."""


class InputError(GenreflowError):
    """An argument can't stand for files; the message says what was expected."""


@dataclass(frozen=True)
class Input:
    """A file to hear, or why there is none.

    Attributes
    ----------
    path
        As it was named, or as it lies below the folder that was.
    reason
        Why it can't be heard, if that is known already; "" otherwise.
    """

    path: str
    reason: str = ""


def expand(arguments: Iterable[str], read_stdin: Callable[[], bytes]) -> list[Input]:
    """Return the files that arguments stand for, each of them once, in their order.

    A folder stands for the audio files in it and in its folders, hidden ones left out; a playlist
    or a table for the files that it lists; ``-`` for the list on standard input: a path a line, or,
    as ``find -print0`` has it, between NULs. What isn't there is named with the reason.

    Parameters
    ----------
    read_stdin
        Returns all of standard input.

    Raises
    ------
    InputError
        A table lacks a column of files.
    """
    found: dict[str, Input] = {}
    for argument in arguments:
        named = _listed(read_stdin()) if argument == STDIN else _of(argument)
        for item in named:
            found.setdefault(os.path.abspath(item.path), item)  # noqa: PTH100  # keeps the links
    return list(found.values())


def _of(argument: str) -> Iterator[Input]:
    path = Path(argument)
    suffix = path.suffix.lower()
    if path.is_dir():
        yield from _in_folder(path)
    elif suffix in PLAYLISTS or suffix == TABLE:
        try:
            content = path.read_bytes()
        except OSError as error:
            yield Input(argument, f"can't be opened ({error.strerror})")
            return
        lines = _text(content)
        named = _in_table(lines, argument) if suffix == TABLE else _in_playlist(lines)
        yield from (_beside(name, path.parent) for name in named)
    else:
        yield Input(argument)


def _in_folder(folder: Path) -> Iterator[Input]:
    try:
        found = walk(folder, folder, text_alone=False)
        paths = sorted(str(path) for _, path, is_audio in found if is_audio)
    except CorpusError as error:
        yield Input(str(folder), str(error))
        return
    if not paths:
        is_model = any((folder / name).is_file() for name in (METADATA, RELEASE))
        told = "is a model; name it with --model" if is_model else "holds no audio files"
        yield Input(str(folder), told)
    yield from map(Input, paths)


def _in_playlist(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _in_table(text: str, name: str) -> Iterator[str]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(StringIO(text), delimiter=delimiter)
    columns = {column.strip().lower(): column for column in rows.fieldnames or () if column}
    column = next((columns[known] for known in PATH_COLUMNS if known in columns), None)
    if column is None:
        raise InputError(
            f"{name}: has the columns {', '.join(columns) or '(none)'}; expected one that names "
            f"the files, called {', '.join(PATH_COLUMNS[:-1])} or {PATH_COLUMNS[-1]}"
        )
    cells = (unguarded((row[column] or "").strip()) for row in rows)
    return (cell for cell in cells if cell)


def _beside(name: str, folder: Path) -> Input:
    """Find what a list names: relative to the list or, if it isn't there, to the current folder."""
    scheme, _, rest = name.partition("://")
    if rest and scheme.lower() != "file":
        return Input(name, "is on a network; expected a file")
    if rest:
        return Input(url2pathname(urlsplit(name).path))
    near = folder / name
    return Input(name if not near.exists() and Path(name).exists() else str(near))


def _listed(content: bytes) -> Iterator[Input]:
    paths = content.split(b"\0") if b"\0" in content else content.splitlines()
    for path in filter(None, paths):
        yield from _of(os.fsdecode(path))


def _text(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark; what isn't UTF-8 is Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
