"""The command ``genreflow serve``."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import typer

from genreflow.errors import GenreflowError
from genreflow.models.metadata import read_metadata
from genreflow.prediction.load import RELEASES, find
from genreflow.prediction.release import INDEX, RELEASE, read_index, read_release


class ServeError(GenreflowError):
    """The server can't start; the message says why and what to do."""


try:
    import uvicorn

    from genreflow.serve.app import Limits, Offered, create_app
except ImportError as error:
    raise ServeError(
        f"{error.name} isn't installed, which the page needs: `pip install starlette uvicorn`"
    ) from None


def start(
    models: Sequence[str], host: str, port: int, megabytes: float, minutes: float, jobs: int
) -> None:
    """Serve the page until Ctrl-C.

    Raises
    ------
    ServeError
        The address can't be listened on.
    genreflow.models.base.ModelFileError
        A model isn't there, or can't be read.
    """
    app = create_app(offered(models), Limits(megabytes, minutes, jobs), [host])
    with _listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{shown}:{listener.getsockname()[1]} (Ctrl-C ends it)")
        if not _is_loopback(host):
            typer.echo(
                f"warning: whoever reaches {host} may upload files; there is no password", err=True
            )
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def offered(models: Sequence[str]) -> list[Offered]:
    """Return what the page offers: the models named, or all releases, the best first.

    Raises
    ------
    genreflow.models.base.ModelFileError
        One of them isn't there, or there is none.
    """
    found = []
    if not models:
        folder = find(RELEASES)
        index = read_index(folder)
        ranked = sorted(index.accuracy, key=lambda name: -index.accuracy[name])
        models = [str(folder / name) for name in (index.best, *ranked)]
    for folder in dict.fromkeys(map(find, models)):
        if (folder / INDEX).is_file():
            folder = folder / read_index(folder).best
        if (folder / RELEASE).is_file():
            release = read_release(folder)
            accuracy = release.evaluation.get("accuracy")
            found.append(Offered(release.name, str(folder), accuracy, release.genres))
        else:
            metadata = read_metadata(folder)
            name = f"{metadata.signature.model}/{folder.name}"
            found.append(Offered(name, str(folder), None, metadata.signature.genres))
    return found


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServeError(
            f"{host}:{port} can't be listened on ({error.strerror}); choose another --port, or 0 "
            "for any that is free"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
