"""Measure decoding and feature extraction beside the obvious librosa script and other packages.

    python benchmarks/bench_features.py data/genres

Everything runs on the same tracks in one process with one thread. Each repetition runs every
contender in turn, so that whatever else the machine does falls on all of them alike; time is
processor time, and figures are medians over the repetitions. Essentia, openSMILE, nnAudio and
torchaudio take part where they are installed.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import peers
import reference
import soundfile as sf
import soxr
import typer
from rich.console import Console
from rich.progress import track as progress
from rows import Row, write

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import decode
from genreflow.audio.samples import FULL_SCALE, Samples
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.features.handcrafted.extract import extract
from genreflow.features.mel.extract import rows_of
from genreflow.features.mel.extract import write as write_mel
from genreflow.features.mel.read import MelWindows
from genreflow.params import Params
from genreflow.registry.handcrafted import Handcrafted

PARAMS = Params()
RATE = PARAMS.audio.sample_rate


@dataclass(frozen=True)
class Contender:
    """One way to do a task; `run` does it for all tracks."""

    task: str
    name: str
    run: Callable[[], None]
    target: str = ""
    is_reference: bool = False


def each(function: Callable[..., object], items: list) -> Callable[[], None]:
    """Return what calls `function` on each item."""

    def run() -> None:
        for item in items:
            function(item)

    return run


def bare_decode(path: Path) -> object:
    """Read and resample, and nothing else."""
    wanted = int(sf.info(path).samplerate * PARAMS.audio.max_seconds)
    y, rate = sf.read(path, frames=wanted, dtype="float32")
    y = y if y.ndim == 1 else y.mean(axis=1)
    return y if rate == RATE else soxr.resample(y, rate, RATE, quality="HQ")


def stereo_copies(paths: list[Path], folder: Path) -> list[Path]:
    """Write each track as a stereo file at 44,100 Hz, as most collections hold them."""
    copies = []
    for i, path in enumerate(paths):
        y = soxr.resample(decode(path, PARAMS.audio).samples / np.float32(FULL_SCALE), RATE, 44100)
        copies.append(folder / f"{i}.flac")
        sf.write(copies[-1], np.clip(np.stack([y, 0.9 * y], axis=1), -1, 1), 44100)
    return copies


def contenders(paths: list[Path], folder: Path) -> Iterator[Contender]:
    """Yield every contender whose package is installed."""
    samples = [decode(path, PARAMS.audio).samples for path in paths]
    amplitudes = [s / np.float32(FULL_SCALE) for s in samples]
    copies = stereo_copies(paths, folder)
    for task, files in (("decode", paths), ("decode 44.1 kHz stereo", copies)):
        yield Contender(task, "soundfile + soxr", each(bare_decode, files), is_reference=True)
        yield Contender(task, "genreflow", each(lambda p: decode(p, PARAMS.audio), files), ">= 0.8")

    smaller, larger = Handcrafted(set="classic"), Handcrafted(set="extended")
    script = each(lambda y: reference.handcrafted(y, RATE), amplitudes)
    classic = each(lambda s: extract(s, RATE, smaller), samples)
    yield Contender("handcrafted", "librosa, one call per descriptor", script, is_reference=True)
    yield Contender("handcrafted", "genreflow classic", classic, ">= 5")
    richer = each(lambda s: extract(s, RATE, larger), samples)
    yield Contender("handcrafted", "genreflow extended", richer)

    def windows(track: Samples) -> object:
        return rows_of(track, RATE, PARAMS.at("features.mel"))

    one_by_one = each(lambda y: reference.mel_windows(y, RATE), amplitudes)
    yield Contender("mel", "librosa, one call per window", one_by_one, is_reference=True)
    yield Contender(
        "mel", "librosa, whole track", each(lambda y: reference.mel(y, RATE), amplitudes)
    )
    yield Contender("mel", "genreflow", each(windows, samples), ">= 8")

    for task, name, make in (
        ("handcrafted", "essentia, 20 series", peers.essentia_handcrafted),
        ("handcrafted", "openSMILE IS09, 32 series (384)", peers.opensmile_handcrafted),
        ("mel", "essentia, whole track", peers.essentia_mel),
        ("mel", "nnAudio, whole track", peers.nnaudio_mel),
        ("mel", "torchaudio, whole track", peers.torchaudio_mel),
    ):
        try:
            handle = make(RATE)
        except (ImportError, OSError) as error:
            print(f"{task}: {name} skipped ({str(error).splitlines()[0]})", file=sys.stderr)
        else:
            yield Contender(task, name, each(handle, amplitudes))


def measure(entrants: list[Contender], repeats: int, audio_seconds: float) -> list[Row]:
    """Run every contender `repeats` times, in turn, after one run that warms caches up."""
    times: dict[int, list[float]] = {i: [] for i in range(len(entrants))}
    for repeat in progress(range(repeats + 1), "repetitions", console=Console(stderr=True)):
        for i, entrant in enumerate(entrants):
            start = time.process_time()
            entrant.run()
            if repeat:
                times[i].append(time.process_time() - start)
    references = {e.task: times[i] for i, e in enumerate(entrants) if e.is_reference}
    rows = []
    for i, entrant in enumerate(entrants):
        speed = audio_seconds / statistics.median(times[i])
        ratio = statistics.median(
            r / t for r, t in zip(references[entrant.task], times[i], strict=True)
        )
        measured = f"{speed:,.0f} × real time"
        known = None if entrant.is_reference else ratio
        rows.append(Row(entrant.task, entrant.name, measured, known, entrant.target))
    return rows


def size_of_mel(paths: list[Path], folder: Path) -> float:
    """Return the size of the mel artifact as a share of its windows in float32."""
    files = [TrackFile(str(path), "any", path) for path in paths]
    audio, mel = (lineage.stamp(kind, PARAMS) for kind in ("audio", "mel"))
    arrow, npz = folder / "any.arrow", folder / "any.npz"
    write_audio(files, "any", PARAMS.audio, arrow, folder / "any.parquet", audio, [])
    with AudioShard(arrow, audio) as shard:
        write_mel(shard, PARAMS.at("features.mel"), npz, mel)
    with MelWindows([npz], mel) as windows:
        return npz.stat().st_size / (4 * float(np.prod(windows.shape)))


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/genres"),
    tracks: Annotated[int, typer.Option(help="How many tracks to take, evenly spaced.")] = 20,
    at_least: Annotated[float, typer.Option(help="Leave out shorter tracks [s].")] = 1.5,
    repeats: Annotated[int, typer.Option(help="How often to measure each contender.")] = 5,
) -> None:
    """Measure, print the rows and write them."""
    found = sorted(path for path in corpus.glob("*/*") if path.is_file())
    long = [path for path in found if sf.info(path).duration >= at_least]
    paths = [long[i] for i in np.linspace(0, len(long) - 1, min(tracks, len(long))).astype(int)]
    with tempfile.TemporaryDirectory() as name:
        entrants = list(contenders(paths, Path(name)))
        seconds = sum(len(decode(path, PARAMS.audio).samples) for path in paths) / RATE
        rows = measure(entrants, repeats, seconds)
        share = size_of_mel(paths, Path(name))
    rows.append(Row("mel artifact", "size over float32 windows", "", share, "<= 0.3"))
    write("features", rows)


if __name__ == "__main__":
    typer.run(main)
