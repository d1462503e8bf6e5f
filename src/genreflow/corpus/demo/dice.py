"""Random choices: those of a track, and those that a band repeats on all its tracks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from genreflow.corpus.demo.synth import Sound

T = TypeVar("T")

OWN = 0.25
"""Share of a range within which the tracks of a band differ."""


class Dice:
    """Random choices that are the same everywhere.

    Only uniform numbers are drawn from NumPy: how it makes others may change between versions.
    """

    def __init__(self, *name: object) -> None:
        digest = hashlib.sha256("/".join(map(str, name)).encode()).digest()
        seed = np.random.SeedSequence(int.from_bytes(digest, "big"))
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def between(self, low: float, high: float) -> float:
        """Draw a number between `low` and `high`."""
        return low + (high - low) * self._generator.random()

    def chance(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return self._generator.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of the options."""
        return options[int(self._generator.random() * len(options))]

    def noise(self, n_samples: int) -> Sound:
        """Return white noise between -1 and 1."""
        return 2 * self._generator.random(n_samples, dtype=np.float32) - 1


class Habits:
    """Choices that a band makes once and that its tracks vary a little.

    Over many bands they spread as a :class:`Dice` does. The band's dice are asked for the same
    things in the same order whatever the track is, so that all its tracks hear the same answers.

    Parameters
    ----------
    band
        Decides what the tracks of a band have in common.
    track
        Decides how far this track is off.
    """

    def __init__(self, band: Dice, track: Dice) -> None:
        self._band, self._track = band, track

    def between(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`, not far from the band's."""
        place = self._band.between(0, 1) + self._track.between(-OWN / 2, OWN / 2)
        # What would leave the range turns back: clipped, tracks would pile up at its ends.
        return low + (high - low) * (1 - abs(1 - abs(place)))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, mostly the band's favourite."""
        favourite, other = self._band.pick(options), self._track.pick(options)
        return other if self._track.chance(OWN) else favourite
