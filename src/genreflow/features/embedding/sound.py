"""A track as encoders want it: at their sample rate, all tracks equally loud, cut into patches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from genreflow.audio.samples import Samples
from genreflow.features.gain import LEVEL, amplitude_scale
from genreflow.features.rows import Floats, Integers
from genreflow.features.sounding import without_silence_around
from genreflow.registry.embedding import Embedding

_AT_LEAST_SECONDS = 3.0
_MASTERED = 0.2
"""Root mean square of music as it is published, -14 dB full scale: encoders know it as loud.

At half of it, those of Pons and Serra tell two to three genres in a hundred less
(docs/experiments.md).
"""
_SHORT = 0.25
"""Share of a patch that a rest must be longer than, to be heard in a patch of its own."""


class Sound:
    """A track; what several encoders make of it is made once.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    params
        Whether level and silence count.
    """

    def __init__(self, samples: Samples, sample_rate: int, params: Embedding) -> None:
        if params.skip_silence:
            at_least = math.ceil(_AT_LEAST_SECONDS * sample_rate)
            samples = without_silence_around(samples, at_least)
        scale = amplitude_scale(samples, normalise=params.normalise)
        if params.normalise:
            scale *= _MASTERED / LEVEL
        self._signal = samples.astype(np.float32) * np.float32(scale)
        self._rate = sample_rate
        self._made: dict[Any, Floats] = {}

    def at(self, sample_rate: int) -> Floats:
        """Return the amplitudes at a sample rate, (m,) float32."""
        if sample_rate == self._rate:
            return self._signal
        return self.once(sample_rate, lambda: soxr.resample(self._signal, self._rate, sample_rate))

    def once(self, key: Any, make: Callable[[], Floats]) -> Floats:
        """Return what `make` returns, which is asked once for each `key`."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def patch_starts(length: int, patch: int, overlap: float) -> Integers:
    """Return where patches begin, evenly spaced from the first to the last whole one.

    Parameters
    ----------
    length, patch
        [frames or samples], `length` at least `patch`.
    overlap
        Of neighbouring patches, as a share; a rest of a quarter of a patch is left out, and a
        longer one makes the overlap larger.
    """
    count = 1 + max(0, math.ceil((length - patch) / (patch * (1 - overlap)) - _SHORT))
    return np.linspace(0, length - patch, count).astype(np.int64)


def cut(values: npt.NDArray[np.float32], patch: int, overlap: float) -> Floats:
    """Cut frames or samples, (length, ...), into patches, (patches, patch, ...).

    What is shorter than a patch is repeated until it fills one.
    """
    if len(values) < patch:
        values = np.concatenate([values] * math.ceil(patch / max(len(values), 1)))[:patch]
    starts = patch_starts(len(values), patch, overlap)
    patches: Floats = np.stack([values[start : start + patch] for start in starts])
    return patches
