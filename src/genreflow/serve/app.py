"""The server: a page, a list of models, and what they say of an uploaded file.

It is made for the person at this machine. An upload is the body of a request, so that its size is
known to the byte as it arrives; it lies in a temporary file until it is judged.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genreflow.serve.judge import RefusedError
from genreflow.serve.pool import Pool

STATIC = Path(__file__).parent / "static"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Offered:
    """A model that the page offers.

    Parameters
    ----------
    name
        As in requests.
    folder
        Where it lies.
    accuracy
        On test tracks; None where nobody measured it.
    genres
        That it tells apart.
    """

    name: str
    folder: str
    accuracy: float | None
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """What an upload may be.

    Parameters
    ----------
    megabytes
        Largest file [MB].
    minutes
        Longest file [min].
    jobs
        Files heard at the same time.
    """

    megabytes: float = 100
    minutes: float = 20
    jobs: int = 2


def create_app(
    models: Sequence[Offered], limits: Limits | None = None, hosts: Sequence[str] = ()
) -> Starlette:
    """Return the application.

    Parameters
    ----------
    models
        The first is what the page chooses by itself.
    hosts
        Names under which the server may be asked, beside those of this machine.
    """
    limits = limits or Limits()
    by_name = {model.name: model for model in models}

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.pool = Pool(limits.jobs, 60 * limits.minutes)
        yield
        app.state.pool.close()

    async def page(_: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def about(_: Request) -> Response:
        offered = [{k: v for k, v in asdict(m).items() if k != "folder"} for m in models]
        return JSONResponse({"models": offered, "limits": asdict(limits)})

    async def predict(request: Request) -> Response:
        _check_origin(request)
        pool: Pool = request.app.state.pool
        names = [name for name in request.query_params.get("models", "").split(",") if name]
        names = names or [models[0].name]
        if unknown := [name for name in names if name not in by_name]:
            return _refuse(f"no such model: {unknown[0]}; there are {', '.join(by_name)}", 404)
        if pool.is_full:
            return _refuse("too many files are waiting; try again in a minute", 503)
        # Decoders go by the content; some, by the ending.
        suffix = PurePath(request.query_params.get("name", "")).suffix
        with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
            path = Path(folder) / f"upload{suffix if suffix[1:].isalnum() else ''}"
            try:
                await _receive(request, path, round(limits.megabytes * 1e6))
                found = await pool.judge(path, [by_name[name].folder for name in names])
            except RefusedError as error:
                return _refuse(error.reason, error.status)
        for name, said in zip(names, found["models"], strict=True):
            said["name"] = name
        return JSONResponse(found)

    async def told(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _refuse(error.detail, error.status_code)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/models", about),
            Route("/api/predict", predict, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(_Headers),
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=["127.0.0.1", "localhost", "[::1]", *hosts],
                www_redirect=False,
            ),
        ],
        exception_handlers={HTTPException: told},
        lifespan=lifespan,
    )


async def _receive(request: Request, path: Path, most_bytes: int) -> None:
    """Write the body of a request to a file.

    Raises
    ------
    RefusedError
        It is larger than `most_bytes`, or empty.
    """
    received = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            received += len(chunk)
            if received > most_bytes:
                raise RefusedError(
                    f"is larger than {most_bytes / 1e6:g} MB, the limit of --max-mb", 413
                )
            file.write(chunk)
    if not received:
        raise RefusedError("is empty (0 bytes)", 422)


def _check_origin(request: Request) -> None:
    """Refuse a page of another site that makes the browser upload something here."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "this page may be asked by itself alone")


def _refuse(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)


class _Headers:
    """Add the headers that keep a browser to this page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, with_headers)
