"""The changes that test tracks go through to see whether models still know the song."""

from __future__ import annotations

CLEAN = "clean"
"""The same test tracks, unchanged: what the others are compared with."""

CHANGES: dict[str, str] = {
    "quieter": "12 dB quieter",
    "louder": "12 dB louder, unclipped",
    "silence_25ms": "25 ms of silence around",
    "silence_1s": "1 s of silence around",
    "band_16khz": "stored at 16 kHz",
    "band_11khz": "stored at 11 kHz",
    "mp3_128": "MP3, 128 kbit/s",
    "mp3_64": "MP3, 64 kbit/s",
    "mp3_32": "MP3, 32 kbit/s",
    "opus_32": "Opus, 32 kbit/s",
    "treble_up": "highs 6 dB up",
    "treble_down": "highs 6 dB down",
    "faster": "4 % faster",
    "slower": "4 % slower",
    "higher": "¼ semitone higher",
    "lower": "¼ semitone lower",
    "noise": "noise 30 dB below",
    "room": "in a room (0.3 s)",
    "one_channel": "one channel alone",
}
"""By name: what is done, as the report writes it."""

FROM_SOURCE = "one_channel"
"""The change that can't be made of the cache, which is mono: the source is decoded once more."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "level": (CLEAN, "quieter", "louder", "silence_25ms", "silence_1s", FROM_SOURCE),
    "filter": ("band_16khz", "band_11khz", "treble_up", "treble_down", "noise", "room"),
    "mp3": ("mp3_128", "mp3_64", "mp3_32"),
    "opus": ("opus_32",),
    "tempo": ("faster", "slower", "higher", "lower"),
}
"""What is made in one job, about as long each: to start one takes as long as many a change."""
