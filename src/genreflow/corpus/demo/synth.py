"""A small synthesiser: pitched voices from wavetables, drums from noise, a few effects.

Everything is plain arithmetic on uniform random numbers: phases are integers that wrap, decays are
running products, filters are recursive. What could differ in the last bit between processors or
library versions (``sin`` and friends) is confined to tables that are rounded.

Sounds are float32 arrays of shape (n_samples,) at :data:`SAMPLE_RATE`; frequencies are in Hz and
times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, pi

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

SAMPLE_RATE = 22050
"""Sample rate of all sounds [Hz]."""

Sound = npt.NDArray[np.float32]

_TABLE_BITS = 11
_HIGHEST_PARTIAL = 10_000.0


@dataclass(frozen=True)
class Voice:
    """The timbre of a pitched instrument.

    Attributes
    ----------
    rolloff
        The k-th partial has the amplitude ``k ** -rolloff``.
    even
        Gain of the even partials: 1 for a string, near 0 for a hollow, reedy sound.
    attack
        Time to full level [s].
    decay
        Time to half of it [s]; long for bowed and blown sounds.
    vibrato
        Depth of the vibrato [semitones].
    drive
        Gain into a soft clipper that the whole part passes through; 0 for a clean sound.
    """

    rolloff: float
    even: float = 1.0
    attack: float = 0.004
    decay: float = 0.4
    vibrato: float = 0.0
    drive: float = 0.0


VOICES: dict[str, Voice] = {
    "upright": Voice(rolloff=2.2, decay=0.25),
    "electric bass": Voice(rolloff=1.6, decay=0.5),
    "synth bass": Voice(rolloff=1.1, even=0.1, decay=1.0, drive=1.5),
    "cello": Voice(rolloff=1.3, attack=0.08, decay=4.0, vibrato=0.15),
    "piano": Voice(rolloff=1.6, decay=0.5),
    "nylon guitar": Voice(rolloff=1.8, decay=0.25),
    "steel guitar": Voice(rolloff=1.0, decay=0.3, vibrato=0.1),
    "banjo": Voice(rolloff=0.7, decay=0.07),
    "clean guitar": Voice(rolloff=1.2, decay=0.2, drive=1.0),
    "crunch guitar": Voice(rolloff=1.0, decay=1.2, drive=6.0),
    "distorted guitar": Voice(rolloff=0.8, decay=2.0, drive=25.0),
    "organ": Voice(rolloff=1.1, even=0.6, attack=0.01, decay=8.0, vibrato=0.08),
    "strings": Voice(rolloff=1.0, attack=0.12, decay=4.0, vibrato=0.2),
    "flute": Voice(rolloff=2.5, even=0.5, attack=0.06, decay=4.0, vibrato=0.15),
    "saxophone": Voice(rolloff=0.9, even=0.5, attack=0.04, decay=2.0, vibrato=0.25, drive=1.5),
    "harmonica": Voice(rolloff=0.7, even=0.3, attack=0.03, decay=2.0, vibrato=0.3, drive=2.0),
    "brass": Voice(rolloff=0.6, attack=0.03, decay=1.0),
    "pad": Voice(rolloff=1.4, attack=0.1, decay=6.0, vibrato=0.05),
    "square lead": Voice(rolloff=1.0, even=0.0, attack=0.005, decay=1.5, vibrato=0.1),
    "pluck": Voice(rolloff=0.9, decay=0.1),
}


def play(voice: Voice, frequency: float, seconds: float) -> Sound:
    """Play one note with a peak of about 1."""
    n_samples = max(1, round(seconds * SAMPLE_RATE))
    partials = max(1, min(24, int(_HIGHEST_PARTIAL / frequency)))
    # A phase accumulator of 32 bits wraps at the end of a period, without any rounding error.
    phase = np.arange(n_samples, dtype=np.uint32) * np.uint32(frequency / SAMPLE_RATE * 2**32)
    if voice.vibrato:
        depth = frequency * (2 ** (voice.vibrato / 12) - 1) / (2 * pi * 5.5)
        phase += _vibrato(n_samples, round(depth * 2**20))
    sound: Sound = _wavetable(voice, partials)[phase >> np.uint32(32 - _TABLE_BITS)]
    sound *= _envelope(voice, n_samples)
    return sound


@lru_cache(maxsize=1)
def _sine() -> Sound:
    turns = np.arange(2**_TABLE_BITS) / 2**_TABLE_BITS
    sine: Sound = np.round(np.sin(2 * pi * turns), 6).astype(np.float32)
    return sine


@lru_cache(maxsize=256)
def _wavetable(voice: Voice, partials: int) -> Sound:
    """One period of the voice; few enough partials for the pitch that none is aliased."""
    k = np.arange(1, partials + 1)[:, None]
    amplitude = np.round(k**-voice.rolloff * np.where(k % 2 == 0, voice.even, 1.0), 6)
    # Phases that grow with k² spread the energy over the period (Schroeder, 1970).
    phase = k * np.arange(2**_TABLE_BITS) + (k**2 << (_TABLE_BITS - 1)) // partials
    period = (amplitude.astype(np.float32) * _sine()[phase % 2**_TABLE_BITS]).sum(axis=0)
    table: Sound = period / np.abs(period).max()
    return table


@lru_cache(maxsize=64)
def _envelope(voice: Voice, n_samples: int) -> Sound:
    """Linear attack, exponential decay, and a release short enough to end with the note."""
    envelope = decay(voice.decay, n_samples)
    rise = min(n_samples, round(voice.attack * SAMPLE_RATE))
    fall = min(n_samples, round(0.02 * SAMPLE_RATE))
    envelope[:rise] *= np.arange(rise, dtype=np.float32) / np.float32(max(rise, 1))
    envelope[n_samples - fall :] *= np.arange(fall, 0, -1, dtype=np.float32) / np.float32(fall)
    return envelope


@lru_cache(maxsize=64)
def _vibrato(n_samples: int, depth: int) -> npt.NDArray[np.uint32]:
    """Phase deviation of a vibrato of 5.5 Hz; `depth` in units of 2 ** -20 periods."""
    turn = np.arange(n_samples, dtype=np.uint32) * np.uint32(5.5 / SAMPLE_RATE * 2**32)
    sine = _sine()[turn >> np.uint32(32 - _TABLE_BITS)]
    deviation: npt.NDArray[np.int64] = np.rint(sine * depth * 2**12).astype(np.int64)
    return deviation.astype(np.uint32)


def decay(half_life: float, n_samples: int) -> Sound:
    """Halve the level every `half_life` seconds, from 1."""
    factor = 0.5 ** (1 / (half_life * SAMPLE_RATE))
    return np.cumprod(np.full(n_samples, factor)).astype(np.float32)


def kick(pitch: float, half_life: float) -> Sound:
    """Make a bass drum: a sine that glides down to `pitch`."""
    n_samples = round(8 * half_life * SAMPLE_RATE)
    glide = pitch * (1 + 3 * decay(0.015, n_samples).astype(np.float64))
    phase = (np.cumsum(glide) * (2**_TABLE_BITS / SAMPLE_RATE)).astype(np.int64)
    sound: Sound = _sine()[phase % 2**_TABLE_BITS] * decay(half_life, n_samples)
    return sound


def hit(noise: Sound, low: float, high: float, half_life: float) -> Sound:
    """Make a struck noise between two frequencies (snare, clap, cymbal) with a peak of 1."""
    burst = lowpass(highpass(noise, low), high)
    struck: Sound = burst / np.abs(burst).max() * decay(half_life, len(burst))
    return struck


def lowpass(sound: Sound, cutoff: float) -> Sound:
    """Attenuate by 6 dB per octave above `cutoff`."""
    memory = round(exp(-2 * pi * cutoff / SAMPLE_RATE), 6)
    weights = np.array([[1 - memory, 0], [1, -memory]], dtype=np.float32)
    filtered: Sound = lfilter(*weights, sound)
    return filtered


def highpass(sound: Sound, cutoff: float) -> Sound:
    """Attenuate by 6 dB per octave below `cutoff`."""
    return sound - lowpass(sound, cutoff)


def clip(sound: Sound, drive: float) -> Sound:
    """Distort softly: x / (1 + |x|) behind a gain, with the level made up for."""
    driven = sound * np.float32(drive)
    clipped: Sound = driven / (1 + np.abs(driven)) * np.float32((1 + drive) / drive)
    return clipped


def room(sound: Sound, amount: float) -> Sound:
    """Add a few echoes, the first of them `amount` times as loud as the sound."""
    wet, echo = sound.copy(), lowpass(sound, 3000)
    for number, seconds in enumerate((0.023, 0.041, 0.067, 0.103, 0.151)):
        delay = min(len(sound), round(seconds * SAMPLE_RATE))
        wet[delay:] += np.float32(amount * (-0.6) ** number) * echo[: len(sound) - delay]
    return wet
