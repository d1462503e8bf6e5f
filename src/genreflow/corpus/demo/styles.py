"""The ten genres of the demo corpus, each a handful of ingredients, and the bands in them."""

from __future__ import annotations

from dataclasses import dataclass

BANDS = 8
"""Bands in each genre."""


def band_number(number: int) -> int:
    """Return which band of its genre plays the track of this number, 1 to :data:`BANDS`.

    They take turns, so that a track's band doesn't depend on how many tracks there are.
    """
    return number % BANDS + 1


@dataclass(frozen=True)
class Style:
    """The ingredients of a genre.

    Patterns have one character for each sixteenth of a bar: ``.`` is a rest, ``-`` holds the note
    before. Drums: ``x`` a stroke, ``o`` a soft one. Bass: the degree of the chord, ``1``, ``3``,
    ``5`` or ``8``. Accompaniment: ``x`` a chord.

    Attributes
    ----------
    tempo
        Slowest and fastest [beats per minute].
    swing
        Delay of every second eighth, as a share of an eighth.
    kick, snare, hat, bass, comp
        Patterns.
    chords
        One chord symbol per bar, in C.
    scale
        Semitones the lead moves on.
    lead
        Share of the eighths on which the lead plays.
    voices
        Names of the bass, accompaniment and lead voices.
    mix
        Levels of drums, bass, accompaniment and lead.
    room
        Loudness of the echoes.
    swell
        Depth of slow changes of the level, 0 to 1.
    top
        Upper limit of the recording's frequencies [Hz].
    loudness
        Peak level [dB full scale].
    """

    tempo: tuple[float, float]
    swing: float
    kick: str
    snare: str
    hat: str
    bass: str
    comp: str
    chords: str
    scale: tuple[int, ...]
    lead: float
    voices: tuple[str, str, str]
    mix: tuple[float, float, float, float]
    room: float
    swell: float
    top: float
    loudness: float


_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
_BLUES = (0, 3, 5, 6, 7, 10)
_PENTATONIC = (0, 2, 4, 7, 9)

STYLES: dict[str, Style] = {
    "blues": Style(
        tempo=(65, 115), swing=0.33,
        kick="x.......x.......", snare="....x.......x...", hat="x...x.x.x...x.x.",
        bass="1---1---3---5---", comp="x-..x-..x-..x-..", chords="C7 F7 C7 G7",
        scale=_BLUES, lead=0.5, voices=("electric bass", "clean guitar", "harmonica"),
        mix=(0.6, 0.8, 0.6, 0.8), room=0.2, swell=0.3, top=4500, loudness=-8,
    ),
    "classical": Style(
        tempo=(55, 130), swing=0.0,
        kick="................", snare="................", hat="................",
        bass="1-------5-------", comp="x---------------", chords="C Am F G",
        scale=_MAJOR, lead=0.7, voices=("cello", "strings", "flute"),
        mix=(0.0, 0.6, 0.8, 0.8), room=0.7, swell=0.8, top=5000, loudness=-14,
    ),
    "country": Style(
        tempo=(85, 135), swing=0.1,
        kick="x.......x.......", snare="....x.......x...", hat="..o...o...o...o.",
        bass="1---....5---....", comp="....x-......x-..", chords="C F C G",
        scale=_PENTATONIC, lead=0.6, voices=("upright", "banjo", "steel guitar"),
        mix=(0.5, 0.8, 0.7, 0.8), room=0.15, swell=0.2, top=6500, loudness=-7,
    ),
    "disco": Style(
        tempo=(108, 130), swing=0.0,
        kick="x...x...x...x...", snare="....x.......x...", hat="..x...x...x...x.",
        bass="1.8.1.8.1.8.1.8.", comp="..x-..x-..x-..x-", chords="Am7 Dm7 G7 Cmaj7",
        scale=_MINOR, lead=0.35, voices=("electric bass", "clean guitar", "strings"),
        mix=(1.0, 0.9, 0.6, 0.6), room=0.25, swell=0.1, top=7500, loudness=-5,
    ),
    "hiphop": Style(
        tempo=(78, 105), swing=0.15,
        kick="x.....x..x......", snare="....x.......x...", hat="x.x.x.x.x.x.x.xx",
        bass="1-----1--1------", comp="x-------........", chords="Cm Cm Ab Bb",
        scale=_MINOR, lead=0.2, voices=("synth bass", "piano", "pluck"),
        mix=(1.1, 1.1, 0.4, 0.4), room=0.1, swell=0.1, top=7000, loudness=-3,
    ),
    "jazz": Style(
        tempo=(90, 200), swing=0.33,
        kick="x...............", snare="......o.......o.", hat="x...x..xx...x..x",
        bass="1---3---5---8---", comp="......x-....x-..", chords="Dm7 G7 Cmaj7 A7",
        scale=_MAJOR, lead=0.75, voices=("upright", "piano", "saxophone"),
        mix=(0.45, 0.8, 0.6, 0.9), room=0.3, swell=0.4, top=5500, loudness=-10,
    ),
    "metal": Style(
        tempo=(110, 190), swing=0.0,
        kick="x.x.x.x.x.x.x.x.", snare="....x.......x...", hat="x...x...x...x...",
        bass="1.1.1.1.1.1.1.1.", comp="x-x-x-x-x-x-x-x-", chords="C5 Db5 C5 Gb5",
        scale=_MINOR, lead=0.3, voices=("electric bass", "distorted guitar", "distorted guitar"),
        mix=(0.9, 0.8, 1.1, 0.6), room=0.1, swell=0.0, top=8500, loudness=-2,
    ),
    "pop": Style(
        tempo=(90, 132), swing=0.0,
        kick="x.....x.x.......", snare="....x.......x...", hat="x.x.x.x.x.x.x.x.",
        bass="1-1-1-1-1-1-1-1-", comp="x-------x-------", chords="C G Am F",
        scale=_MAJOR, lead=0.55, voices=("synth bass", "pad", "square lead"),
        mix=(0.8, 0.7, 0.7, 0.8), room=0.3, swell=0.1, top=9000, loudness=-3,
    ),
    "reggae": Style(
        tempo=(65, 95), swing=0.1,
        kick="........x.......", snare="........x.......", hat="x.o.x.o.x.o.x.o.",
        bass="1--1..5-..3-1...", comp="....x.......x...", chords="Am Dm Am Em",
        scale=_MINOR, lead=0.3, voices=("synth bass", "organ", "brass"),
        mix=(0.7, 1.2, 0.7, 0.5), room=0.5, swell=0.1, top=5000, loudness=-6,
    ),
    "rock": Style(
        tempo=(100, 150), swing=0.0,
        kick="x.....x.x.x.....", snare="....x.......x...", hat="x.x.x.x.x.x.x.x.",
        bass="1-1-1-1-5-5-8-8-", comp="x---x-x-x---x-x-", chords="C5 Bb5 F5 C5",
        scale=_PENTATONIC, lead=0.4, voices=("electric bass", "crunch guitar", "crunch guitar"),
        mix=(0.9, 0.8, 1.0, 0.7), room=0.2, swell=0.1, top=7000, loudness=-4,
    ),
}  # fmt: skip
