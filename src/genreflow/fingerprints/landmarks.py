"""Find the landmarks of a track: pairs of spectral peaks.

References
----------
A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from genreflow.fingerprints.prints import HOP_LENGTH, Landmarks

N_FFT = 1024
PEAK_BINS, PEAK_FRAMES = 21, 15
PEAK_FLOOR_DB = 50.0
FAN_OUT = 6
MAX_FRAMES_APART = 63
MAX_BINS_APART = 63


def landmarks(samples: npt.NDArray[np.int16]) -> Landmarks:
    """Fingerprint a track.

    Parameters
    ----------
    samples
        Shape (n,), mono. Levels don't matter: peaks are relative to their surroundings.

    Returns
    -------
    Landmarks
        Empty when the track is shorter than one STFT frame.
    """
    return pair(*peaks(samples))


def peaks(
    samples: npt.NDArray[np.int16],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the frames and bins of a track's spectral peaks, sorted by both; each (peaks,)."""
    if len(samples) < N_FFT:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_LENGTH]
    windowed = frames * np.hanning(N_FFT).astype(np.float32)
    magnitude = np.abs(rfft(windowed, axis=1))[:, : N_FFT // 2] + 1e-3
    found = magnitude == running_max(running_max(magnitude, PEAK_FRAMES).T, PEAK_BINS).T
    found &= magnitude > magnitude.max() * 10 ** (-PEAK_FLOOR_DB / 20)
    found[:, 0] = False
    time, frequency = np.nonzero(found)
    return time.astype(np.int32), frequency.astype(np.int32)


def running_max(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Return the largest value among `size` (odd) rows around each row, the shape of `values`.

    Equals :func:`scipy.ndimage.maximum_filter1d`, which takes several times as long: here long
    windows are made of two shorter ones.
    """
    half = size // 2
    reach, covered = np.pad(values, ((half, half), (0, 0)), mode="edge"), 1
    while covered < size:
        step = min(covered, size - covered)
        reach = np.maximum(reach[:-step], reach[step:])
        covered += step
    return reach


def pair(time: npt.NDArray[np.int32], frequency: npt.NDArray[np.int32]) -> Landmarks:
    """Hash each peak with the next few peaks that lie close enough in time and frequency.

    Parameters
    ----------
    time, frequency
        (peaks,): frame and bin of each, sorted by both.
    """
    hashes, frames = [], []
    for step in range(1, 4 * FAN_OUT + 1):
        apart = time[step:] - time[:-step]
        interval = frequency[step:] - frequency[:-step]
        near = (apart > 0) & (apart <= MAX_FRAMES_APART) & (np.abs(interval) <= MAX_BINS_APART)
        start = frequency[:-step][near]
        hashes.append((start << 13) | ((interval[near] + 64) << 6) | apart[near])
        frames.append(time[:-step][near])
    # The nearest FAN_OUT partners of each peak, as in the paper; more adds cost, not evidence.
    every_hash, every_frame = np.concatenate(hashes), np.concatenate(frames)
    order = np.argsort(every_frame, kind="stable")
    every_hash, every_frame = every_hash[order], every_frame[order]
    first = np.searchsorted(every_frame, every_frame)
    keep = np.arange(len(every_frame)) - first < 2 * FAN_OUT
    return Landmarks(every_hash[keep], every_frame[keep])
