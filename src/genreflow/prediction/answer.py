"""What a classifier says of a file: the whole, and stretch by stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreflow.prediction.voter import Doubles


@dataclass(frozen=True)
class Part:
    """A stretch of a file.

    Attributes
    ----------
    start, end
        Where it lies in the file [s].
    probabilities
        (n_genres,); None where it is silent.
    familiarity
        From 0 to 1: how like the corpus it is; None where nobody asked, or it is silent.
    """

    start: float
    end: float
    probabilities: Doubles | None
    familiarity: float | None = None


@dataclass(frozen=True)
class Answer:
    """What is said of a file.

    Attributes
    ----------
    path
        As it was asked for.
    genres
        In the order of the probabilities.
    parts
        The stretches that were heard, in order; none where the file can't be used.
    reason
        Why the file can't be used; "" where it can.
    """

    path: str
    genres: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    reason: str = ""

    @property
    def probabilities(self) -> Doubles:
        """(n_genres,): the mean over the stretches by their length; NaN where there are none."""
        heard = [part for part in self.parts if part.probabilities is not None]
        if not heard:
            return np.full(len(self.genres), np.nan)
        if len(heard) == 1:
            return np.asarray(heard[0].probabilities)
        seconds = [part.end - part.start for part in heard]
        return np.average([part.probabilities for part in heard], axis=0, weights=seconds)

    @property
    def genre(self) -> str:
        """The most probable genre; "" where the file can't be used."""
        return "" if self.reason else self.top(1)[0][0]

    @property
    def confidence(self) -> float:
        """Probability of the most probable genre."""
        return float(self.probabilities.max())

    @property
    def familiarity(self) -> float | None:
        """The mean over the stretches by their length; None where nobody asked."""
        heard = [part for part in self.parts if part.familiarity is not None]
        if not heard:
            return None
        seconds = [part.end - part.start for part in heard]
        return float(np.average([part.familiarity for part in heard], weights=seconds))

    @property
    def seconds(self) -> float:
        """Length of what was heard [s], silence included."""
        return sum(part.end - part.start for part in self.parts)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the most probable genres, the first of them first, with their probabilities."""
        return best(self.genres, self.probabilities, count)


def best(
    genres: tuple[str, ...], probabilities: Doubles, count: int = 1
) -> list[tuple[str, float]]:
    """Return the `count` most probable genres with their probabilities, the most probable first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(genres[i], float(probabilities[i])) for i in order]
