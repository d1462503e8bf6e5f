"""The demo corpus: ten genres of synthesised tracks, so that everything runs without a download.

It is a test signal, not music data. The genres differ in tempo, rhythm, harmony, timbre and
dynamics, and overlap on purpose: every track takes some of its ingredients from other genres, so
that models disagree about it. Nothing here is recorded or sampled; the files carry no licence.

Each genre has a few bands, and most of what tells tracks of a genre apart is the band's: its tempo,
drum kit, instruments, mix, room, recording, and most of what it takes from other genres. A model
that has heard a band recognises it, so that random folds flatter it, as with real music; folds that
keep the bands apart show by how much. Key, melody and timing are the track's.

A track depends on its seed, genre and number alone (and on the length asked for), so that a larger
corpus contains the smaller one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from genreflow.corpus.demo import synth
from genreflow.corpus.demo.band import Band
from genreflow.corpus.demo.dice import Dice, Habits
from genreflow.corpus.demo.styles import STYLES, Style, band_number
from genreflow.corpus.demo.synth import SAMPLE_RATE, Sound
from genreflow.params import Demo
from genreflow.store.files import atomic

DEMO_GENRES: tuple[str, ...] = tuple(STYLES)
"""The genres of the demo corpus, named as GTZAN's."""

# Chosen such that a simple model loses about 13 points of accuracy when bands are kept apart, and
# still names three genres in four.
CROSSOVER = 0.22
"""Share of a track's ingredients that come from a genre drawn at random."""

BAND_CROSSOVER = 0.8
"""Share of those that the whole band has in common."""


def synthesise_genre(genre: str, params: Demo, folder: Path) -> None:
    """Write the tracks of a genre as ``<folder>/<genre>.<number>.flac``, mono, 16 bit.

    The same parameters give the same bytes every time. Tracks of an earlier, larger corpus are
    removed; other files in `folder` are left alone.

    Raises
    ------
    KeyError
        `genre` is none of :data:`DEMO_GENRES`.
    """
    wanted = [folder / f"{genre}.{number:05d}.flac" for number in range(params.tracks_per_genre)]
    for number, path in enumerate(wanted):
        samples = synthesise_track(genre, number, params)
        # Encoded in memory, as libsndfile doesn't say why a file can't be written.
        encoded = io.BytesIO()
        soundfile.write(encoded, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        with atomic(path) as temporary:
            temporary.write_bytes(encoded.getbuffer())
    for path in folder.glob(f"{genre}.{'[0-9]' * 5}.flac"):
        if path not in wanted:
            path.unlink()


def synthesise_track(genre: str, number: int, params: Demo) -> npt.NDArray[np.int16]:
    """Return the samples of one track, shape (seconds × :data:`SAMPLE_RATE`,)."""
    artist = Dice(params.seed, genre, "band", band_number(number))
    dice = Dice(params.seed, genre, number)
    # The band comes first: what it draws mustn't depend on the track.
    style = _crossover(STYLES[genre], artist, CROSSOVER * BAND_CROSSOVER)
    style = _crossover(style, dice, CROSSOVER * (1 - BAND_CROSSOVER))
    habits = Habits(artist, dice)
    band = Band(style, round(params.seconds * SAMPLE_RATE), habits, dice)
    parts = (band.drums(), band.bass(), band.accompaniment(), band.lead())
    return _master(parts, style, habits, dice)


def _crossover(style: Style, dice: Dice, share: float) -> Style:
    """Replace a share of the ingredients by those of genres drawn at random."""
    others = list(STYLES.values())
    return replace(
        style,
        **{
            field.name: getattr(dice.pick(others), field.name)
            for field in fields(Style)
            if dice.chance(share)
        },
    )


def _master(
    parts: Sequence[Sound], style: Style, habits: Habits, dice: Dice
) -> npt.NDArray[np.int16]:
    """Mix the parts, put them into a room and onto a tape, and set the level."""
    levels = [level * 2 ** habits.between(-0.7, 0.7) for level in style.mix]
    mix = np.zeros_like(parts[0])
    for part, level in zip(parts, levels, strict=True):
        mix += part * np.float32(level)
    mix = synth.room(mix, style.room * habits.between(0.5, 1.5))
    mix = synth.lowpass(mix, style.top * 2 ** habits.between(-0.5, 0.5))
    mix *= 1 - np.float32(style.swell) * _waves(len(mix), dice)
    # Amplifiers pass no constant; the soft clipper makes one, most of it in distorted genres.
    # Rounded, the mean is the same however a machine adds it up.
    mix -= np.float32(round(float(mix.mean(dtype=np.float64)), 6))
    mix /= max(np.abs(mix).max(), np.float32(1e-6))
    mix += dice.noise(len(mix)) * np.float32(10 ** (habits.between(-75, -50) / 20))
    peak = 10 ** (min(style.loudness + habits.between(-4, 2), -0.5) / 20)
    mix *= np.float32(32767 * peak) / np.abs(mix).max()
    return np.rint(mix).astype(np.int16)


def _waves(n_samples: int, dice: Dice) -> Sound:
    """Rise and fall between 0 and 1, once in a few seconds."""
    turn = np.arange(n_samples, dtype=np.float32) / np.float32(SAMPLE_RATE * dice.between(3, 6))
    turn += np.float32(dice.between(0, 2))
    waves: Sound = np.abs(turn % 2 - 1)
    return waves
