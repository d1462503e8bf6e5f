"""Zip archives whose bytes depend on their content alone."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from genreflow.store.files import atomic

_NO_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip archive can hold."""


@contextmanager
def new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Write an uncompressed archive, atomically; add to it with :func:`member`."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield archive


@contextmanager
def member(archive: zipfile.ZipFile, name: str, *, large: bool = False) -> Iterator[IO[bytes]]:
    """Open a new member for writing, without a date.

    Parameters
    ----------
    large
        Whether it may grow beyond 2 GiB, which must be known beforehand.
    """
    with archive.open(zipfile.ZipInfo(name, _NO_DATE), "w", force_zip64=large) as file:
        yield file


def write_members(members: Mapping[str, bytes], path: Path) -> None:
    """Write an archive of these members, sorted by name."""
    with new_archive(path) as archive:
        for name in sorted(members):
            with member(archive, name) as file:
                file.write(members[name])


def read_members(path: Path) -> dict[str, bytes]:
    """Return the content of all members by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
