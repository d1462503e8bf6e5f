"""Descriptors of every frame that come from the samples themselves: level, zero crossings, silence.

Sums over overlapping frames are made of sums over the pieces that frames share.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from genreflow.audio.samples import Samples
from genreflow.features.stft import Floats, decibels
from genreflow.registry.handcrafted import Handcrafted

T = TypeVar("T", bound=np.generic)


def loudness(samples: Samples, params: Handcrafted, scale: float) -> Floats:
    """Return the root mean square in each frame, (frames,), of the samples times `scale`."""
    pieces = _pieces(samples, params)
    energy = np.einsum("ij,ij->i", pieces, pieces, dtype=np.float64)
    mean = _frame_sums(energy, params) / params.n_fft
    return (scale * np.sqrt(mean)).astype(np.float32)


def zero_crossing_rate(samples: Samples, params: Handcrafted) -> Floats:
    """Return the share of samples in each frame whose sign is not that of the sample before."""
    negative = samples < 0
    crossings = np.zeros(len(samples), dtype=np.bool_)
    np.not_equal(negative[1:], negative[:-1], out=crossings[1:])
    pieces = _pieces(crossings, params)
    counts = _frame_sums(np.count_nonzero(pieces, axis=1), params)
    # The first sample of a frame has none before it.
    starts = pieces[:: params.hop_length // pieces.shape[1], 0][: len(counts)]
    return ((counts - starts) / params.n_fft).astype(np.float32)


def silence(rms: Floats, n_samples: int, sample_rate: int, params: Handcrafted) -> Floats:
    """Return the seconds of silence before the first and after the last sound, (2,).

    Silent are frames more than ``silence_top_db`` below the loudest; `librosa.effects.trim`.

    Parameters
    ----------
    rms
        From :func:`loudness`.
    """
    levels = decibels(np.square(rms))
    sounding = np.flatnonzero(levels > levels.max() - np.float32(params.silence_top_db))
    start = int(sounding[0]) * params.hop_length
    end = min(n_samples, (int(sounding[-1]) + 1) * params.hop_length)
    return np.array([start, n_samples - end], dtype=np.float32) / np.float32(sample_rate)


def _pieces(values: npt.NDArray[T], params: Handcrafted) -> npt.NDArray[T]:
    """Pad with zeros for centred frames, and cut into (pieces, length).

    The length is the longest that frames, hops and the padding are whole numbers of.
    """
    pad = params.n_fft // 2
    length = math.gcd(params.n_fft, params.hop_length, pad)
    padded = np.zeros(len(values) + 2 * pad, dtype=values.dtype)
    padded[pad : pad + len(values)] = values
    whole = len(padded) - len(padded) % length
    return padded[:whole].reshape(-1, length)


def _frame_sums(sums: npt.NDArray[T], params: Handcrafted) -> npt.NDArray[T]:
    """Turn sums over pieces into sums over frames."""
    length = math.gcd(params.n_fft, params.hop_length, params.n_fft // 2)
    view = np.lib.stride_tricks.sliding_window_view(sums, params.n_fft // length)
    frames: npt.NDArray[T] = view[:: params.hop_length // length].sum(axis=1)
    return frames
