"""A classifier of audio: what a release, or a trained model, makes of files and samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreflow.audio.decode import RejectedError, SilentError, prepare
from genreflow.audio.stretches import Stretch, excerpt_of, stretches
from genreflow.models.base import ModelFileError
from genreflow.models.pooling import pool
from genreflow.models.temperature import apply_temperature
from genreflow.params import Audio
from genreflow.prediction.answer import Answer, Part, best
from genreflow.prediction.release import Release
from genreflow.prediction.voter import Doubles, Sound, Voter

if TYPE_CHECKING:
    import pandas as pd

    from genreflow.prediction.familiar import Acquaintance


class Classifier:
    """Names the genre of audio, as scikit-learn's classifiers name classes.

    Made by :func:`genreflow.load`.

    Parameters
    ----------
    release
        What it is.
    voters
        Its members, in their order.
    folder
        Where the release lies; None where it is none.

    Attributes
    ----------
    classes_
        (n_genres,) the genres, in the order of the probabilities.
    release
        What it is, how good it is, and what it was made with.

    Raises
    ------
    ModelFileError
        A member knows other genres, or hears tracks in another way.

    Examples
    --------
    >>> import genreflow
    >>> classifier = genreflow.load()
    >>> print(*classifier.classes_)
    ambient noise techno
    >>> classifier.sample_rate
    8000
    """

    def __init__(
        self, release: Release, voters: Sequence[Voter], folder: Path | None = None
    ) -> None:
        for voter in voters:
            if voter.genres != release.genres or voter.audio != voters[0].audio:
                raise ModelFileError(
                    f"{release.name}: its members know different genres, or were trained on audio "
                    "that was decoded differently; rerun `snakemake`, which makes it anew"
                )
        self.release = release
        self.classes_: npt.NDArray[np.str_] = np.array(release.genres)
        self._voters = tuple(voters)
        self._folder = folder
        self._audio = voters[0].audio

    @property
    def audio(self) -> Audio:
        """How files are decoded for it."""
        return self._audio

    @property
    def sample_rate(self) -> int:
        """Of what the models hear [Hz]."""
        return self._audio.sample_rate

    @property
    def voters(self) -> tuple[Voter, ...]:
        """The members, in the order of the release's."""
        return self._voters

    def predict(self, paths: str | Path | Iterable[str | Path]) -> npt.NDArray[np.str_]:
        """Return the genre of each file.

        Parameters
        ----------
        paths
            Audio files of any length, or one of them.

        Returns
        -------
        ndarray of shape (n,)
            The most probable genre of each file.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            A file can't be used.

        Examples
        --------
        >>> import genreflow
        >>> genreflow.load().predict(["song.wav"])
        array(['noise'], dtype='<U7')
        """
        genres: npt.NDArray[np.str_] = self.classes_[self.predict_proba(paths).argmax(axis=1)]
        return genres

    def predict_proba(self, paths: str | Path | Iterable[str | Path]) -> Doubles:
        """Return the probabilities of each file.

        Parameters
        ----------
        paths
            Audio files of any length, or one of them.

        Returns
        -------
        ndarray of shape (n, n_genres)
            In the order of :attr:`classes_`: the mean over a file's stretches, weighted by their
            length. Each row sums to 1.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            A file can't be used.

        Examples
        --------
        >>> import genreflow
        >>> genreflow.load().predict_proba("song.wav").round(1)
        array([[0.2, 0.6, 0.2]])
        """
        if isinstance(paths, str | Path):
            paths = [paths]
        answers = [self.hear(path) for path in paths]
        for answer in answers:
            if answer.reason:
                raise RejectedError(f"{answer.path}: {answer.reason}")
        return np.array([answer.probabilities for answer in answers]).reshape(
            -1, len(self.classes_)
        )

    def predict_samples(self, y: npt.ArrayLike, sample_rate: int) -> str:
        """Return the genre of samples.

        Parameters
        ----------
        y
            (n,) mono, or (channels, n) as librosa has it; floats with full scale 1, or integers.
        sample_rate
            Of the samples [Hz].

        Returns
        -------
        str
            The most probable genre.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            They are too short, silent, or not finite.

        Examples
        --------
        >>> import genreflow, soundfile
        >>> samples, rate = soundfile.read("song.wav")
        >>> genreflow.load().predict_samples(samples, rate)
        'noise'
        """
        return str(self.classes_[self.predict_samples_proba(y, sample_rate).argmax()])

    def predict_samples_proba(self, y: npt.ArrayLike, sample_rate: int) -> Doubles:
        """Return the probabilities of samples.

        Parameters
        ----------
        y
            (n,) mono, or (channels, n) as librosa has it; floats with full scale 1, or integers.
        sample_rate
            Of the samples [Hz].

        Returns
        -------
        ndarray of shape (n_genres,)
            In the order of :attr:`classes_`: the mean over stretches that aren't silent, weighted
            by their length.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            They are too short, or not finite.
        genreflow.audio.decode.SilentError
            They are silent; a :class:`~genreflow.audio.decode.RejectedError`, too.

        Examples
        --------
        >>> import genreflow, soundfile
        >>> samples, rate = soundfile.read("song.wav", dtype="int16")
        >>> genreflow.load().predict_samples_proba(samples, rate).round(1)
        array([0.2, 0.6, 0.2])
        """
        mono = _as_mono(y)
        least = self._audio.min_seconds
        if len(mono) < least * sample_rate:
            raise RejectedError(
                f"the samples last {len(mono) / sample_rate:.3g} s; expected at least {least:g} s"
            )
        length = round(self.release.stretch_seconds * sample_rate)
        parts: list[Part] = []
        for start in range(0, len(mono), length):
            piece = mono[start : start + length]
            if parts and len(piece) < least * sample_rate:
                break
            try:
                samples = prepare(piece.copy(), sample_rate, self._audio)
            except SilentError:
                samples = None
            end = (start + len(piece)) / sample_rate
            parts.append(self._judge(Stretch(start / sample_rate, end, samples)))
        if all(part.probabilities is None for part in parts):
            raise SilentError("the samples are silent")
        return Answer("", self.release.genres, tuple(parts)).probabilities

    def timeline(self, path: str | Path) -> pd.DataFrame:
        """Return the genres of a file over time.

        Parameters
        ----------
        path
            An audio file of any length.

        Returns
        -------
        DataFrame
            One row per stretch: start and end [s], genre, probability (of that genre), and one
            column per genre; genre "" and NaN where it is silent.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            The file can't be used.

        Examples
        --------
        >>> import genreflow
        >>> genreflow.load().timeline("song.wav")[["start", "end", "genre"]]
           start  end  genre
        0    0.0  2.0  noise
        """
        answer = self.hear(path)
        if answer.reason:
            raise RejectedError(f"{answer.path}: {answer.reason}")
        return timeline_of(answer)

    def familiarity(self, path: str | Path) -> float:
        """Return how familiar a file is: what share of the corpus' own tracks is no more so.

        Of tracks like those of the corpus, one in twenty lies below 0.05. Unlike a probability, it
        says nothing of genres: speech or noise can get one of them with confidence.

        Parameters
        ----------
        path
            An audio file of any length.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            The file can't be used.
        ModelFileError
            This isn't a release, which alone knows.

        Examples
        --------
        >>> import genreflow
        >>> genreflow.load().familiarity("song.wav") > 0.05
        True
        """
        answer = self.hear(path, familiar=True)
        if answer.reason:
            raise RejectedError(f"{answer.path}: {answer.reason}")
        return float(answer.familiarity or 0)

    def hear(
        self, path: str | Path, first: float | None = None, *, familiar: bool = False
    ) -> Answer:
        """Return what is said of a file, or the reason why it can't be used.

        Parameters
        ----------
        path
            A file of any length; one stretch of it is in memory at a time.
        first
            Hear just one excerpt of so many seconds, where ``audio.start`` has it begin, as the
            pipeline does. None: hear the whole.
        familiar
            Whether to say how familiar it is, too, which takes handcrafted features.

        Returns
        -------
        Answer
            With genre, probabilities, parts (one per stretch) and reason, ``""`` unless the file
            can't be used.

        Raises
        ------
        ModelFileError
            `familiar`, and this isn't a release, which alone knows.

        Examples
        --------
        >>> import genreflow
        >>> genreflow.load().hear("song.wav").genre
        'noise'
        >>> genreflow.load().hear("nothing.wav").reason
        "can't be opened (No such file or directory)"
        """
        answer = Answer(str(path), self.release.genres)
        try:
            heard = self._stretches(path, first)
            parts = tuple(self._judge(stretch, familiar=familiar) for stretch in heard)
            return replace(answer, parts=parts)
        except RejectedError as error:
            return replace(answer, reason=str(error))

    def _stretches(self, path: str | Path, first: float | None) -> Iterator[Stretch]:
        if first is None:
            return stretches(Path(path), self._audio, self.release.stretch_seconds)
        audio = self._audio.model_copy(update={"max_seconds": first})
        return iter([excerpt_of(Path(path), audio)])

    def _judge(self, stretch: Stretch, *, familiar: bool = False) -> Part:
        if stretch.samples is None:
            return Part(stretch.start, stretch.end, None)
        sound = Sound(stretch.samples, self._audio.sample_rate)
        said = np.array([[voter.probabilities(sound)] for voter in self._voters])
        if self.release.joined == "pool":
            weights = np.array([member.weight for member in self.release.members])
            joined = pool(said, weights)
        else:
            joined = said.mean(axis=0)
        (calibrated,) = apply_temperature(joined, self.release.temperature)
        familiarity = self._acquaintance.of(sound) if familiar else None
        return Part(stretch.start, stretch.end, calibrated, familiarity)

    @cached_property
    def _acquaintance(self) -> Acquaintance:
        from genreflow.prediction.familiar import Acquaintance

        if self._folder is None:
            raise ModelFileError(
                f"{self.release.name}: a single training doesn't know what is familiar; ask a "
                "release, which `snakemake` makes"
            )
        return Acquaintance.load(self._folder)


