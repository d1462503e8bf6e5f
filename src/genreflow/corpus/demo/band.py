"""Play the parts of a demo track: drums, bass, accompaniment and lead, from a style."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from genreflow.corpus.demo import synth
from genreflow.corpus.demo.dice import Dice, Habits
from genreflow.corpus.demo.styles import Style
from genreflow.corpus.demo.synth import SAMPLE_RATE, VOICES, Sound, Voice

_CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7, 12),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Band:
    """Plays the parts of one track.

    Parameters
    ----------
    style
        The ingredients.
    n_samples
        Length of the track.
    habits
        Decide about tempo, drum kit, timbres and octave, which the band's tracks share.
    dice
        Decides about key, melody, and how far each note is off.
    """

    def __init__(self, style: Style, n_samples: int, habits: Habits, dice: Dice) -> None:
        self.style, self.n_samples, self.habits, self.dice = style, n_samples, habits, dice
        self.step = 15 / habits.between(*style.tempo)
        self.n_bars = math.ceil(n_samples / SAMPLE_RATE / (16 * self.step))
        # Out of concert pitch, each track a little differently, as tapes run: notes that two tracks
        # share would else be the same waveform, and pass for the same recording.
        self.key = dice.pick(range(-3, 4)) + dice.between(-0.3, 0.3)
        chords = style.chords.split()
        first = dice.pick(range(len(chords)))
        self.chords = [notes(chords[(first + bar) % len(chords)]) for bar in range(self.n_bars)]

    def drums(self) -> Sound:
        """Play bass drum, snare and cymbal."""
        part = self._silence()
        habits, noise = self.habits, self.dice.noise(SAMPLE_RATE // 2)
        snare, hat = noise[: SAMPLE_RATE // 4], noise[: SAMPLE_RATE // 6]
        kit = (
            (self.style.kick, synth.kick(habits.between(40, 65), habits.between(0.03, 0.08)), 1.0),
            (
                self.style.snare,
                synth.hit(snare, habits.between(150, 900), 5000, habits.between(0.02, 0.06)),
                0.7,
            ),
            (
                self.style.hat,
                synth.hit(hat, habits.between(4000, 8000), 10000, habits.between(0.01, 0.05)),
                0.3,
            ),
        )
        for pattern, sound, level in kit:
            for bar in range(self.n_bars):
                for step, _, symbol in strokes(pattern):
                    self._add(part, sound, 16 * bar + step, level * (1 if symbol == "x" else 0.4))
        return part

    def bass(self) -> Sound:
        """Play degrees of the chords."""
        part, voice = self._silence(), self._voice(0)
        for bar, chord in enumerate(self.chords):
            degrees = {"1": chord[0], "3": chord[1], "5": chord[0] + 7, "8": chord[0] + 12}
            for step, length, symbol in strokes(self.style.bass):
                sound = synth.play(voice, self._hertz(36 + degrees[symbol]), length * self.step)
                self._add(part, sound, 16 * bar + step, 1.0)
        return _amplify(part, voice)

    def accompaniment(self) -> Sound:
        """Play the chords."""
        part, voice = self._silence(), self._voice(1)
        octave = self.habits.pick((48, 60))
        for bar, chord in enumerate(self.chords):
            for step, length, _ in strokes(self.style.comp):
                for note in chord:
                    sound = synth.play(voice, self._hertz(octave + note), length * self.step)
                    self._add(part, sound, 16 * bar + step, 0.5)
        return _amplify(part, voice)

    def lead(self) -> Sound:
        """Improvise: a random walk on the scale."""
        part, voice = self._silence(), self._voice(2)
        scale = self.style.scale
        position = self.dice.pick(range(len(scale)))
        for step in range(0, 16 * self.n_bars, 2):
            if not self.dice.chance(self.style.lead):
                continue
            position = min(max(position + self.dice.pick((-2, -1, 1, 2)), 0), 2 * len(scale) - 1)
            octave, degree = divmod(position, len(scale))
            length = self.dice.pick((2, 2, 4)) * self.step
            note = self._hertz(60 + 12 * octave + scale[degree])
            self._add(part, synth.play(voice, note, length), step, 1.0)
        return _amplify(part, voice)

    def _silence(self) -> Sound:
        return np.zeros(self.n_samples, dtype=np.float32)

    def _voice(self, role: int) -> Voice:
        """Vary a voice, so that no two bands have the same instrument."""
        voice = VOICES[self.style.voices[role]]
        return replace(
            voice,
            rolloff=voice.rolloff * self.habits.between(0.8, 1.25),
            decay=voice.decay * self.habits.between(0.7, 1.4),
            drive=voice.drive * self.habits.between(0.6, 1.4),
        )

    def _hertz(self, note: float) -> float:
        return float(440 * 2 ** ((note + self.key - 69) / 12))

    def _add(self, part: Sound, sound: Sound, step: int, level: float) -> None:
        """Add a sound at a sixteenth, not quite in time and not quite as loud as written."""
        late = 2 * self.style.swing if step % 4 >= 2 else 0.0
        seconds = (step + late) * self.step + self.dice.between(0, 0.012)
        start = round(seconds * SAMPLE_RATE)
        heard = sound[: max(0, len(part) - start)]
        part[start : start + len(heard)] += heard * np.float32(level * self.dice.between(0.7, 1))


def strokes(pattern: str) -> Iterator[tuple[int, int, str]]:
    """Yield the step, the length in steps, and the symbol of every note in a pattern."""
    for match in re.finditer(r"([^.-])-*", pattern):
        yield match.start(), len(match[0]), match[1]


def notes(chord: str) -> list[int]:
    """Return the semitones above C of a chord symbol such as ``Bbm7``."""
    [(letter, accidental, quality)] = re.findall(r"^([A-G])([b#]?)(.*)$", chord)
    root = _LETTERS[letter] + {"b": -1, "": 0, "#": 1}[accidental]
    return [root + interval for interval in _CHORDS[quality]]


def _amplify(part: Sound, voice: Voice) -> Sound:
    """Scale to a peak of 1 and send the part through the voice's amplifier."""
    peak = np.abs(part).max()
    part = part / peak if peak else part
    return synth.clip(part, voice.drive) if voice.drive else part
