"""Log-power mel spectra, once per track, and the windows that models see of them.

Frames are stored once, in half precision; overlapping windows are cut when they are read. The
file is an uncompressed npz, so that a window lies at a known offset and is read straight into
the batch: the memory that a reader takes does not depend on the size of the corpus.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genreflow.audio.samples import Samples
from genreflow.features.mel.levels import heard, log_mel
from genreflow.features.mel.read import STORED
from genreflow.features.sounding import sounds
from genreflow.features.stft import Floats, frame_count
from genreflow.registry.mel import Mel
from genreflow.store.archive import member, new_archive

if TYPE_CHECKING:
    from genreflow.audio.cache import AudioShard
    from genreflow.store.stamp import Stamp

Integers = npt.NDArray[np.int64]


def window_geometry(sample_rate: int, params: Mel) -> tuple[int, int]:
    """Return the frames in a window and the frames from one window to the next, rounded down.

    Parameters
    ----------
    sample_rate
        Of the samples [Hz].
    params
        The section ``features.mel``.

    Returns
    -------
    frames_per_window : int
        At least 1.
    frames_per_hop : int
        At least 1.

    Examples
    --------
    >>> window_geometry(22050, Mel())  # a clip of 30 s has 39 windows
    (129, 64)
    """
    frames = params.window_seconds * sample_rate / params.hop_length
    return max(1, int(frames)), max(1, int(frames * (1 - params.overlap)))


def window_starts(n_frames: int, frames_per_window: int, frames_per_hop: int) -> range:
    """Return the first frame of every window that fits into `n_frames`."""
    return range(0, n_frames - frames_per_window + 1, frames_per_hop)


def heard_starts(levels: Floats, sample_rate: int, params: Mel) -> Integers:
    """Return the first frames of the windows that models see, (windows,).

    With ``params.skip_silence`` these are the ones at least half of which sounds.

    Parameters
    ----------
    levels
        (frames, bands) [dB].
    """
    window, hop = window_geometry(sample_rate, params)
    starts = np.array(window_starts(len(levels), window, hop), dtype=np.int64)
    if not (params.skip_silence and len(starts)):
        return starts
    sounding = np.cumsum([0, *sounds(10 ** (levels.max(axis=1) / 10))])
    heard = 2 * (sounding[starts + window] - sounding[starts]) >= window
    return starts[heard] if heard.any() else starts


def cut_windows(levels: Floats, frames_per_window: int, frames_per_hop: int) -> Floats:
    """Cut (frames, bands) into (windows, time, frequency, 1), as :class:`MelWindows` reads them.

    The windows are read-only views that share their overlap. Levels are rounded as they are in
    the artifact: a prediction sees what training saw.
    """
    rounded = levels.astype(STORED).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(rounded, frames_per_window, axis=0)
    cut: Floats = windows[::frames_per_hop].transpose(0, 2, 1)[..., np.newaxis]
    return cut


def rows_of(samples: Samples, sample_rate: int, params: Mel) -> Floats:
    """Return the windows of one track, as a model sees them: (windows, time, frequency, 1) [dB].

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    params
        The section ``features.mel``.

    Returns
    -------
    ndarray of shape (windows, time, frequency, 1)
        Of float32 [dB], rounded as it is stored: to half precision.

    Examples
    --------
    >>> tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(66150) / 22050)
    >>> rows_of(tone.astype(np.int16), 22050, Mel()).shape  # of 3 s
    (3, 129, 128, 1)
    """
    levels = log_mel(samples, sample_rate, params)
    window, hop = window_geometry(sample_rate, params)
    return cut_windows(levels, window, hop)[heard_starts(levels, sample_rate, params) // hop]


def row_names(params: Mel) -> tuple[str, ...]:  # noqa: ARG001
    """Return the names of a row's columns: mel windows have none."""
    return ()


def write(shard: AudioShard, params: Mel, out: Path, stamp: Stamp) -> None:
    """Compute and write the mel frames of a shard and the index of its windows.

    Members: frames (sum of frames, n_mels) float16 [dB], track_id, genre, copy (per track, and per
    copy of it, which follows), offsets (tracks + 1: where each track's frames begin), window_start
    and window_track (windows: a row of frames, and a position in track_id), window_frames,
    hop_frames, stamp.
    """
    shard = shard.with_copies()
    rate = shard.sample_rate
    window, hop = window_geometry(rate, params)
    counts = [
        frame_count(len(heard(shard.samples(i), rate, params)), params.n_fft, params.hop_length)
        for i in range(len(shard))
    ]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    starts = []
    with new_archive(out) as archive:
        shape = (int(offsets[-1]), params.n_mels)
        size = math.prod(shape) * STORED.itemsize
        with member(archive, "frames.npy", size=size) as file:
            header = {"descr": STORED.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for i in range(len(shard)):
                levels = log_mel(shard.samples(i), rate, params)
                starts.append(offsets[i] + heard_starts(levels, rate, params))
                file.write(levels.astype(STORED).data)
        small = {
            "track_id": np.array(shard.track_id, dtype=np.str_),
            "genre": np.array(shard.genre, dtype=np.str_),
            "copy": np.array(shard.copy, dtype=np.str_),
            "offsets": offsets,
            "window_start": np.concatenate([*starts, []]).astype(np.int64),
            "window_track": np.repeat(np.arange(len(counts)), [len(s) for s in starts]),
            "window_frames": np.int64(window),
            "hop_frames": np.int64(hop),
            "stamp": np.str_(shard.stamped(stamp).to_json()),
        }
        for name, values in small.items():
            with member(archive, f"{name}.npy", size=values.nbytes) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
