"""Decode the beginning of one file to mono, one sample rate, 16 bit.

libsndfile reads the file, or ffmpeg where libsndfile can't; soxr resamples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from genreflow.audio import ffmpeg
from genreflow.audio.cache import FULL_SCALE, Samples
from genreflow.errors import GenreflowError
from genreflow.params import Audio

BLOCK_FRAMES = 1 << 16
"""Frames decoded at a time, so that a file that breaks off yields what came before."""


@dataclass(frozen=True)
class Source:
    """What a file turned out to be.

    Parameters
    ----------
    codec
        Container and encoding, ``"FLAC/PCM_16"``.
    sample_rate
        Of the file [Hz].
    channels
        Of the file.
    seconds
        Length of the file, however much of it was read.
    """

    codec: str = ""
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0.0


UNKNOWN = Source()
"""Stands in for a file that can't be opened: empty and zero throughout."""


class RejectedError(GenreflowError):
    """A file can't be used; the message is the reason, `source` what is known of the file."""

    def __init__(self, reason: str, source: Source = UNKNOWN) -> None:
        super().__init__(reason)
        self.source = source


@dataclass(frozen=True)
class Decoded:
    """A track ready for feature extraction: int16 mono `samples`, and the `source` they're from."""

    samples: Samples
    source: Source


def decode(path: Path, params: Audio) -> Decoded:
    """Decode the beginning of a file to mono int16 at ``params.sample_rate``.

    Channels are averaged, and amplitudes beyond full scale are clipped. A 16-bit mono file at
    that rate comes through sample for sample. A file that breaks off is used as far as it goes.

    Raises
    ------
    RejectedError
        The file can't be read or decoded, holds NaN or infinite samples, is silent or too short.
    """
    mono, source = _read(path, params.max_seconds)
    seconds = len(mono) / source.sample_rate if len(mono) else 0.0
    if seconds < params.min_seconds:
        raise RejectedError(
            f"decoded to {seconds:.3g} s; expected at least {params.min_seconds:g} s "
            "(audio.min_seconds). The file may be truncated",
            source,
        )
    peak = max(float(mono.max()), -float(mono.min()))
    if not math.isfinite(peak):
        raise RejectedError(
            "holds samples that are NaN or infinite; export it again from its source", source
        )
    if peak < 10 ** (params.silence_db / 20):
        raise RejectedError(
            f"is silent: the mono mix peaks at {_decibels(peak)}; expected at least "
            f"{params.silence_db:g} dB (audio.silence_db)",
            source,
        )
    if source.sample_rate != params.sample_rate:
        mono = soxr.resample(mono, source.sample_rate, params.sample_rate, quality="HQ")
    return Decoded(_quantise(mono), source)


def _decibels(peak: float) -> str:
    return f"{20 * math.log10(peak):.1f} dB" if peak > 0 else "zero"


def _quantise(mono: npt.NDArray[np.float32]) -> Samples:
    """Round to 16 bit; overwrites `mono`."""
    mono *= np.float32(FULL_SCALE)
    np.rint(mono, out=mono)
    np.clip(mono, -FULL_SCALE, FULL_SCALE - 1, out=mono)
    return mono.astype(np.int16)


def _read(path: Path, max_seconds: float) -> tuple[npt.NDArray[np.float32], Source]:
    """Return the mono mix at the file's own rate, (frames,), and what the file is."""
    try:
        if path.stat().st_size == 0:
            raise RejectedError("is empty (0 bytes)")
        with path.open("rb"):
            pass  # libsndfile calls every failure to open a "System error"
    except OSError as error:
        raise RejectedError(f"can't be opened ({error.strerror})") from None
    try:
        with sf.SoundFile(path) as file:
            return _read_blocks(file, max_seconds)
    except sf.LibsndfileError as error:
        complaint = error.error_string.rstrip(".")
    try:
        stream = ffmpeg.read(path, max_seconds)
    except ffmpeg.FfmpegError as error:
        raise RejectedError(f"libsndfile can't read it ({complaint}), and {error}") from None
    channels = stream.samples.shape[1]
    source = Source(f"ffmpeg/{stream.codec}", stream.sample_rate, channels, stream.seconds)
    return _mono(stream.samples), source


def _read_blocks(file: sf.SoundFile, max_seconds: float) -> tuple[npt.NDArray[np.float32], Source]:
    wanted = min(file.frames, math.ceil(max_seconds * file.samplerate))
    mono = np.empty(wanted, dtype=np.float32)
    read = 0
    while read < wanted:
        space = mono[read : read + BLOCK_FRAMES]
        try:
            if file.channels == 1:
                block = file.read(out=space)
            else:
                block = file.read(len(space), dtype="float32")
                space[: len(block)] = _mono(block)
        except sf.LibsndfileError:
            break
        if not len(block):
            break
        read += len(block)
    # A header may promise more than there is.
    frames = file.frames if read == wanted else read
    codec = f"{file.format}/{file.subtype}"
    return mono[:read], Source(codec, file.samplerate, file.channels, frames / file.samplerate)


def _mono(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Average the channels of (frames, channels)."""
    channels = block.shape[1]
    # A product with a constant vector takes a tenth of the time of a mean along short rows.
    mono: npt.NDArray[np.float32] = block @ np.full(channels, 1 / channels, dtype=np.float32)
    return mono
