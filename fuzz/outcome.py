"""What may come of reading anything: a result, or the documented error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 20_000
"""Characters of a message; what it quotes of a file may be endless."""


@contextmanager
def result_or(documented: type[Exception], *words: str) -> Iterator[None]:
    """Let the documented error pass if its message holds `words`; all others are findings."""
    try:
        yield
    except documented as error:
        if len(str(error)) > LONGEST:
            raise AssertionError("an error without end") from error
        missing = [word for word in words if word not in str(error)]
        if missing:
            raise AssertionError(f"{error} doesn't say {missing}") from error
