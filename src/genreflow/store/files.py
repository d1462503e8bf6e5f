"""Files that appear whole or not at all, as JSON, CSV and digests."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreflow.store.cells import guarded, in_names, unguarded

if TYPE_CHECKING:
    import pandas as pd

DIGITS = "%.10g"
"""Significant digits of a number in a CSV file, unless its writer says otherwise."""

KEPT_OPEN = 64
"""Files that a reader of many keeps open: a process may have 256 on macOS, of all kinds."""

_UNFINISHED = ".unfinished-"


def unfinished(path: Path) -> str:
    """Return how the names of temporary files and folders beside `path` begin."""
    return f".{path.name}{_UNFINISHED}"


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files and folders below `folder` that killed processes left."""
    for path in list(folder.rglob(f".*{_UNFINISHED}*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it on success and vanishes on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(path.suffix, unfinished(path), path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; artifacts get the permissions of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(value: Any, path: Path) -> None:
    """Write `value` as sorted, indented JSON, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", path)


def read_json(path: Path) -> Any:
    """Read what :func:`write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(table: pd.DataFrame, path: Path, digits: str = DIGITS) -> None:
    """Write a table without its index, atomically; :func:`read_csv` reads it."""
    write_text(csv_text(table, digits), path)


def csv_text(table: pd.DataFrame, digits: str = DIGITS) -> str:
    """Render a table as CSV in which no name is a formula; see :mod:`genreflow.store.cells`."""
    cells = in_names(table, guarded)
    text: str = cells.to_csv(index=False, float_format=digits, lineterminator="\n")
    if "\r" in text:  # which readers take for the end of a line, unless it is in quotes
        text = cells.to_csv(
            index=False, float_format=digits, lineterminator="\n", quoting=csv.QUOTE_ALL
        )
    return text


def read_csv(path: Path, names: Collection[str] = ()) -> pd.DataFrame:
    """Read what :func:`write_csv` wrote.

    Parameters
    ----------
    names
        Columns that hold names even where they look like numbers. ``NA`` and ``None`` are names
        everywhere; an empty cell is missing.
    """
    import pandas as pd

    as_text = dict.fromkeys(names, str)
    table = pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=[""])
    return in_names(table, unguarded)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits.

    Raises
    ------
    OSError
        The file can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_sha256(parts: Iterable[str]) -> str:
    """Return the SHA-256 of some text that comes in parts, in hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
    return digest.hexdigest()
