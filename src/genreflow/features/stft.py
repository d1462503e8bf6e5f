"""Short-time spectra, computed in blocks that stay in the processor's cache.

The values are those of librosa (centred frames, zero padding, periodic Hann window, Slaney's mel
scale), but for the rounding of single precision: librosa transforms in double precision, which
takes twice the time and differs only in bins 60 dB and more below the loudest of their frame.
librosa itself is not imported: that costs every worker two seconds, more than the mel spectra of
a whole genre of GTZAN.

References
----------
M. Slaney, "Auditory toolbox", Interval Research technical report 1998-010 (the mel scale).
B. McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.sparse import csr_array

from genreflow.audio.samples import FULL_SCALE, Samples

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

BLOCK_FRAMES = 144
"""Frames transformed at a time; 1024 × 144 float32 are 576 KiB, a share of a level 2 cache.

No power of two, so that the bins of a frame don't all fall on the same few lines of a cache.
"""

_DB_PER_E_FOLD = np.float32(10 / np.log(10))
_MEL_BREAK_HZ, _MEL_BREAK = 1000.0, 15.0
_HZ_PER_MEL, _LOG_STEP = 200.0 / 3, float(np.log(6.4)) / 27


def frame_count(n_samples: int, n_fft: int, hop_length: int) -> int:
    """Return how many centred frames `n_samples` make."""
    return 1 + (n_samples + 2 * (n_fft // 2) - n_fft) // hop_length


def spectrum_blocks(
    samples: Samples, n_fft: int, hop_length: int, scale: float = 1 / FULL_SCALE
) -> Iterator[tuple[slice, Spectrum]]:
    """Yield the spectrum as (which frames, (1 + n_fft // 2, frames of the block)).

    Parameters
    ----------
    samples
        (n,) int16.
    scale
        What makes them amplitudes; by default, a sine at full scale has amplitude 1.
    """
    window = hann(n_fft) * np.float32(scale)
    # Memory that is used again is faster by far than memory that the system hands out anew.
    stretch = np.empty((BLOCK_FRAMES - 1) * hop_length + n_fft, dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(stretch, n_fft)[::hop_length]
    windowed = np.empty(frames.shape, dtype=np.float32)
    count = frame_count(len(samples), n_fft, hop_length)
    for start in range(0, count, BLOCK_FRAMES):
        _copy(samples, start * hop_length - n_fft // 2, stretch)
        here = min(BLOCK_FRAMES, count - start)
        block = np.multiply(frames[:here], window, out=windowed[:here])
        # Asked for columns, the transform turns the spectrum while writing it, which is free.
        yield slice(start, start + here), scipy.fft.rfft(block.T, axis=0, overwrite_x=True)


def _copy(samples: Samples, start: int, out: Floats) -> None:
    """Fill `out` with the samples from `start` on, and with zeros where there are none."""
    before = min(max(0, -start), len(out))
    there = samples[max(0, start) : max(0, start + len(out))]
    out[:before] = 0
    out[before : before + len(there)] = there
    out[before + len(there) :] = 0


def power_blocks(
    samples: Samples, n_fft: int, hop_length: int, scale: float = 1 / FULL_SCALE
) -> Iterator[tuple[slice, Floats]]:
    """Yield the power spectrum, otherwise like :func:`spectrum_blocks`."""
    for where, spectrum in spectrum_blocks(samples, n_fft, hop_length, scale):
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        yield where, power


@lru_cache
def hann(length: int) -> Floats:
    """Return the periodic Hann window, (length,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def bin_frequencies(sample_rate: int, n_fft: int) -> npt.NDArray[np.float64]:
    """Return the centre frequencies of the bins, (1 + n_fft // 2,) [Hz]."""
    return np.arange(1 + n_fft // 2, dtype=np.float64) * (sample_rate / n_fft)


@lru_cache
def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> csr_array:
    """Return triangular filters of equal area, (n_mels, 1 + n_fft // 2), almost all of it zero.

    Parameters
    ----------
    sample_rate, fmin, fmax
        [Hz]; `fmax` defaults to the Nyquist frequency.
    """
    lowest, highest = _hz_to_mel(np.array([fmin, sample_rate / 2 if fmax is None else fmax]))
    edges = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2))[:, np.newaxis]
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = bin_frequencies(sample_rate, n_fft)
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (upper - lower))
    return csr_array(triangles.astype(np.float32))


def decibels(power: Floats, *, floor: float = 1e-10) -> Floats:
    """Turn power into dB re 1, in place; nothing lies below `floor`."""
    np.maximum(power, np.float32(floor), out=power)
    # Without AVX-512, NumPy's logarithms to other bases take four times as long.
    np.log(power, out=power)
    power *= _DB_PER_E_FOLD
    return power


def _hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = np.maximum(hz, _MEL_BREAK_HZ)
    logarithmic = _MEL_BREAK + np.log(above / _MEL_BREAK_HZ) / _LOG_STEP
    return np.where(hz < _MEL_BREAK_HZ, hz / _HZ_PER_MEL, logarithmic)


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    logarithmic = _MEL_BREAK_HZ * np.exp(_LOG_STEP * (mel - _MEL_BREAK))
    return np.where(mel < _MEL_BREAK, mel * _HZ_PER_MEL, logarithmic)
