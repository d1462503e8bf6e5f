"""Zip archives whose bytes depend on their content alone."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from genreflow.store.files import atomic

_NO_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip archive can hold."""
_LARGE = 2**31 - 2**20
"""Bytes from which a member is written as a large one; its header takes some."""


@contextmanager
def new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Write an uncompressed archive, atomically; add to it with :func:`member`."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield archive


@contextmanager
def member(archive: zipfile.ZipFile, name: str, *, size: int = 0) -> Iterator[IO[bytes]]:
    """Open a new member for writing, without a date.

    Parameters
    ----------
    size
        Bytes that it will hold; where these are many, it must be known beforehand.
    """
    # Python before 3.11.4 says "large" otherwise, and the bytes of small ones depended on it.
    with archive.open(zipfile.ZipInfo(name, _NO_DATE), "w", force_zip64=size > _LARGE) as file:
        yield file


def write_members(members: Mapping[str, bytes], path: Path) -> None:
    """Write an archive of these members, sorted by name."""
    with new_archive(path) as archive:
        for name in sorted(members):
            with member(archive, name) as file:
                file.write(members[name])


def check_archive(path: Path) -> None:
    """Make sure that an archive is like those written here, and can't unfold into more than it is.

    Raises
    ------
    ValueError
        A member is compressed, overlaps with others, or has a name that leads out of a folder.
    OSError, zipfile.BadZipFile
        It can't be read.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    for info in members:
        name = PurePosixPath(info.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in info.filename:
            raise ValueError(f"holds {info.filename!r}, a name that leads out of its folder")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"holds {info.filename!r} compressed, as genreflow never writes it")
    if sum(info.file_size for info in members) > path.stat().st_size:
        raise ValueError("claims to hold more bytes than the file has")
    if len({info.filename for info in members}) < len(members):
        raise ValueError("holds two members of one name")


def read_members(path: Path) -> dict[str, bytes]:
    """Return the content of all members by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
