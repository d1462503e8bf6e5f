"""What may come of reading anything: a result, or the documented error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def result_or(documented: type[Exception], *words: str) -> Iterator[None]:
    """Let the documented error pass if its message holds `words`; all others are findings."""
    try:
        yield
    except documented as error:
        missing = [word for word in words if word not in str(error)]
        if missing:
            raise AssertionError(f"{error} doesn't say {missing}") from error
