"""What every model is: parameters and a signature in, probabilities of genres out.

A model never opens features itself. It is given :class:`Examples`, which read rows on demand, so
that training streams and never holds a corpus in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from genreflow import registry
from genreflow.errors import GenreflowError
from genreflow.features.rows import Floats, Integers, Source
from genreflow.registry.entry import ModelSection
from genreflow.section import PositiveInt

if TYPE_CHECKING:
    import pandas as pd

    from genreflow.models.checkpoint import Checkpoint

READ_ROWS = 256
"""Rows read at a time where the model sets no batch size; 17 MB of mel windows."""


class ModelFileError(GenreflowError):
    """A saved model can't be loaded; the message names the file and the remedy."""


@dataclass(frozen=True)
class Signature:
    """What goes into a model and what comes out; travels with the model.

    Attributes
    ----------
    model
        Name in the registry.
    genres
        In the order of the probability columns.
    shape
        Of one example: (time, frequency, 1) for mel windows, (n_features,) otherwise.
    feature_names
        Handcrafted features in their order; empty for mel windows.
    """

    model: str
    genres: tuple[str, ...]
    shape: tuple[PositiveInt, ...]
    feature_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Labelled rows of a source: windows, or whole tracks.

    Attributes
    ----------
    source
        Where the values are read from.
    rows
        (n,) rows of `source`, those of one track side by side, those of its copies after its own.
    label
        (n,) positions in ``Signature.genres``.
    track
        (n,) number of the track that each row belongs to, whichever copy of it.
    group
        (n,) number of what must stay on one side of every split.
    copy
        (n,) 0: of the track as it is; else the number of the copy, in training alone.

    Examples
    --------
    Two windows of one track and one of another, of two features:

    >>> from genreflow.features.rows import Matrix
    >>> source = Matrix(np.array([[0, 1], [2, 3], [4, 5]], dtype=np.float32))
    >>> rows, track, none = np.arange(3), np.array([0, 0, 1]), np.zeros(3, dtype=np.int64)
    >>> examples = Examples(source, rows, label=track, track=track, group=track, copy=none)
    >>> examples.read(np.array([2]))
    array([[4., 5.]], dtype=float32)
    >>> examples.weight()
    array([0.75, 0.75, 1.5 ], dtype=float32)
    """

    source: Source
    rows: Integers
    label: Integers
    track: Integers
    group: Integers
    copy: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, positions: Integers) -> Floats:
        """Return the values of some examples, (len(positions), ...).

        Parameters
        ----------
        positions
            Numbers of examples, from 0 to ``len(examples) - 1``, in any order.

        Returns
        -------
        ndarray of shape (len(positions), ...)
            Of float32; levels of mel windows in dB.
        """
        return self.source.read(self.rows[positions])

    def take(self, positions: Integers) -> Examples:
        """Return some of the examples.

        Parameters
        ----------
        positions
            Their numbers; those of a track side by side.

        Returns
        -------
        genreflow.models.base.Examples
            Of the same source; no value is read.
        """
        return Examples(
            self.source,
            self.rows[positions],
            self.label[positions],
            self.track[positions],
            self.group[positions],
            self.copy[positions],
        )

    def batches(self, size: int = READ_ROWS) -> Iterator[Floats]:
        """Yield the values of all examples in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.source.read(self.rows[start : start + size])

    def spread(self, per_track: int) -> Examples:
        """Keep at most `per_track` examples of each track, evenly spaced.

        Neighbouring windows overlap and sound alike: dropping some costs little accuracy. A track
        and its copies take turns, so that those kept are spread over both versions and time.

        Parameters
        ----------
        per_track
            The most examples of a track and its copies together.

        Returns
        -------
        genreflow.models.base.Examples
            Of the same source; no value is read.
        """
        kept = [
            start + _by_turns(self.copy[start : start + n], per_track, number)
            for number, (start, n) in enumerate(zip(*self.tracks(), strict=True))
        ]
        return self.take(np.concatenate(kept))

    def tracks(self) -> tuple[Integers, Integers]:
        """Return where each track's examples begin, and how many it has."""
        starts = np.flatnonzero(np.diff(self.track, prepend=-1))
        return starts, np.diff(starts, append=len(self))

    def weight(self, class_weight: str = "none") -> Floats:
        """Return (n,) weights of mean 1 that give every track, with its copies, the same say.

        Parameters
        ----------
        class_weight
            ``"balanced"``: every genre has the same say, and within it every track.

        Returns
        -------
        ndarray of shape (n,)
            Of float32.
        """
        _, count = self.tracks()
        weight = np.repeat(1 / count, count)
        if class_weight == "balanced":
            weight /= np.bincount(self.label, weights=weight)[self.label]
        normalised: Floats = (weight * (len(weight) / weight.sum())).astype(np.float32)
        return normalised


