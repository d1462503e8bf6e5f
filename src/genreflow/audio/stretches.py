"""Hear a file from beginning to end, however long, one stretch after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genreflow.audio.decode import RejectedError, SilentError, decode, prepare
from genreflow.audio.excerpt import mix
from genreflow.audio.ffmpeg import FfmpegError, FfmpegStream
from genreflow.audio.samples import Samples
from genreflow.audio.sndfile import SndfileStream
from genreflow.audio.stream import Floats, Stream
from genreflow.params import Audio


@dataclass(frozen=True)
class Stretch:
    """A part of a file.

    Attributes
    ----------
    start, end
        Where it lies in the file [s].
    samples
        (n,) mono at the corpus' rate; None where it is silent.
    """

    start: float
    end: float
    samples: Samples | None

    @property
    def seconds(self) -> float:
        """Length [s]."""
        return self.end - self.start


def excerpt_of(path: Path, params: Audio) -> Stretch:
    """Return the one excerpt of a file that the pipeline hears of a track.

    Raises
    ------
    RejectedError
        See :func:`genreflow.audio.decode.decode`.
    """
    heard = decode(path, params)
    return Stretch(heard.begin, heard.end, heard.samples)


def stretches(path: Path, params: Audio, seconds: float) -> Iterator[Stretch]:
    """Yield the whole of a file in stretches; one is in memory at a time.

    The first is the excerpt that the pipeline hears of a track from its beginning: of a file that
    is no longer, there is just this one, and it is the same. What is left at the end is a shorter
    stretch, or none below ``params.min_seconds``.

    Parameters
    ----------
    seconds
        Length of a stretch [s].

    Raises
    ------
    RejectedError
        The file can't be used; further on than its first stretch, it is used as far as it goes.
    """
    first = decode(path, params.model_copy(update={"start": "beginning", "max_seconds": seconds}))
    yield Stretch(first.begin, first.end, first.samples)
    if first.ended:
        return
    with suppress(RejectedError, FfmpegError):
        yield from _rest(path, params, seconds, first.source.decoder, first.end)


def _rest(
    path: Path, params: Audio, seconds: float, decoder: str, begin: float
) -> Iterator[Stretch]:
    with closing(_stream(path, decoder)) as stream:
        rate, wanted = stream.sample_rate, round(seconds * stream.sample_rate)
        position = round(begin * rate)
        for frames in _in_pieces(_blocks(path, stream, begin), wanted):
            start, position = position, position + len(frames)
            if len(frames) < params.min_seconds * rate:
                return
            try:
                samples = prepare(mix(frames), rate, params)
            except SilentError:
                samples = None
            yield Stretch(start / rate, position / rate, samples)


def _stream(path: Path, decoder: str) -> Stream:
    return SndfileStream(path) if decoder == SndfileStream.decoder else FfmpegStream(path)


def _blocks(path: Path, stream: Stream, begin: float) -> Iterator[Floats]:
    """Yield all blocks from `begin` [s], through ffmpeg where libsndfile stops too early."""
    frames = 0
    with closing(stream.blocks(begin)) as blocks:
        for block in blocks:
            frames += len(block)
            yield block
    end = begin + frames / stream.sample_rate
    if not isinstance(stream, SndfileStream) or not stream.doubt_about_end(end):
        return
    other = FfmpegStream(path)
    if (other.sample_rate, other.channels) == (stream.sample_rate, stream.channels):
        with closing(other.blocks(end)) as blocks:
            yield from blocks


def _in_pieces(blocks: Iterator[Floats], frames: int) -> Iterator[Floats]:
    """Yield `frames` of the blocks at a time, and what is left in the end."""
    waiting: list[Floats] = []
    missing = frames
    for block in blocks:
        rest = block
        while len(rest) >= missing:
            yield np.concatenate([*waiting, rest[:missing]])
            rest, waiting, missing = rest[missing:], [], frames
        waiting.append(rest)
        missing -= len(rest)
    if missing < frames:
        yield np.concatenate(waiting)
