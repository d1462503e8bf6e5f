"""Copies of a track as other recording chains would have left it, for models to train on.

A model that hears each track through several codecs, rates and equalisers learns what they have in
common: the music. How strongly a copy is changed is drawn at random, from the name of its track
and of its recipe alone, so that a copy is the same whatever else the corpus holds.

References
----------
J. Schlüter and T. Grill, "Exploring data augmentation for improved singing voice detection with
neural networks", ISMIR 2015.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from genreflow.audio import chain
from genreflow.audio.chain import Amplitudes
from genreflow.audio.samples import FULL_SCALE, Samples
from genreflow.params import Audio, Recipe
from genreflow.store.files import text_sha256

Change = Callable[[Amplitudes, int, np.random.Generator], Amplitudes]
"""Amplitudes, their sample rate [Hz] and dice in; changed amplitudes out."""

_BAND_HZ = (8_000.0, 20_000.0)
_KBPS = (24.0, 96.0)
_GAIN_DB, _TILT_DB = 12.0, 9.0
_SEMITONES = 0.5
_SPEED = (0.94, 1.06)
_SNR_DB = (20.0, 45.0)
_SILENCE_SECONDS = 0.2
_NOISY = 0.3


def make_copies(samples: Samples, track_id: str, params: Audio) -> Iterator[tuple[str, Samples]]:
    """Yield name and samples, (m,) int16, of each copy of a track that ``params.augment`` asks for.

    Copies are called like their recipe, and from the second of a recipe on "mix 2" and so forth.
    They come in the same order, and are the same, however they are listed.

    Parameters
    ----------
    samples, track_id, params
        As for :func:`make_copy`.
    """
    for recipe, count in sorted(Counter(params.augment).items()):
        for number in range(1, count + 1):
            yield (
                recipe if number == 1 else f"{recipe} {number}",
                make_copy(samples, track_id, recipe, params, number),
            )


def make_copy(
    samples: Samples, track_id: str, recipe: Recipe, params: Audio, number: int = 1
) -> Samples:
    """Return a changed copy of a track, (m,) int16 at ``params.sample_rate``.

    It is at least as long as the track or ``params.min_seconds``, whichever is shorter: what was
    played faster is followed by silence. A track that a recipe would leave nothing of, as a
    whistle above the band, is returned as it is.

    Parameters
    ----------
    samples
        (n,) int16.
    track_id, recipe
        What, with `number`, decides how strongly the copy is changed.
    params
        How the track was decoded.
    number
        Tells the copies by one recipe apart.
    """
    rng = np.random.default_rng(int(text_sha256([f"{recipe} {number}/{track_id}"]), 16))
    rate = params.sample_rate
    copy = chain.to_pcm(RECIPES[recipe](chain.to_amplitudes(samples), rate, rng))
    if np.ptp(copy.astype(np.float32)) / 2 < FULL_SCALE * 10 ** (params.silence_db / 20):
        return samples
    shortest = min(len(samples), math.ceil(params.min_seconds * rate))
    return np.pad(copy, (0, max(0, shortest - len(copy))))


def _band(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    """Store at a rate of 8 to 20 kHz; where that is no change, from half of the rate on."""
    low, high = _BAND_HZ
    stored_rate = _log_uniform(rng, min(low, rate / 2), min(high, rate))
    return chain.band_limit(y, rate, round(stored_rate))


def _codec(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    """Encode as MP3, half of the time after another gain or tilt."""
    mastered = (_as_it_is, _as_it_is, _gain, _tone)
    return _mp3(mastered[rng.integers(len(mastered))](y, rate, rng), rate, rng)


def _mix(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    """Mostly change the tilt, often the speed, mostly the band or codec, sometimes add noise."""
    for change, chance in ((_tone, 0.7), (_speed, 0.4)):
        if rng.random() < chance:
            y = change(y, rate, rng)
    stored = (_band, _band, _mp3, _mp3, _as_it_is)
    y = stored[rng.integers(len(stored))](y, rate, rng)
    if rng.random() < _NOISY:
        y = _noise(y, rate, rng)
    return chain.silence(y, rate, rng.uniform(0, _SILENCE_SECONDS), 0)


def _mp3(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    return chain.through_codec(y, rate, "mp3", _log_uniform(rng, *_KBPS))


def _gain(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:  # noqa: ARG001
    return chain.gain(y, rng.uniform(-_GAIN_DB, _GAIN_DB))


def _tone(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    """Raise or lower the highs by up to 9 dB."""
    return chain.tilt(y, rate, rng.uniform(-_TILT_DB, _TILT_DB))


def _speed(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:  # noqa: ARG001
    """Play up to 6 % faster or slower."""
    return chain.speed(y, _log_uniform(rng, *_SPEED))


def _pitch(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:
    """Play up to half a semitone higher or lower, at the same tempo."""
    return chain.pitch(y, rate, rng.uniform(-_SEMITONES, _SEMITONES))


def _noise(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:  # noqa: ARG001
    """Add white noise, 20 to 45 dB below the music."""
    return chain.noise(y, rng.uniform(*_SNR_DB), rng)


def _as_it_is(y: Amplitudes, rate: int, rng: np.random.Generator) -> Amplitudes:  # noqa: ARG001
    return y


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


RECIPES: Mapping[Recipe, Change] = {
    "band": _band,
    "codec": _codec,
    "gain": _gain,
    "mix": _mix,
    "noise": _noise,
    "pitch": _pitch,
    "speed": _speed,
    "tone": _tone,
}
"""One for each name that ``audio.augment`` may hold."""
