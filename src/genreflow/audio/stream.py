"""What a decoder makes of a file: blocks of samples, and what is known of the whole."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SAMPLE_RATES = range(1_000, 768_001)
"""Rates of sound [Hz]; a header that says anything else is damaged, and asks for any memory."""


class Stream(Protocol):
    """A file that is being decoded.

    Attributes
    ----------
    decoder, codec
        ``"libsndfile"`` and ``"FLAC/PCM_16"``, or ``"ffmpeg"`` and ``"aac"``.
    sample_rate, channels
        Of the file.
    claimed
        Length that the file's header claims [s]; None where it claims none.
    """

    decoder: str
    codec: str
    sample_rate: int
    channels: int
    claimed: float | None

    def length(self) -> float | None:
        """Return the best guess of the file's length [s] that needs no decoding."""

    def blocks(self, begin: float) -> Generator[Floats]:
        """Yield (frames, channels) from `begin` [s] to the end, however far it can be read."""

    def close(self) -> None:
        """Let go of the file."""
