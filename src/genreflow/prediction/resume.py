"""A table of answers that a run which was interrupted, or killed, is taken up in."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from genreflow.columns import OF_ANSWERS, OF_STRETCHES
from genreflow.errors import GenreflowError
from genreflow.prediction.answer import Answer
from genreflow.prediction.output import Style, as_csv, csv_lines, header
from genreflow.store.cells import unguarded

_CODING = ("utf-8", "surrogateescape")
"""Names of files that are no text come back as they were."""


class ResumeError(GenreflowError):
    """A table can't be taken up; the message says what it holds and what was expected."""


@dataclass(frozen=True)
class Known:
    """What a table holds already.

    Attributes
    ----------
    reasons
        Of each file in it why it can't be used, or "".
    length
        Bytes of the table that are whole.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    length: int = 0


class Resumed(AbstractContextManager["Resumed"]):
    """Appends answers to a table, each of them whole before the next is asked for.

    Parameters
    ----------
    path
        The table; made if it isn't there.
    genres
        That the classifier knows.
    style
        How answers are shown.

    Attributes
    ----------
    reasons
        Of each file that the table holds already why it can't be used, or "".

    Raises
    ------
    ResumeError
        It can't be read or written, or its rows are by another model or with other options.
    """

    def __init__(self, path: Path, genres: Sequence[str], style: Style) -> None:
        self._path = path
        self._style = style
        try:
            content = path.read_bytes() if path.exists() else b""
            known = _known(path, content, header(genres, style), style)
            self.reasons = known.reasons
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
            self._file.truncate(known.length)
            self._file.seek(0, os.SEEK_END)
            if not known.length:
                self._append(csv_lines([header(genres, style)]))
        except OSError as error:
            raise _unwritable(path, error) from None

    def add(self, answer: Answer) -> None:
        """Append what is said of a file.

        Raises
        ------
        ResumeError
            The disk is full.
        """
        try:
            self._append(as_csv(answer, self._style))
        except OSError as error:
            raise _unwritable(self._path, error) from None

    def _append(self, text: str) -> None:
        left = memoryview(text.encode(*_CODING))
        while left:
            left = left[self._file.write(left) :]

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _known(path: Path, content: bytes, expected: list[str], style: Style) -> Known:
    ends = _ends_of_rows(content)
    text = content[: ends[-1] if ends else 0].decode(*_CODING)
    rows = list(csv.reader(StringIO(text, newline="")))
    if not rows:
        if content and not csv_lines([expected]).encode(*_CODING).startswith(content):
            raise _other(path, f"begins with {content[:40]!r}", expected)
        return Known()
    if rows[0] != expected:
        raise _other(path, f"has the columns {','.join(rows[0])}", expected)
    names = OF_STRETCHES if style.timeline else OF_ANSWERS
    reason, model = names.index("reason"), names.index("model")
    if odd := next((row for row in rows[1:] if len(row) != len(expected)), None):
        raise _other(path, f"has a row of {len(odd)} cells", expected)
    if other := {unguarded(row[model]) for row in rows[1:]} - {style.model}:
        raise ResumeError(
            f"{path}: holds answers of {', '.join(sorted(other))}, and not of {style.model}; ask "
            "with the same model and options, or name another file"
        )
    whole = len(rows)
    if style.timeline:
        # Whether all stretches of the last file were written, nobody knows.
        while whole > 1 and rows[whole - 1][0] == rows[-1][0]:
            whole -= 1
    reasons = {unguarded(row[0]): unguarded(row[reason]) for row in rows[1:whole]}
    return Known(reasons, ends[whole - 1])


def _ends_of_rows(content: bytes) -> list[int]:
    """Return where each row ends: at the end of a line that isn't in quotes."""
    ends, quotes, position = [], 0, 0
    for line in content.splitlines(keepends=True):
        position += len(line)
        quotes += line.count(b'"')
        if line.endswith(b"\n") and quotes % 2 == 0:
            ends.append(position)
    return ends


def _unwritable(path: Path, error: OSError) -> ResumeError:
    return ResumeError(
        f"{path}: can't be written ({error.strerror}); expected a CSV that `predict --resume` "
        "wrote, or a new file, and room on the disk"
    )


def _other(path: Path, found: str, expected: Sequence[str]) -> ResumeError:
    return ResumeError(
        f"{path}: {found}; expected {','.join(expected)}, as this model and these options make "
        "them. Name another file"
    )
