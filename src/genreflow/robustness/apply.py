"""What each change does to the samples of a track."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from genreflow.audio import chain
from genreflow.audio.chain import Amplitudes
from genreflow.audio.samples import Samples

_Change = Callable[[Amplitudes, int, np.random.Generator], Amplitudes]

_DECIBELS = 12.0
_TILT_DB = 6.0
_TEMPO = 1.04
_SEMITONES = 0.25
_SNR_DB = 30.0
_REVERBERATION_SECONDS = 0.3

_CHANGES: dict[str, _Change] = {
    "quieter": lambda y, _, __: chain.gain(y, -_DECIBELS),
    "louder": lambda y, _, __: chain.gain(y, _DECIBELS),
    "silence_25ms": lambda y, rate, _: chain.silence(y, rate, 0.025, 0.025),
    "silence_1s": lambda y, rate, _: chain.silence(y, rate, 1.0, 1.0),
    "band_16khz": lambda y, rate, _: chain.band_limit(y, rate, 16_000),
    "band_11khz": lambda y, rate, _: chain.band_limit(y, rate, 11_025),
    "mp3_128": lambda y, rate, _: chain.through_codec(y, rate, "mp3", 128),
    "mp3_64": lambda y, rate, _: chain.through_codec(y, rate, "mp3", 64),
    "mp3_32": lambda y, rate, _: chain.through_codec(y, rate, "mp3", 32),
    "opus_32": lambda y, rate, _: chain.through_codec(y, rate, "opus", 32),
    "treble_up": lambda y, rate, _: chain.tilt(y, rate, _TILT_DB),
    "treble_down": lambda y, rate, _: chain.tilt(y, rate, -_TILT_DB),
    "faster": lambda y, rate, _: chain.tempo(y, rate, _TEMPO),
    "slower": lambda y, rate, _: chain.tempo(y, rate, 1 / _TEMPO),
    "higher": lambda y, rate, _: chain.pitch(y, rate, _SEMITONES),
    "lower": lambda y, rate, _: chain.pitch(y, rate, -_SEMITONES),
    "noise": lambda y, _, rng: chain.noise(y, _SNR_DB, rng),
    "room": lambda y, rate, rng: chain.room(y, rate, _REVERBERATION_SECONDS, rng),
}


def apply(change: str, samples: Samples, sample_rate: int, seed: int, track_id: str) -> Samples:
    """Return the samples of a track after a change, (m,) int16.

    What is random is drawn from a generator of its own for each seed, change and track, so that
    neither order nor company matters.

    Parameters
    ----------
    change
        One of :data:`genreflow.registry.changes.CHANGES` but the one that needs the source.
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    """
    key = hashlib.sha256(f"{change}\0{track_id}".encode()).digest()
    rng = np.random.default_rng([seed, *np.frombuffer(key, dtype="<u4").tolist()])
    changed = _CHANGES[change](chain.to_amplitudes(samples), sample_rate, rng)
    return chain.to_pcm(changed)