def timeline_of(answer: Answer) -> pd.DataFrame:
    """Return start, end, genre, probability and the probabilities of an answer's stretches."""
    import pandas as pd

    rows = []
    for part in answer.parts:
        genre, probability, values = "", np.nan, np.full(len(answer.genres), np.nan)
        if part.probabilities is not None:
            ((genre, probability),) = best(answer.genres, part.probabilities)
            values = part.probabilities
        rows.append([part.start, part.end, genre, probability, *values])
    columns = ["start", "end", "genre", "probability", *map(_column, answer.genres)]
    return pd.DataFrame(rows, columns=columns)


def _column(genre: str) -> str:
    return f"{genre}_" if genre.rstrip("_") in ("start", "end", "genre", "probability") else genre


def _as_mono(y: npt.ArrayLike) -> npt.NDArray[np.float32]:
    values = np.asarray(y)
    if values.ndim not in (1, 2) or not values.size:
        raise RejectedError(f"samples of the shape {values.shape}; expected (n,) or (channels, n)")
    if np.issubdtype(values.dtype, np.integer):
        values = values / -float(np.iinfo(values.dtype).min)
    mono: npt.NDArray[np.float32] = np.asarray(
        values if values.ndim == 1 else values.mean(axis=0), dtype=np.float32
    )
    return mono
