"""Tell whether a root really holds genre folders, before any work is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from genreflow.corpus.labels import read_labels
from genreflow.corpus.layout import Layout
from genreflow.corpus.scan import AUDIO_EXTENSIONS, CorpusError, folders_in, walk
from genreflow.params import DEMO_ROOT

_SHOWN = 3
_ROLES = {"train", "training", "valid", "validation", "val", "dev", "test", "testing", "eval"}


def checked_layout(root: Path, table: Path | None) -> Layout:
    """Do what :func:`~genreflow.corpus.layout.read_layout` does, but refuse what are no genres.

    Jobs read the layout without this check: of the demo, they may find a part.

    Raises
    ------
    CorpusError
        As there, and see :func:`check_level`.
    """
    labels = None if table is None else read_labels(table, root)
    if labels is None:
        check_level(root)
    return Layout.of(root, labels)


def check_level(root: Path) -> None:
    """Refuse a root whose folders are no genres, and name the path that was probably meant.

    A root may be too high (``data``, where the genres are in ``data/genres``) or too low (one
    genre's folder), hold one genre alone, or folders that say something else: numbers, as FMA's
    do, or the roles of a partition. A root that is missing, or holds no folders, is left to
    :func:`~genreflow.corpus.scan.find_genres`, unless it is one of several genres.

    Raises
    ------
    CorpusError
        Says what was found, and which root or table would do.
    """
    if not root.is_dir():
        return
    genres = _with_audio(root)
    if len(genres) > 1:
        _check_names(root, [folder.name for folder in genres])
        return
    loose = any(is_audio for _, path, is_audio in walk(root, root) if path.parent == root)
    if below := _genres_below(genres):
        home = below[0].parent
        raise CorpusError(
            f"{root}: only {home} holds audio, in the folders {_some(below)}, so that the root is "
            f"too high. Did you mean corpus.root: {home}?"
        )
    parent = root.resolve().parent if root.name in ("", "..") else root.parent
    beside = _plainly_with_audio(parent) if genres or loose else []
    if len(beside) > 1:
        raise CorpusError(
            f"{root}: is one of several folders with audio in {parent} ({_some(beside)}), so that "
            f"the root is too low. Did you mean corpus.root: {parent}?"
        )
    if genres:
        raise CorpusError(
            f"{root}: {genres[0].name} is the only folder with audio, and one genre alone leaves "
            "nothing to tell apart. Put the folder of a second genre beside it."
        )
    if not loose and folders_in(root):
        raise CorpusError(
            f"{root}: there is no audio file in any of its folders. Expected "
            f"{root}/<genre>/<audio files>; set corpus.root in params.yaml to such a folder."
        )


def _with_audio(folder: Path) -> list[Path]:
    """List the folders in `folder` that hold audio at any depth; the demo is no part of them."""
    demo = Path(DEMO_ROOT).resolve()
    return [path for path in folders_in(folder) if path.resolve() != demo and _holds_audio(path)]


def _plainly_with_audio(folder: Path) -> list[Path]:
    """List the folders in `folder` that hold audio themselves or in a folder of theirs.

    Above the root there may be all of the user's files: not to be walked, nor always to be read.
    """
    found = []
    with suppress(CorpusError):
        for path in folders_in(folder):
            near = chain(path.glob("*"), path.glob("*/*"))
            if any(file.suffix.lower() in AUDIO_EXTENSIONS for file in near):
                found.append(path)
    return found


def _holds_audio(folder: Path) -> bool:
    return any(is_audio for _, _, is_audio in walk(folder, folder))


def _genres_below(folders: list[Path]) -> list[Path]:
    """Descend while a single folder holds audio; return the first several, or []."""
    while len(folders) == 1:
        folders = _with_audio(folders[0])
    return folders


def _check_names(root: Path, names: Sequence[str]) -> None:
    if set(map(str.lower, names)) <= _ROLES:
        raise CorpusError(
            f"{root}: its folders ({', '.join(names)}) are the parts of a partition, not genres. "
            "List the tracks in the table corpus.labels (path, genre, role) and set "
            "splits.strategy: predefined."
        )
    # Numbers with leading zeros count something; a decade or a class may be a number, too.
    counted = len({len(name) for name in names}) == 1 and any(name[0] == "0" for name in names)
    if counted and all(name.isdecimal() and len(name) > 1 for name in names):
        raise CorpusError(
            f"{root}: its folders are numbered ({', '.join(names[:_SHOWN])}, …), as FMA's are, and "
            "say no genre. List the tracks in the table corpus.labels (path, genre); of FMA, "
            "`genreflow corpus labels` makes it from fma_metadata/tracks.csv."
        )


def _some(folders: Sequence[Path]) -> str:
    names = [folder.name for folder in folders]
    return ", ".join(names[:_SHOWN]) + ", …" * (len(names) > _SHOWN)
