"""The command ``genreflow serve``."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import typer

from genreflow.errors import GenreflowError
from genreflow.serve.offer import offered

try:
    import uvicorn
    from starlette.applications import Starlette

    from genreflow.serve.app import Limits, create_app
except ImportError as error:
    raise GenreflowError(
        f"the page needs {error.name}, which isn't installed; `pip install starlette uvicorn`, or "
        "genreflow with its extra serve"
    ) from None


class ServeError(GenreflowError):
    """The server can't start; the message says why and what to do."""


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
    app = create_app(offered(models), Limits(megabytes, minutes, jobs), _names(host))
    with _listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{shown}:{listener.getsockname()[1]} (Ctrl-C ends it)")
        if not _is_loopback(host):
            typer.echo(
                f"warning: whoever reaches {host} may upload files; there is no password", err=True
            )
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=2
        )
        with suppress(KeyboardInterrupt):
            _Server(config, app).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends at once: nobody waits any more for what is being heard when Ctrl-C comes."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._pool_of = app.state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        super().handle_exit(sig, frame)
        self._pool_of.pool.stop()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServeError(
            f"{host}:{port} can't be listened on ({error.strerror}); choose another --port, or 0 "
            "for any that is free"
        ) from None


def _names(host: str) -> list[str]:
    """Return what browsers may call the server: where others reach it, the machine's name too."""
    own = socket.gethostname()
    return [host] if _is_loopback(host) else [host, own, f"{own}.local"]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
