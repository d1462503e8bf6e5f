"""Bring every track to the same level, so that its gain says nothing of its genre."""

from __future__ import annotations

import math

import numpy as np

from genreflow.audio.samples import FULL_SCALE, Samples

LEVEL = 0.1
"""Root mean square of the parts of a track that sound, once normalised: -20 dB full scale."""

BLOCK = 1024
GATE = 0.1


def amplitude_scale(samples: Samples, *, normalise: bool) -> float:
    """Return what turns int16 samples into amplitudes by multiplication.

    Normalised, the root mean square over the parts that sound is ``LEVEL``: quiet passages, 10 dB
    below the mean power and lower, and silence don't count. Otherwise full scale is 1.

    Parameters
    ----------
    samples
        (n,) int16.
    normalise
        Whether the track's own level is taken out.

    References
    ----------
    ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio level",
    2023 (the relative gate).
    """
    if not normalise:
        return 1 / FULL_SCALE
    length = min(BLOCK, len(samples))
    blocks = samples[: len(samples) // length * length].reshape(-1, length).astype(np.float32)
    power = np.vecdot(blocks, blocks).astype(np.float64) / length
    mean = power[power >= GATE * power.mean()].mean()
    return LEVEL / math.sqrt(mean) if mean > 0 else 1 / FULL_SCALE
