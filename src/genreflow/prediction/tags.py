"""The genre in a file's own tags: read it, and write it without touching anything else.

A file is written beside itself and takes its own place when it is whole, so that one that is killed
at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mutagen
from mutagen.id3 import ID3, TCON, Encoding, ID3NoHeaderError
from mutagen.mp3 import MP3

from genreflow.errors import GenreflowError
from genreflow.store.files import unfinished

_ID3_FRAME = "TCON"
_KEY = "genre"
_CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
"""How DVC calls what is in its cache: by the content, which must never change."""


class TagError(GenreflowError):
    """A file's tags can't be read or written; the message is the reason."""


def read_genre(path: Path) -> tuple[str, ...]:
    """Return the genres in a file's tags as they are written there; none where there are no tags.

    Raises
    ------
    TagError
        The file can't be opened, or has no tags that mutagen knows.
    """
    with _errors():
        return _Tags(path).genre


def write_genre(path: Path, genre: Sequence[str]) -> None:
    """Write the genres into a file's tags, which are added where there are none.

    Nothing else in the file changes. A link stays one: what it leads to is written. Where there
    are to be no genres, the tag is removed.

    Raises
    ------
    TagError
        The file can't be written, has no tags that mutagen knows, or is a link into DVC's cache.
    """
    target = path.resolve()
    if _CACHED.search(target.as_posix()):
        raise TagError(
            "is a link into DVC's cache, whose files must stay as they are: run `dvc unprotect` on "
            "what was `dvc add`ed, and try again"
        )
    with _errors(), _replaced(target) as copy:
        tags = _Tags(copy)
        tags.genre = tuple(genre)
        tags.save()


class _Tags:
    """The tags of a file, whatever they are called in its format."""

    def __init__(self, path: Path) -> None:
        self._path = path
        file = mutagen.File(path, easy=True)
        if file is None:
            raise TagError("is of no format whose tags can be written")
        self._mp3 = isinstance(file, MP3)
        self._file: Any = _id3_of(path) if self._mp3 else file
        if not self._mp3 and file.tags is None:
            file.add_tags()
        tags = self._file if self._mp3 else file.tags
        self._frames: Any = tags if isinstance(tags, ID3) else None

    @property
    def genre(self) -> tuple[str, ...]:
        if self._frames is not None:
            return tuple(text for frame in self._frames.getall(_ID3_FRAME) for text in frame.text)
        return tuple(self._file.get(_KEY, ()))

    @genre.setter
    def genre(self, genre: tuple[str, ...]) -> None:
        if self._frames is not None:
            # ID3 before 2.4 doesn't know UTF-8.
            encoding = Encoding.UTF8 if self._frames.version >= (2, 4, 0) else Encoding.UTF16
            frames = [_frame(encoding, genre)] if genre else []
            self._frames.setall(_ID3_FRAME, frames)
        elif genre:
            self._file[_KEY] = list(genre)
        elif _KEY in self._file:
            del self._file[_KEY]

    def save(self) -> None:
        if self._mp3:
            # Version 2.3 has other frames than 2.4, for dates among others: none is translated.
            version = 3 if (2, 3, 0) <= self._file.version < (2, 4, 0) else 4
            self._file.save(self._path, v2_version=version)
        else:
            self._file.save()


def _frame(encoding: int, genre: tuple[str, ...]) -> Any:
    return TCON(encoding=encoding, text=list(genre))  # type: ignore[no-untyped-call]


def _id3_of(path: Path) -> Any:
    try:
        return ID3(path, translate=False)  # type: ignore[no-untyped-call]
    except ID3NoHeaderError:
        return ID3()  # type: ignore[no-untyped-call]


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Yield a copy of a file that takes its place in the end, with its permissions."""
    handle, name = tempfile.mkstemp(path.suffix, unfinished(path), path.parent)
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(path, copy)
        shutil.copymode(path, copy)
        yield copy
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TagError(f"can't be opened or written ({error.strerror or error})") from None
    except mutagen.MutagenError as error:
        # mutagen hides what the system said in its own error.
        cause = error.args[0] if error.args else error
        said = cause.strerror if isinstance(cause, OSError) else cause
        raise TagError(f"has tags that can't be read or written ({said})") from None
