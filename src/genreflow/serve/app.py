"""The server: a page, a list of models, and what they say of an uploaded file.

It is made for the person at this machine. An upload is the body of a request, so that its size is
known to the byte as it arrives; it lies in a temporary file until it is judged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from genreflow.serve.guard import Guard
from genreflow.serve.offer import Offered
from genreflow.serve.pool import Pool
from genreflow.serve.refusal import RefusedError
from genreflow.serve.upload import received

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Limits:
    """What an upload may be.

    Attributes
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
        Names under which the server may be asked, beside ``localhost`` and addresses.
    """
    limits = limits or Limits()
    folders = {model.name: model.folder for model in models}

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
        pool: Pool = request.app.state.pool
        names = _named(request)
        with pool.place():
            async with received(request, _file_name(request), limits.megabytes) as path:
                found = await pool.judge(path, [folders[name] for name in names])
        for name, said in zip(names, found["models"], strict=True):
            said["name"] = name
        return JSONResponse(found)

    async def listen(request: Request) -> Response:
        pool: Pool = request.app.state.pool
        (name, *_) = _named(request)
        with pool.place():
            async with received(request, _file_name(request), limits.megabytes) as path:
                await pool.render(path, folders[name])
                return Response(path.read_bytes(), media_type="audio/flac")

    def _named(request: Request) -> list[str]:
        asked = [name for name in request.query_params.get("models", "").split(",") if name]
        if unknown := [name for name in asked if name not in folders]:
            there_are = ", ".join(folders)
            raise RefusedError(f"no such model: {unknown[0]}; there are {there_are}", 404)
        return list(dict.fromkeys(asked)) or [models[0].name]

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/models", about),
            Route("/api/predict", predict, methods=["POST"]),
            Route("/api/listen", listen, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, names=hosts)],
        exception_handlers={
            RefusedError: _refused,
            ClientDisconnect: _gone,
            HTTPException: _wrong,
            Exception: _failed,
        },
        lifespan=lifespan,
    )


def _file_name(request: Request) -> str:
    return request.query_params.get("name", "")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"error": error.reason}, error.status)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _wrong(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    """Answer in JSON, as always; the traceback goes to the terminal."""
    return JSONResponse({"error": f"genreflow failed ({error!r}); its terminal says more"}, 500)
