"""Decode an excerpt of one file to mono, one sample rate, 16 bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from genreflow.audio.excerpt import Excerpt, listen
from genreflow.audio.ffmpeg import FfmpegError, FfmpegMissingError, FfmpegStream
from genreflow.audio.samples import FULL_SCALE, Samples
from genreflow.audio.sndfile import MISSED_SECONDS, SndfileStream
from genreflow.audio.stream import SAMPLE_RATES, Stream
from genreflow.errors import GenreflowError
from genreflow.params import Audio

LOUDEST = 10.0
"""Amplitude up to which peaks are brought down to full scale; what lies above is clipped."""

_NOT_A_FILE = 7
"""libsndfile's SFE_BAD_FILE."""

WHOLE_NUMBERS = 0.01
"""A recording with more than this share of its samples above that holds whole numbers."""


@dataclass(frozen=True)
class Source:
    """What a file turned out to be.

    Attributes
    ----------
    codec
        Container and encoding, ``"FLAC/PCM_16"``, or ffmpeg's name of the encoding.
    decoder
        ``"libsndfile"`` or ``"ffmpeg"``.
    sample_rate
        Of the file [Hz].
    channels
        Of the file.
    seconds
        Length of the file as far as it is known; what was decoded where the header claims nothing.
    claimed_seconds
        Length that the file's header claims; None where it claims none.
    decoded_seconds
        Length of the excerpt that was decoded.
    remark
        What is unusual about a file that can be used; ``""`` for almost all.
    """

    codec: str = ""
    decoder: str = ""
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    claimed_seconds: float | None = None
    decoded_seconds: float = 0.0
    remark: str = ""


UNKNOWN = Source()
"""Stands in for a file that can't be opened: empty and zero throughout."""


class RejectedError(GenreflowError):
    """A file can't be used; the message is the reason, `source` what is known of the file."""

    def __init__(self, reason: str, source: Source = UNKNOWN) -> None:
        super().__init__(reason)
        self.source = source


class SilentError(RejectedError):
    """There is nothing to hear."""


@dataclass(frozen=True)
class Decoded:
    """A track ready for feature extraction.

    Attributes
    ----------
    samples
        (n,) mono.
    source
        What they are from.
    begin, end
        Where they lie in the file [s].
    ended
        Whether the file ends with them.
    """

    samples: Samples
    source: Source
    begin: float
    end: float
    ended: bool


def decode(path: Path, params: Audio, channel: int | None = None) -> Decoded:
    """Decode an excerpt of a file to mono int16 at ``params.sample_rate``.

    Channels are averaged, or one of them is taken alone. A 16-bit mono file at that rate comes
    through sample for sample. A file that breaks off is used as far as it goes; peaks above full
    scale, as lossy codecs and float masters have, are brought down to it with all of the excerpt.
    libsndfile decodes, or ffmpeg where libsndfile can't or may not have found all
    (:mod:`genreflow.audio.sndfile`).

    Parameters
    ----------
    path
        Of the file.
    params
        The section ``audio``.
    channel
        The channel to take, counted from 0; None: the mean of all.

    Returns
    -------
    Decoded
        With samples, (n,) int16, and what is known of the file.

    Raises
    ------
    RejectedError
        The file can't be read or decoded whole, holds NaN or infinite samples or none of a
        sensible amplitude, is silent or too short.

    Examples
    --------
    >>> decoded = decode(Path("song.wav"), Audio(sample_rate=22050))
    >>> decoded.samples.dtype, decoded.samples.shape
    (dtype('int16'), (44100,))
    >>> decoded.source.codec, decoded.source.sample_rate
    ('WAV/PCM_16', 8000)
    """
    stream, excerpt = _hear(path, params, channel)
    source = _describe(stream, excerpt)
    mono, seconds = excerpt.mono, source.decoded_seconds
    if seconds < params.min_seconds:
        raise RejectedError(
            f"decoded to {seconds:.3g} s{_after_silence(excerpt)}; expected at "
            f"least {params.min_seconds:g} s (audio.min_seconds). The file may be truncated",
            source,
        )
    samples = prepare(mono, stream.sample_rate, params, source)
    return Decoded(samples, source, excerpt.begin, excerpt.end, excerpt.ended)


# Damaged floats may be of any size, or none; the checks below tell.
@np.errstate(over="ignore", invalid="ignore")
def prepare(
    mono: npt.NDArray[np.float32], sample_rate: int, params: Audio, source: Source = UNKNOWN
) -> Samples:
    """Bring what was decoded to ``params.sample_rate`` and 16 bit; may overwrite `mono`.

    Parameters
    ----------
    mono
        (n,) amplitudes, which full scale is 1 of.
    sample_rate
        Of `mono` [Hz].
    params
        The section ``audio``.
    source
        What it is from.

    Returns
    -------
    ndarray of int16, (m,)
        At ``params.sample_rate`` [Hz].

    Raises
    ------
    RejectedError
        It holds NaN or infinite samples, or none of a sensible amplitude.
    SilentError
        It is silent.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    >>> prepare(tone, 44100, Audio(sample_rate=22050)).shape
    (22050,)
    """
    highest, lowest = float(mono.max()), float(mono.min())
    peak = max(highest, -lowest)
    if not math.isfinite(peak):
        raise RejectedError(
            "holds samples that are NaN or infinite; export it again from its source", source
        )
    swing = swing_of(mono)
    if swing < 10 ** (params.silence_db / 20):
        raise SilentError(
            f"is silent: {_without_offset(peak, swing)}the mono mix peaks at {_decibels(swing)}; "
            f"expected at least {params.silence_db:g} dB (audio.silence_db)",
            source,
        )
    if peak > LOUDEST and np.mean(np.abs(mono) > LOUDEST) > WHOLE_NUMBERS:
        raise RejectedError(
            f"peaks at +{_decibels(peak)} above full scale: its samples seem to be whole numbers "
            "in a format for amplitudes from -1 to 1; divide them, by 32768 for 16 bit",
            source,
        )
    if peak > LOUDEST:
        mono = np.clip(mono, -LOUDEST, LOUDEST)
    if sample_rate != params.sample_rate:
        mono = soxr.resample(mono, sample_rate, params.sample_rate, quality="HQ")
    return _quantise(mono)


