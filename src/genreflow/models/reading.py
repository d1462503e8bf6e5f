"""What libraries say of files that they can't read, as one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from genreflow.models.base import ModelFileError

REMEDY = "delete the folder and rerun `snakemake`, which trains the model anew"

_LONGEST = 300


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over a file into :class:`ModelFileError`.

    What a library raises on a damaged file is documented nowhere, and differs by where the damage
    is: so any exception counts, and stays attached as the cause.
    """
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        reason = complaint(error) if isinstance(error, ValidationError) else _one_line(error)
        raise ModelFileError(f"{path}: can't be read ({reason}); {REMEDY}") from error


def complaint(error: ValidationError) -> str:
    """Return the first of pydantic's complaints, and the field that it is about."""
    issue = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, issue["loc"])), issue["msg"])))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
