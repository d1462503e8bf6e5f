"""Make copies of a corpus as other recording chains would leave them, with ffmpeg.

    python benchmarks/changed_copies.py data/genres data/changed

writes ``data/changed/<change>/<genre>/<track>.<format>``. Nothing here is genreflow's: encoders,
filters and time stretching are others than those that ``audio.augment`` and the step
``robustness`` use, so that what is measured on these copies was not trained on.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import scipy.signal
import soundfile as sf
import typer
from rich.console import Console
from rich.progress import track as progress

WAV = ("wav", "-c:a", "pcm_s16le")
FLOAT = ("wav", "-c:a", "pcm_f32le")
# Written to a pipe, an MP3 can't say afterwards how long its encoder's delay is: it stays.
_MP3 = ("-c:a", "libmp3lame", "-compression_level", "7", "-f", "mp3")

SHELF = "highshelf=frequency=2000:width_type=s:width=0.4:gain="
ECHOES = "aecho=0.7:0.8:13|29|41|67|97|139|181|241:0.5|0.4|0.35|0.28|0.2|0.14|0.1|0.06"

CHANGES: dict[str, tuple[str, ...]] = {
    "clean": ("anull", *WAV),
    "quieter": ("volume=-12dB", *WAV),
    "louder": ("volume=12dB", *FLOAT),
    "silence_25ms": ("adelay=25:all=1,apad=pad_dur=0.025", *WAV),
    "silence_1s": ("adelay=1000:all=1,apad=pad_dur=1", *WAV),
    "band_16khz": ("anull", *WAV, "-ar", "16000"),
    "band_11khz": ("anull", *WAV, "-ar", "11025"),
    "mp3_128": ("anull", "mp3", "-b:a", "128k", *_MP3),
    "mp3_64": ("anull", "mp3", "-b:a", "64k", *_MP3),
    "mp3_32": ("anull", "mp3", "-b:a", "32k", *_MP3),
    "aac_48": ("anull", "m4a", "-c:a", "aac", "-b:a", "48k"),
    "treble_up": (f"{SHELF}6", *FLOAT),
    "treble_down": (f"{SHELF}-6", *WAV),
    "faster": ("rubberband=tempo=1.04", *WAV),
    "slower": ("rubberband=tempo=0.96", *WAV),
    "higher": ("rubberband=pitch=1.014545", *WAV),
    "lower": ("rubberband=pitch=0.985663", *WAV),
    "room": (ECHOES, *FLOAT),
}
"""By name: a filter of ffmpeg's, the ending of the file, and how it is encoded."""

NOISE, NOISE_DB = "noise", 30


def copy_track(source: Path, genre: str, out: Path) -> None:
    """Write all changed copies of a track."""
    command = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(source)]
    pipes: list[tuple[list[str], Path]] = []
    for name, (filters, suffix, *encoding) in CHANGES.items():
        target = out / name / genre / f"{source.stem}.{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        options = ["-ac", "1", "-af", filters, *encoding]
        if suffix == "mp3":
            pipes.append((["ffmpeg", "-v", "error", "-i", str(source), *options, "-"], target))
        else:
            command += [*options, str(target)]
    subprocess.run(command, check=True)
    for piped, target in pipes:
        target.write_bytes(subprocess.run(piped, check=True, capture_output=True).stdout)
    _with_noise(source, out / NOISE / genre / f"{source.stem}.wav")


def _with_noise(source: Path, target: Path) -> None:
    """Add noise that falls by 3 dB an octave, 30 dB below the mean level."""
    y, rate = sf.read(source, dtype="float32", always_2d=True)
    mono = y.mean(axis=1)
    rng = np.random.default_rng(sum(source.stem.encode()))
    # P. Kellet's filter for pink noise.
    b, a = [0.049922, -0.095993, 0.050613, -0.004409], [1, -2.494956, 2.017266, -0.522189]
    pink = scipy.signal.lfilter(b, a, rng.standard_normal(len(mono) + rate))[rate:]
    pink *= np.sqrt(np.mean(mono**2) / np.mean(pink**2)) * 10 ** (-NOISE_DB / 20)
    target.parent.mkdir(parents=True, exist_ok=True)
    sf.write(target, mono + pink, rate, subtype="FLOAT")


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")],
    out: Annotated[Path, typer.Argument(help="Where to write the copies.")],
    jobs: Annotated[int, typer.Option(min=1, help="Tracks at a time.")] = 2,
) -> None:
    """Write the copies of every track; those that lie there already are made again."""
    tracks = [(path, path.parent.name) for path in sorted(corpus.glob("*/*")) if path.is_file()]
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(copy_track, path, genre, out) for path, genre in tracks]
        for job in progress(waiting, "tracks", console=Console(stderr=True)):
            job.result()


if __name__ == "__main__":
    typer.run(main)
