"""Measure decoding and feature extraction beside the obvious librosa script and other packages.

    python benchmarks/bench_features.py data/genres

Everything runs on the same tracks in one process with one thread. Each repetition runs every
contender in turn, so that whatever else the machine does falls on all of them alike; time is
processor time, of all threads, and figures are medians over the repetitions. Essentia, openSMILE,
audioFlux, pyAudioAnalysis, kaldi-native-fbank, nnAudio and torchaudio take part where they are
installed, and librosa in the version that is.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
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
from genreflow.features.mel.levels import log_mel
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
    is_peer: bool = False


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
    librosa = f"librosa {version('librosa')}"
    script = each(lambda y: reference.handcrafted(y, RATE), amplitudes)
    classic = each(lambda s: extract(s, RATE, smaller), samples)
    name = f"{librosa}, one call per descriptor"
    yield Contender("handcrafted", name, script, is_reference=True, is_peer=True)
    yield Contender("handcrafted", "genreflow classic", classic, ">= 5")
    richer = each(lambda s: extract(s, RATE, larger), samples)
    yield Contender("handcrafted", "genreflow extended", richer)

    def windows(track: Samples) -> object:
        return rows_of(track, RATE, PARAMS.at("features.mel"))

    one_by_one = each(lambda y: reference.mel_windows(y, RATE), amplitudes)
    name = f"{librosa}, one call per window"
    yield Contender("mel", name, one_by_one, is_reference=True, is_peer=True)
    at_once = each(lambda y: reference.mel(y, RATE), amplitudes)
    yield Contender("mel", f"{librosa}, whole track", at_once, is_peer=True)
    yield Contender("mel", "genreflow", each(windows, samples), ">= 8")

    transforms = each(lambda y: reference.transforms(y), amplitudes)
    yield Contender(
        "log-mel", "its Fourier transforms, 64 at a time", transforms, is_reference=True
    )
    levels = each(lambda s: log_mel(s, RATE, PARAMS.at("features.mel")), samples)
    yield Contender("log-mel", "genreflow", levels, ">= 0.67")

    for task, name, make in (
        ("handcrafted", "essentia, 20 series", peers.essentia_handcrafted),
        ("handcrafted", "openSMILE IS09, 32 series (384)", peers.opensmile_handcrafted),
        ("handcrafted", "audioFlux, 20 series (40), no tempo", peers.audioflux_handcrafted),
        (
            "handcrafted",
            "pyAudioAnalysis, 68 series (136), no tempo",
            peers.pyaudioanalysis_handcrafted,
        ),
        ("mel", "essentia, whole track", peers.essentia_mel),
        ("mel", "audioFlux, whole track", peers.audioflux_mel),
        ("mel", "kaldi-native-fbank, whole track", peers.kaldi_mel),
        ("mel", "nnAudio, whole track", peers.nnaudio_mel),
        ("mel", "torchaudio, whole track", peers.torchaudio_mel),
    ):
        try:
            handle = make(RATE)
        except (ImportError, OSError) as error:
            print(f"{task}: {name} skipped ({str(error).splitlines()[0]})", file=sys.stderr)
        else:
            yield Contender(task, name, each(handle, amplitudes), is_peer=True)


def clocked(entrants: list[Contender], repeats: int) -> tuple[list[list[float]], float]:
    """Run every contender `repeats` times, in turn, after one run that warms caches up.

    Returns the processor times of each [s], and the highest ratio of a contender's processor time
    to what this thread took of it: 1 where there was one thread.
    """
    times: list[list[float]] = [[] for _ in entrants]
    own = [0.0 for _ in entrants]
    bar = Console(stderr=True)
    # Drawn between repetitions: a thread that draws all the time would be measured, too.
    for repeat in progress(range(repeats + 1), "repetitions", console=bar, auto_refresh=False):
        for i, entrant in enumerate(entrants):
            start, own_start = time.process_time(), time.thread_time()
            entrant.run()
            if repeat:
                own[i] += time.thread_time() - own_start
                times[i].append(time.process_time() - start)
    return times, max(sum(all_threads) / one for all_threads, one in zip(times, own, strict=True))


def ratio(numerators: list[float], denominators: list[float]) -> float:
    """Return the median of the repetitions' ratios."""
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))


def speeds(
    entrants: list[Contender], times: list[list[float]], audio_seconds: float
) -> Iterator[Row]:
    """Yield a row for every contender."""
    references = {e.task: t for e, t in zip(entrants, times, strict=True) if e.is_reference}
    for entrant, taken in zip(entrants, times, strict=True):
        measured = f"{audio_seconds / statistics.median(taken):,.0f} × real time"
        known = None if entrant.is_reference else ratio(references[entrant.task], taken)
        yield Row(entrant.task, entrant.name, measured, known, entrant.target)


def leads(entrants: list[Contender], times: list[list[float]]) -> Iterator[Row]:
    """Yield how far genreflow is ahead of the fastest peer in each task that has some."""
    for entrant, taken in zip(entrants, times, strict=True):
        rivals = [
            (other, t)
            for other, t in zip(entrants, times, strict=True)
            if other.is_peer and other.task == entrant.task
        ]
        if entrant.target and rivals:
            rival, fastest = min(rivals, key=lambda pair: statistics.median(pair[1]))
            name = f"{entrant.name} beside {rival.name}"
            yield Row(entrant.task, name, "", ratio(fastest, taken), ">= 1")


def size_of_mel(paths: list[Path], folder: Path) -> float:
    """Return the size of the mel artifact as a share of its windows in float32, of copies too."""
    files = [TrackFile(str(path), "any", path) for path in paths]
    audio, mel = (lineage.stamp(kind, PARAMS) for kind in ("audio", "mel"))
    arrow, npz = folder / "any.arrow", folder / "any.npz"
    write_audio(files, "any", PARAMS.audio, arrow, folder / "any.parquet", audio, [])
    with AudioShard(arrow, audio) as shard:
        write_mel(shard, PARAMS.at("features.mel"), npz, mel)
    with MelWindows([npz], mel, copies=True) as windows:
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
        times, threads = clocked(entrants, repeats)
        share = size_of_mel(paths, Path(name))
    rows = [*speeds(entrants, times, seconds), *leads(entrants, times)]
    rows.append(Row("threads", "processor time over one thread's, at most", "", threads, "<= 1.02"))
    rows.append(Row("mel artifact", "size over float32 windows", "", share, "<= 0.3"))
    write("features", rows)


if __name__ == "__main__":
    typer.run(main)
