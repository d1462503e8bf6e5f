"""Classifiers from folders: of a release, of all releases, or of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genreflow.models.base import ModelFileError
from genreflow.prediction.classifier import Classifier
from genreflow.prediction.release import (
    INDEX,
    RELEASE,
    Member,
    Release,
    read_index,
    read_release,
)
from genreflow.prediction.voter import Voter
from genreflow.registry.entry import METADATA

RELEASES, MODELS = Path("results/release"), Path("results/models")


def load(model: str | Path = RELEASES) -> Classifier:
    """Load a classifier.

    Parameters
    ----------
    model
        Folder of a release (``results/release/cnn``), of all releases (the one that the report
        calls best is loaded) or of one training (``results/models/cnn/0``); or a name, which is
        looked up in ``results/release``.

    Returns
    -------
    Classifier
        Of what was found; its ``release`` says what that is.

    Raises
    ------
    ModelFileError
        There is no such model, or it can't be read.

    Examples
    --------
    >>> load().release.name
    'xgb_mel'
    >>> load("results/models/xgb_mel/0").release.trained_on
    'the training tracks of one fold'
    """
    folder = find(model)
    if (folder / INDEX).is_file():
        folder = folder / read_index(folder).best
    if (folder / RELEASE).is_file():
        release = read_release(folder)
        voters = [Voter(folder / member.folder) for member in release.members]
        return Classifier(release, voters, folder)
    return _of_trainings(folder.parent.name or folder.name, [folder])


def load_folds(model: str) -> Classifier:
    """Load all trainings of a model, whose probabilities are averaged.

    Parameters
    ----------
    model
        Name of a compared model, or the folder of its trainings (``results/models/cnn``).

    Returns
    -------
    Classifier
        One with a voter for each training.

    Raises
    ------
    ModelFileError
        There is none, or one can't be read.

    Examples
    --------
    >>> len(load_folds("xgb_mel").voters)
    1
    """
    folder = Path(model) if Path(model).is_dir() else MODELS / model
    trainings = sorted(path.parent for path in folder.glob(f"*/{METADATA}"))
    if not trainings:
        raise ModelFileError(
            f"{folder}: holds no trainings; expected the name of a compared model, such as cnn"
        )
    return _of_trainings(folder.name, trainings)


def _of_trainings(name: str, folders: Sequence[Path]) -> Classifier:
    voters = [Voter(folder) for folder in folders]
    members = tuple(Member(folder.name, 1 / len(folders)) for folder in folders)
    seconds = voters[0].audio.max_seconds
    trained_on = "the training tracks of " + ("one fold" if len(folders) == 1 else "each fold")
    genres = voters[0].genres
    release = Release(name, genres, members, stretch_seconds=seconds, trained_on=trained_on)
    return Classifier(release, voters)


def find(model: str | Path) -> Path:
    """Return the folder of a model or of all releases; see :func:`load`."""
    folder = Path(model)
    if folder.is_dir():
        return folder
    named = RELEASES / model
    if named.is_dir() and len(folder.parts) == 1:
        return named
    if folder == RELEASES:
        raise ModelFileError(
            f"{RELEASES}: not in this folder; `make run` makes it in genreflow's own folder. "
            "From elsewhere, name the folder of a release or of a training"
        )
    known = sorted(path.parent.name for path in RELEASES.glob(f"*/{RELEASE}"))
    there_are = f"there are {', '.join(known)}" if known else f"{RELEASES} holds none yet"
    raise ModelFileError(
        f"{model}: no such model; expected the folder of a release or of a training, such as "
        f"results/models/cnn/0, or the name of a release ({there_are}; `snakemake` makes them)"
    )
