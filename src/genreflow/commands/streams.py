"""How commands use the standard streams: answers out at once, the rest apart, a bar for people."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator

import typer

from genreflow.errors import GenreflowError
from genreflow.prediction.answer import Answer
from genreflow.prediction.output import printable

READER_GONE = 141
"""Exit code where nobody reads the answers any more, as shells have it."""


class OutputError(GenreflowError):
    """Answers can't be written; the message says why."""


def prepare_stdout(*, for_people: bool) -> None:
    """Let names of files through that the encoding of standard output can't say.

    Parameters
    ----------
    for_people
        Whether they are shown as escapes; for programs, they are the bytes that they were.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        if for_people:
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


def show(text: str) -> None:
    """Write to standard output at once.

    Raises
    ------
    typer.Exit
        Nobody reads it any more.
    OutputError
        It can't be written.
    """
    if sys.stdout is None:  # it was closed from the start
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer has to go somewhere as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(READER_GONE) from None
        raise OutputError(f"standard output: can't be written ({error.strerror})") from None


def complain(path: str, reason: str) -> None:
    """Write to standard error why a file can't be used."""
    typer.echo(f"{printable(path)}: {reason}", err=True)


def with_progress(answers: Iterable[Answer], count: int) -> Iterator[Answer]:
    """Yield answers, with a bar on standard error while they come if that is a terminal."""
    if count < 2 or not sys.stderr.isatty():
        yield from answers
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        *(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        console=Console(stderr=True),
        transient=True,
        # Answers on the same terminal go above the bar; those in a pipe stay there.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("", total=count)
        for answer in answers:
            yield answer
            bar.advance(task)
