"""What a recording chain leaves in the samples: where they break off, their steps, their level.

As far as the cache can show it, which is mono, of one sample rate and of 16 bit: what lies above
half of that rate is gone, and steps are lost where a source had another rate, several channels, or
peaks above full scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal

from genreflow.audio.samples import FULL_SCALE, Samples

_BAND_HZ = 250.0
_LOWEST_CUT_HZ = 2000.0
"""Below this, music itself falls off as steeply; the narrowest telephone goes up to 3.4 kHz."""

_DROP_DB = 12.0
"""How far a level must fall to be cut off. 1199 of 1200 copies of GTZAN's clips (stored at 16 and
11 kHz; MP3 at 128, 64 and 32 kbit/s; Opus at 32) fall by more. The clips themselves fall by less
than 10 where they end gently and by up to 31 where a filter has been, with few between.
"""

_SPECTRUM = 2048
_WINDOW = "blackmanharris"
"""Its side lobes, 92 dB down, keep a tone out of most bins of its band."""

_FRAME = 512
_BLOCK_SECONDS = 0.1
_STANDARD_ERRORS = 5
_QUIETEST = 0.05
_NOTHING = 1e-30


@dataclass(frozen=True)
class Traces:
    """What was measured of one track.

    Attributes
    ----------
    bandwidth_hz
        Where the spectrum breaks off, to 250 Hz; half of the sample rate where it doesn't.
    bits
        How many the samples need: under 16 where all are multiples of a larger power of two.
    offset
        Constant offset in steps of 16 bit; 0 where it may come from the music's own lows.
    peak_db
        Largest amplitude [dB full scale].
    clipped
        Share of samples that repeat the largest or the smallest.
    silent
        Share of frames (512 samples) in which nothing moves.
    floor_db
        Power of the other frames: its quantile of 5 % against its mean [dB].
    """

    bandwidth_hz: float
    bits: int
    offset: float
    peak_db: float
    clipped: float
    silent: float
    floor_db: float


def measure(samples: Samples, sample_rate: int) -> Traces:
    """Measure a track.

    Parameters
    ----------
    samples
        (n,) int16, at least one.
    sample_rate
        Of the samples [Hz].
    """
    highest, lowest = int(samples.max()), int(samples.min())
    at_most, at_least = np.count_nonzero(samples == highest), np.count_nonzero(samples == lowest)
    silent, floor = _quiet(samples)
    return Traces(
        bandwidth_hz=_bandwidth(samples, sample_rate),
        bits=_bits(samples),
        offset=_offset(samples, sample_rate),
        peak_db=20 * math.log10(max(highest, -lowest, 1) / FULL_SCALE),
        clipped=float(at_most + at_least - 2) / len(samples),
        silent=silent,
        floor_db=floor,
    )


def _bandwidth(samples: Samples, sample_rate: int) -> float:
    """Return the upper edge of the band after which the level falls most, and stays down.

    The level of a band is the median of its bins: between single tones, as in synthetic music,
    there may be nothing, and where the last of them lies is the music's choice.
    """
    size = min(_SPECTRUM, len(samples))
    frequency, power = scipy.signal.welch(
        samples.astype(np.float32), sample_rate, _WINDOW, size, noverlap=0, detrend=False
    )
    starts = np.unique(np.searchsorted(frequency, np.arange(0, sample_rate / 2, _BAND_HZ)))
    bins = np.split(10 * np.log10(power + _NOTHING), starts[1:])
    levels = np.array([np.median(band) for band in bins])
    loudest_above = np.maximum.accumulate(levels[::-1])[::-1]
    # A filter falls within the band between.
    drops = levels[:-2] - loudest_above[2:]
    first = np.searchsorted(frequency[starts], _LOWEST_CUT_HZ)
    if not len(drops[first:]) or drops[first:].max() < _DROP_DB:
        return sample_rate / 2
    last = int(first + drops[first:].argmax())
    return float(round(frequency[starts[last + 1]] / _BAND_HZ) * _BAND_HZ)


def _bits(samples: Samples) -> int:
    used = int(np.bitwise_or.reduce(samples)) & 0xFFFF
    zeros = (used & -used).bit_length() - 1
    return 16 - max(zeros, 0)


def _offset(samples: Samples, sample_rate: int) -> float:
    mean = float(samples.mean(dtype=np.float64))
    blocks = _cut(samples, round(_BLOCK_SECONDS * sample_rate)).mean(axis=1, dtype=np.float64)
    if len(blocks) < 2:
        return 0.0
    standard_error = float(blocks.std(ddof=1)) / math.sqrt(len(blocks))
    return mean if abs(mean) > _STANDARD_ERRORS * standard_error else 0.0


def _quiet(samples: Samples) -> tuple[float, float]:
    """Return which share of the frames is silent, and how quiet the others become [dB]."""
    frames = _cut(samples, min(_FRAME, len(samples)))
    sounding = frames[frames.max(axis=1) > frames.min(axis=1)]
    if not len(sounding):
        return 1.0, 0.0
    power = sounding.var(axis=1, dtype=np.float64)
    floor = 10 * math.log10(float(np.quantile(power, _QUIETEST)) / float(power.mean()))
    return 1 - len(sounding) / len(frames), floor


def _cut(samples: Samples, length: int) -> Samples:
    """Return whole blocks, (blocks, length), without what is left at the end."""
    return samples[: len(samples) // length * length].reshape(-1, length)
