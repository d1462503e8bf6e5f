"""Log-power mel spectra, once per track, and the windows that models see of them.

Frames are stored once, in half precision; overlapping windows are cut when they are read. The
file is an uncompressed npz, so that a window lies at a known offset and is read straight into
the batch: the memory that a reader takes does not depend on the size of the corpus.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genreflow.audio.cache import AudioShard, Samples
from genreflow.features.mel.levels import log_mel
from genreflow.features.mel.read import STORED
from genreflow.features.stft import Floats, frame_count
from genreflow.registry.mel import Mel
from genreflow.store.archive import member, new_archive
from genreflow.store.stamp import Stamp


def window_geometry(sample_rate: int, params: Mel) -> tuple[int, int]:
    """Return the frames in a window and the frames from one window to the next, rounded down.

    The defaults at 22,050 Hz make 129 and 64: a clip of 30 s has 39 windows.
    """
    frames = params.window_seconds * sample_rate / params.hop_length
    return max(1, int(frames)), max(1, int(frames * (1 - params.overlap)))


def window_starts(n_frames: int, frames_per_window: int, frames_per_hop: int) -> range:
    """Return the first frame of every window that fits into `n_frames`."""
    return range(0, n_frames - frames_per_window + 1, frames_per_hop)


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
    """Return the windows of one track, as a model sees them: (windows, time, frequency, 1) [dB]."""
    levels = log_mel(samples, sample_rate, params)
    return cut_windows(levels, *window_geometry(sample_rate, params))


def row_names(params: Mel) -> tuple[str, ...]:  # noqa: ARG001
    """Return the names of a row's columns: mel windows have none."""
    return ()


def write(shard: AudioShard, params: Mel, out: Path, stamp: Stamp) -> None:
    """Compute and write the mel frames of a shard and the index of its windows.

    Members: frames (sum of frames, n_mels) float16 [dB], track_id, genre, offsets (tracks + 1:
    where each track's frames begin), window_start and window_track (windows: a row of frames, and
    a position in track_id), window_frames, hop_frames, stamp.
    """
    window, hop = window_geometry(shard.sample_rate, params)
    counts = [
        frame_count(len(shard.samples(i)), params.n_fft, params.hop_length)
        for i in range(len(shard))
    ]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    starts = [offsets[i] + np.array(window_starts(n, window, hop)) for i, n in enumerate(counts)]
    small = {
        "track_id": np.array(shard.track_id, dtype=np.str_),
        "genre": np.array(shard.genre, dtype=np.str_),
        "offsets": offsets,
        "window_start": np.concatenate([*starts, []]).astype(np.int64),
        "window_track": np.repeat(np.arange(len(counts)), [len(s) for s in starts]),
        "window_frames": np.int64(window),
        "hop_frames": np.int64(hop),
        "stamp": np.str_(shard.stamped(stamp).to_json()),
    }
    with new_archive(out) as archive:
        with member(archive, "frames.npy", large=True) as file:
            shape = (int(offsets[-1]), params.n_mels)
            header = {"descr": STORED.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for i in range(len(shard)):
                levels = log_mel(shard.samples(i), shard.sample_rate, params)
                file.write(levels.astype(STORED).data)
        for name, values in small.items():
            with member(archive, f"{name}.npy", large=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
