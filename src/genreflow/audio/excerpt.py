"""Listen to a part of a file: where it begins, one channel out of many, and silence passed over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from genreflow.audio.stream import Floats, Stream
from genreflow.params import Audio

_CANCELLED = 0.05
"""A mix with less than this share of its channels' energy (correlation below -0.9) cancels out."""

_LOOK_FRAMES = 1 << 12
"""Samples looked at a time for the first sound: mostly, one look is enough."""


@dataclass(frozen=True)
class Excerpt:
    """What was heard of a file.

    Attributes
    ----------
    mono
        (frames,) float32 at the file's own rate.
    begin, seconds
        Where it begins in the file, and how long it is [s].
    skipped
        Silence passed over to get there [s].
    ended
        Whether the file, or what can be read of it, ends with it.
    channel
        The channel that was heard alone because the mix cancels out; None for the mix.
    """

    mono: Floats
    begin: float
    seconds: float
    skipped: float
    ended: bool
    channel: int | None = None

    @property
    def end(self) -> float:
        """Where the excerpt ends in the file [s]."""
        return self.begin + self.seconds


def listen(stream: Stream, params: Audio, channel: int | None = None) -> Excerpt:
    """Return the excerpt of a file that `params` asks for, as the mean of its channels.

    A file that ends too early for ``params.start`` is heard as late as it allows. Where the
    excerpt would be silent but for less than ``min_seconds`` and the file goes on, it begins at
    the first sound instead. Where the mean of the channels cancels out (one channel with its
    polarity reversed), the loudest channel is heard alone. Where `channel` is given, that one is.
    """
    begin = _begin_of(stream, params)
    if channel is not None:
        return _alone(stream, channel, begin, params)
    energy = _Energy(stream.channels)
    with closing(stream.blocks(begin)) as blocks:
        excerpt = _collect(energy.mixed(blocks), begin, stream.sample_rate, params)
    loudest = energy.loudest_if_cancelled()
    if loudest is None:
        return excerpt
    return replace(_alone(stream, loudest, begin, params), channel=loudest)


def mix(frames: Floats) -> Floats:
    """Return the mean of the channels of (frames, channels); the loudest where it cancels out."""
    energy = _Energy(frames.shape[1])
    (mono,) = energy.mixed(iter([frames]))
    loudest = energy.loudest_if_cancelled()
    return mono if loudest is None else frames[:, loudest]


def _alone(stream: Stream, channel: int, begin: float, params: Audio) -> Excerpt:
    with closing(stream.blocks(begin)) as blocks:
        samples = (block[:, channel] for block in blocks)
        return _collect(samples, begin, stream.sample_rate, params)


def _begin_of(stream: Stream, params: Audio) -> float:
    """Return where the excerpt begins [s]; where no length is known, "middle" is the beginning."""
    if params.start == "beginning":
        return 0.0
    length = stream.length()
    if length is None:
        return 0.0 if params.start == "middle" else params.start
    latest = max(0.0, length - params.max_seconds)
    return latest / 2 if params.start == "middle" else min(params.start, latest)


class _Energy:
    """The energy of the channels and of their mix, as they pass by."""

    def __init__(self, channels: int) -> None:
        self._channels = np.zeros(channels)
        self._mix = 0.0

    def mixed(self, blocks: Iterator[Floats]) -> Iterator[Floats]:
        """Yield the mean of the channels, (frames,), of every block."""
        # A product with a constant vector takes a tenth of the time of a mean along short rows.
        equal = np.full(len(self._channels), 1 / len(self._channels), dtype=np.float32)
        for block in blocks:
            if len(equal) == 1:
                yield block[:, 0]
                continue
            mono = block @ equal
            self._channels += np.einsum("ij,ij->j", block, block)
            self._mix += float(mono @ mono)
            yield mono

    def loudest_if_cancelled(self) -> int | None:
        if self._mix < _CANCELLED * float(self._channels.mean()):
            return int(self._channels.argmax())
        return None


class _Samples:
    """Blocks of one channel, taken by the number of samples."""

    def __init__(self, blocks: Iterator[Floats]) -> None:
        self._blocks = blocks
        self._left: Floats = np.empty(0, dtype=np.float32)

    def take(self, count: int) -> Floats:
        """Return the next `count` samples, or as many as there are."""
        parts, missing = [], count
        while missing > 0:
            part = self._left if len(self._left) else next(self._blocks, None)
            if part is None:
                break
            parts.append(part[:missing])
            self._left, missing = part[missing:], missing - len(parts[-1])
        return np.concatenate([np.empty(0, dtype=np.float32), *parts])

    def skip_silence(self, audible: float) -> int:
        """Go on to the first sound, or to the end; return the number of samples passed."""
        passed = 0
        for block in chain([self._left], self._blocks):
            silent = _silent_samples(block, audible)
            passed, self._left = passed + silent, block[silent:]
            if len(self._left):
                break
        return passed


def _collect(blocks: Iterator[Floats], begin: float, rate: int, params: Audio) -> Excerpt:
    wanted = math.ceil(params.max_seconds * rate)
    least = min(wanted, math.ceil(params.min_seconds * rate))
    audible = 10 ** (params.silence_db / 20)
    samples = _Samples(blocks)
    mono = samples.take(wanted)
    ended, skipped = len(mono) < wanted, 0.0
    silent = _silent_samples(mono, audible)
    if not ended and wanted - silent < least:
        passed = silent + (samples.skip_silence(audible) if silent == wanted else 0)
        later = np.concatenate([mono[silent:], samples.take(silent)])
        if len(later) >= least or (silent == wanted and len(later)):
            mono, ended, skipped = later, len(later) < wanted, passed / rate
    return Excerpt(mono, begin + skipped, len(mono) / rate, skipped, ended)


def _silent_samples(mono: Floats, audible: float) -> int:
    """Return how many samples lie before the first that reaches the amplitude `audible`."""
    for start in range(0, len(mono), _LOOK_FRAMES):
        sounding = np.abs(mono[start : start + _LOOK_FRAMES]) >= audible
        if sounding.any():
            return start + int(sounding.argmax())
    return len(mono)
