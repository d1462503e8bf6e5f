"""Files that appear whole or not at all, as JSON, CSV and digests."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

DIGITS = "%.10g"
"""Significant digits of a number in a CSV file, unless its writer says otherwise."""

KEPT_OPEN = 64
"""Files that a reader of many keeps open: a process may have 256 on macOS, of all kinds."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it on success and vanishes on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
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
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: Path) -> None:
    """Write `value` as sorted, indented JSON, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", path)


def read_json(path: Path) -> Any:
    """Read what :func:`write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_csv(table: pd.DataFrame, path: Path, digits: str = DIGITS) -> None:
    """Write a table without its index, atomically."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format=digits, lineterminator="\n")


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