def swing_of(wave: npt.NDArray[Any]) -> float:
    """Return half of what lies between its extremes: of a constant offset, which is no sound, 0."""
    return (float(wave.max()) - float(wave.min())) / 2


def _hear(path: Path, params: Audio, channel: int | None) -> tuple[Stream, Excerpt]:
    """Listen to the file through libsndfile and, where that may not be all, through ffmpeg."""
    try:
        if path.stat().st_size == 0:
            raise RejectedError("is empty (0 bytes)")
        with path.open("rb"):
            pass  # libsndfile calls every failure to open a "System error"
    except OSError as error:
        raise RejectedError(f"can't be opened ({error.strerror})") from None
    first: tuple[SndfileStream, Excerpt] | None = None
    try:
        stream = SndfileStream(path)
    except sf.LibsndfileError as error:
        # Of an mp3 without a frame, which was opened above, libsndfile says that it doesn't exist.
        absent = error.code == _NOT_A_FILE
        told = "Format not recognised" if absent else error.error_string.rstrip(".")
        doubt = f"libsndfile can't read it ({told})"
    else:
        _check_rate(stream)
        with stream:
            first = stream, listen(stream, params, channel)
        doubt = stream.doubt or (stream.doubt_about_end(first[1].end) if first[1].ended else "")
        if not doubt:
            return first
    try:
        second = FfmpegStream(path)
        _check_rate(second)
        heard = second, listen(second, params, channel)
    except FfmpegError as error:
        # Without ffmpeg nobody knows what is missing; with it, there is no more to be had.
        if first is None or isinstance(error, FfmpegMissingError):
            raise RejectedError(f"{doubt}, and {error}") from None
        return first
    if first is None:
        return heard
    # What ffmpeg calls the length of a file whose header gives none is a guess.
    second.claimed = stream.claimed
    gained = heard[1].seconds - first[1].seconds
    # Where the length is in doubt, so is the place that an excerpt was taken from.
    return heard if gained > (-MISSED_SECONDS if stream.doubt else MISSED_SECONDS) else first


def _check_rate(stream: Stream) -> None:
    if stream.sample_rate not in SAMPLE_RATES:
        raise RejectedError(
            f"claims a sample rate of {stream.sample_rate} Hz; expected {SAMPLE_RATES.start} to "
            f"{SAMPLE_RATES.stop - 1} Hz. Its header seems damaged"
        )


def _describe(stream: Stream, excerpt: Excerpt) -> Source:
    claimed = stream.claimed
    known = excerpt.end if excerpt.ended or claimed is None else max(claimed, excerpt.end)
    remarks = []
    if excerpt.channel is not None:
        remarks.append(f"its channels cancel out; channel {excerpt.channel + 1} was read alone")
    if excerpt.skipped:
        remarks.append(f"heard from {excerpt.begin:.3g} s on: silent before")
    if excerpt.ended and claimed is not None and abs(claimed - excerpt.end) > MISSED_SECONDS:
        remarks.append(f"holds {excerpt.end:.3g} s; its header claims {claimed:.3g} s")
    if isinstance(stream, FfmpegStream) and stream.goes_on and excerpt.ended:
        remarks.append("goes on after that: several files in one? Only the first can be read")
    return Source(
        codec=stream.codec,
        decoder=stream.decoder,
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        seconds=known,
        claimed_seconds=claimed,
        decoded_seconds=excerpt.seconds,
        remark="; ".join(remarks),
    )


def _after_silence(excerpt: Excerpt) -> str:
    return f" after {excerpt.skipped:.3g} s of silence" if excerpt.skipped else ""


def _without_offset(peak: float, swing: float) -> str:
    return "without its constant offset, " if peak > 2 * swing else ""


def _decibels(amplitude: float) -> str:
    return f"{20 * math.log10(amplitude):.1f} dB" if amplitude > 0 else "zero"


def _quantise(mono: npt.NDArray[np.float32]) -> Samples:
    """Round to 16 bit, with the peak brought down to full scale; overwrites `mono`."""
    peak = max(float(mono.max()), -float(mono.min()))
    mono *= np.float32(FULL_SCALE / max(peak, 1))
    np.rint(mono, out=mono)
    np.clip(mono, -FULL_SCALE, FULL_SCALE - 1, out=mono)
    return mono.astype(np.int16)
