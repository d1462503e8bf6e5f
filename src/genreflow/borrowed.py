"""What an experiment in a copy reads of the folder that it is a copy of.

``dvc exp run --temp`` and ``--queue`` work in a new folder that has what Git and DVC know. The
user's audio need not be known to either, and a copy for each experiment would cost a corpus of
disk. So every file that the parameters name, and that isn't in the copy, is a link to the one in
the folder itself. Folders are made, since DVC doesn't look behind links to folders.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from genreflow.errors import GenreflowError
from genreflow.params import Params
from genreflow.steps import kinds_in_use

_COPIES = Path(".dvc/tmp/exps")
"""Where DVC makes its copies of a project."""


class BorrowError(GenreflowError):
    """A parameter names a file by a path that means another one in a copy; the message says so."""


def home_of_copy(folder: Path) -> Path | None:
    """Return the folder that an experiment's folder is a copy of; None where it is no copy.

    DVC tells a stage's command where its own project lies, in ``DVC_ROOT``; for an experiment in
    a copy it is the project that was copied.
    """
    named = os.environ.get("DVC_ROOT")
    if not named:
        return None
    home = Path(named).resolve()
    return home if home / _COPIES in folder.resolve().parents else None


def borrow(params: Params, home: Path) -> None:
    """Link what `params` name, and this folder lacks, to what lies at `home`.

    What DVC tracks is left alone: the copy has the version that the experiment was queued with.

    Raises
    ------
    BorrowError
        A path leads out of the folder, to where there is nothing beside a copy.
    """
    for path in _named(params, home):
        here = Path(os.path.normpath(path))
        if here.is_absolute() or any(Path(f"{p}.dvc").is_file() for p in (here, *here.parents)):
            continue
        if not here.parts or here.parts[0] == "..":
            raise BorrowError(
                f"{path}: this path in params.yaml leads out of the folder, and an experiment "
                f"runs in a copy elsewhere. Write the whole path: {(home / here).resolve()}"
            )
        _mirror(home / here, here)


def _named(params: Params, home: Path) -> Iterator[Path]:
    """Yield the files and folders of the user's that a run reads."""
    corpus = params.corpus
    if not params.is_demo:
        yield Path(corpus.root)
    yield from map(Path, (corpus.labels, corpus.groups, params.splits.file, params.unknown.folder))
    for kind in kinds_in_use(params):
        section = params.at(kind.section)
        if kind.optional:
            with contextlib.chdir(home):
                needed = section.needed
            yield from needed


def _mirror(there: Path, here: Path) -> None:
    """Make the folders of `there`, and links to its files; what is here already stays."""
    for folder, folders, files in os.walk(there) if there.is_dir() else ():
        mirrored = here / Path(folder).relative_to(there)
        mirrored.mkdir(parents=True, exist_ok=True)
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *linked):
            _link(Path(folder, name), mirrored / name)
    if there.is_file():
        here.parent.mkdir(parents=True, exist_ok=True)
        _link(there, here)


def _link(there: Path, here: Path) -> None:
    with contextlib.suppress(FileExistsError):
        here.symlink_to(there.resolve())
