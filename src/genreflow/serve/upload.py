"""Receive an upload: the body of a request, in a temporary file as long as it is needed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from starlette.requests import Request

from genreflow.serve.refusal import RefusedError


@asynccontextmanager
async def received(request: Request, name: str, megabytes: float) -> AsyncIterator[Path]:
    """Yield the file that a request's body was written to; it goes with the context.

    Parameters
    ----------
    name
        As the user calls the file: decoders go by the content; some, by the ending.
    megabytes
        The largest that is accepted [MB].

    Raises
    ------
    RefusedError
        It is larger, or empty.
    """
    suffix = PurePath(name).suffix
    with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
        path = Path(folder) / f"upload{suffix if _is_plain(suffix) else ''}"
        await _write(request, path, megabytes)
        yield path


def _is_plain(suffix: str) -> bool:
    return suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 8


async def _write(request: Request, path: Path, megabytes: float) -> None:
    most, size = round(megabytes * 1e6), 0
    too_large = RefusedError(f"is larger than {megabytes:g} MB, the limit of --max-mb", 413)
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > most:
        raise too_large
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise too_large
            file.write(chunk)
    if not size:
        raise RefusedError("is empty (0 bytes)", 422)