def _by_turns(copy: Integers, most: int, turn: int) -> Integers:
    """Choose at most `most` of a track's examples: evenly spaced, each of the next version.

    Parameters
    ----------
    copy
        (n,) number of each example's version; those of a version lie side by side.
    turn
        Whose turn it is first: with more versions than are wanted, each is heard of some tracks.
    """
    n = len(copy)
    if n <= most:
        return np.arange(n)
    first = np.flatnonzero(np.diff(copy, prepend=-1))
    count = np.diff(first, append=n)
    place = np.arange(most)
    version = (place + turn) % len(first)
    # Versions of very different lengths could be asked for the same example twice.
    return np.unique(first[version] + place * count[version] // most)


@dataclass(frozen=True)
class FitResult:
    """What training leaves behind besides the model.

    Attributes
    ----------
    n_parameters
        Numbers that training chose.
    tables
        By file name: the history (one row per epoch), the grid (one row per candidate), the
        importance of the features (one row each).
    best
        What was chosen: parameters of the grid, or the best epoch.
    """

    n_parameters: int
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    best: Mapping[str, Any] = field(default_factory=dict)


P = TypeVar("P", bound=ModelSection)


class Model(ABC, Generic[P]):
    """A classifier of mel windows or of whole tracks.

    Parameters
    ----------
    params
        The model's section of ``params.yaml``.
    signature
        What it reads and tells apart.

    Examples
    --------
    A model that says of everything how frequent the genres are among the training examples:

    >>> class Prior(Model[ModelSection]):
    ...     def fit(self, train, valid):
    ...         count = np.bincount(train.label, minlength=len(self.signature.genres))
    ...         self.share = count / count.sum()
    ...         return FitResult(n_parameters=count.size)
    ...
    ...     def predict_proba(self, values):
    ...         return np.tile(self.share, (len(values), 1)).astype(np.float32)
    ...
    ...     def save(self, folder):
    ...         np.save(folder / "model.npy", self.share)
    ...
    ...     def load(self, folder):
    ...         self.share = np.load(folder / "model.npy")

    It is fitted to a jazz track and three pop tracks:

    >>> from genreflow.features.rows import Matrix
    >>> source, number = Matrix(np.zeros((4, 2), dtype=np.float32)), np.arange(4)
    >>> label, none = np.array([0, 1, 1, 1]), np.zeros(4, dtype=np.int64)
    >>> train = Examples(source, number, label, track=number, group=number, copy=none)
    >>> model = Prior(ModelSection(), Signature("prior", ("jazz", "pop"), shape=(2,)))
    >>> model.fit(train, valid=train).n_parameters
    2
    >>> model.predict_proba(train.read(number[:1]))
    array([[0.25, 0.75]], dtype=float32)
    """

    checkpoint: Checkpoint | None = None
    """Where a long training may keep its state; whoever calls ``fit`` sets and removes it."""

    def __init__(self, params: P, signature: Signature) -> None:
        self.params = params
        self.signature = signature

    def paths(self, folder: Path) -> list[Path]:
        """Return the paths of the model's files in a folder, in the order of its entry.

        Parameters
        ----------
        folder
            Of a training.

        Returns
        -------
        list of Path
            One for each of :attr:`~genreflow.registry.entry.ModelEntry.model_files`.

        Raises
        ------
        genreflow.registry.entry.RegistryError
            No entry has the signature's name.
        """
        return [folder / name for name in registry.entry(self.signature.model).model_files]

    @abstractmethod
    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Train on `train`; use `valid` to choose a number: when to stop, how sure to be.

        No model learns from `valid` itself, or the comparison would not be of models alone.

        Parameters
        ----------
        train
            Of the training tracks, and of their copies.
        valid
            Of the validation tracks, without copies.

        Returns
        -------
        FitResult
            What is left of the training besides the model.
        """

    def refit(self, train: Examples, choices: Sequence[Mapping[str, Any]]) -> FitResult:  # noqa: ARG002
        """Train on all tracks, with what trainings on folds chose, for a release.

        A model that uses `valid` in :meth:`fit` chooses by `choices` instead; one that doesn't
        needs no other code than this.

        Parameters
        ----------
        train
            All tracks; there are none left to validate on.
        choices
            :attr:`FitResult.best` of each training (:mod:`genreflow.models.choosing`).

        Returns
        -------
        FitResult
            As :meth:`fit` returns it.
        """
        return self.fit(train, train)

    @abstractmethod
    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities of `values`.

        Parameters
        ----------
        values
            (n, ...) float32, rows of the signature's shape; levels of mel windows in dB.

        Returns
        -------
        ndarray of shape (n, n_genres)
            Of float32, in the order of ``signature.genres``; each row sums to 1.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model's files; the same model makes the same bytes.

        Parameters
        ----------
        folder
            Where to write what :meth:`paths` names.
        """

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote; nothing in the files is executed.

        Parameters
        ----------
        folder
            Where it lies.

        Raises
        ------
        ModelFileError
            A file is missing, damaged, or holds what no genreflow model consists of.
        """
