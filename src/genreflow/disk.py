"""Disks that take no more: full, over quota or read-only; said in one line instead of a traceback.

Libraries report them in ways of their own, so it is the words of the system that tell.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from genreflow.errors import GenreflowError

_REMEDIES = {
    errno.ENOSPC: "Make room",
    errno.EDQUOT: "Make room, or have the quota raised",
    errno.EFBIG: "Raise the largest size of a file (`ulimit -f`)",
    errno.EROFS: "Mount the disk so that it can be written",
}


class DiskError(GenreflowError):
    """A file can't be written; the message says where, why, and how much space there is."""


def explain(error: BaseException, folder: Path) -> DiskError | None:
    """Return what to tell the user where `error`, or one that led to it, is the disk's; else None.

    Parameters
    ----------
    error
        Raised while something was written.
    folder
        Where to, should the error not say.
    """
    for cause in _chain(error):
        place = Path(os.fsdecode(getattr(cause, "filename", None) or folder))
        if below := place.is_relative_to(folder):
            place = folder  # the file itself is a temporary one
        for number in _REMEDIES:
            if os.strerror(number) in str(cause):
                return _told(number, place)
        if isinstance(cause, PermissionError) and below:
            return _told(errno.EACCES, place)
    return None


def check_writable(folder: Path) -> None:
    """Make `folder` unless it is there, and see whether files can be made in it.

    Raises
    ------
    DiskError
        They can't.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _told(error.errno or errno.EIO, folder) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(number: int, place: Path) -> DiskError:
    why = os.strerror(number)
    if number in (errno.ENOSPC, errno.EDQUOT):
        why += "".join(f", {free}" for free in _free(place, Path(tempfile.gettempdir())))
    remedy = _REMEDIES.get(number, f"Make it a folder in which you may write (`ls -ld {place}`)")
    return DiskError(
        f"{place}: can't be written ({why}). {remedy}, and start again: what has been made stays"
    )


def _free(*places: Path) -> Iterator[str]:
    for place in places:
        with suppress(OSError):
            yield f"{shutil.disk_usage(place).free / 1e6:,.1f} MB free in {place}"
