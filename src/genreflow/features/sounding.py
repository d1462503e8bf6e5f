"""Which parts of a track sound: silence says how a file was made, not what is played."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genreflow.audio.samples import Samples

SILENT_DB = 50.0
"""Silent is what lies so far below the loud parts of the same track."""

LOUD = 0.95
BLOCK = 256


def sounds(power: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Tell which of a track's frames sound, (frames,); all of them in a silent track.

    Parameters
    ----------
    power
        (frames,) mean square. The loud parts are its 95th percentile: a click isn't one.
    """
    heard = power > np.quantile(power, LOUD) * 10 ** (-SILENT_DB / 10)
    return heard if heard.any() else np.ones(len(power), dtype=np.bool_)


def without_silence_around(samples: Samples, at_least: int) -> Samples:
    """Return a view of a track from its first sound to its last, (n,) int16.

    An MP3 encoder's delay and the gap before the next track are neither.

    Parameters
    ----------
    samples
        (n,) int16.
    at_least
        Samples to leave where there are so many, silence among them if need be.
    """
    length = min(BLOCK, len(samples))
    blocks = samples[: len(samples) // length * length].reshape(-1, length).astype(np.float32)
    heard = np.flatnonzero(sounds(np.vecdot(blocks, blocks)))
    begin, end = int(heard[0]) * length, (int(heard[-1]) + 1) * length
    if end + length > len(samples):
        end = len(samples)  # too short a rest to be a block
    end = min(len(samples), max(end, begin + at_least))
    begin = max(0, min(begin, end - at_least))
    return samples[begin:end]
