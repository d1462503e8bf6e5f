"""Measure prediction: how fast it starts, how fast it hears, and the memory of a long file.

    python benchmarks/bench_predict.py data/genres

Models are trained on a few tracks with the parameters of a project, but for networks one epoch and
for grids one candidate, which changes nothing of what prediction costs. Songs are tracks joined to
four minutes, at 44,100 Hz in stereo, as MP3 and, with ffmpeg, as AAC. Everything hears with one
thread; speed is by processor time, that of ffmpeg included. Essentia's extractor and musicnn's
tagger take part where they are installed.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from genreflow.threads import fix_arithmetic

fix_arithmetic(1)

import numpy as np
import pandas as pd
import peers
import soundfile as sf
import soxr
import typer
from rich.console import Console
from rich.progress import track as progress
from rows import Row, write

from genreflow import lineage, registry
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import decode
from genreflow.audio.samples import FULL_SCALE
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import find_genres, list_shards, scan_shard
from genreflow.params import Params, parse
from genreflow.prediction.load import load
from genreflow.store.tables import write_table
from genreflow.training import train

TARGETS = {
    **dict.fromkeys(("svm_handcrafted", "xgb_handcrafted", "svm_mel", "xgb_mel"), ">= 150"),
    "cnn": ">= 60",
}
MINUTES, RATE = 4, 44_100
LONG_MINUTES = 180


def parameters(corpus: Path) -> Params:
    """Return a project's parameters, with trainings as short as they can be."""
    grid = {"selected_fraction": [0.5], "gamma_scale": [0.1]}
    models = {
        "svm_handcrafted": grid,
        "xgb_handcrafted": {"selected_fraction": [0.5]},
        "cnn": {"epochs": 1, "windows_per_epoch": 320},
    }
    audio = {"augment": []}
    return parse({"corpus": {"root": str(corpus)}, "audio": audio, "models": models})


def trained(corpus: Path, per_genre: int, folder: Path) -> dict[str, Path]:
    """Train the models on some tracks of each genre; return their folders."""
    params = parameters(corpus)
    kinds = {kind.name: kind for name in TARGETS for kind in registry.kinds_of(name)}
    digests, rows = {}, []
    features: dict[str, list[Path]] = {name: [] for name in kinds}
    for name, shard in list_shards(find_genres(corpus), 1).items():
        files = scan_shard(corpus, shard).files
        chosen = np.linspace(0, len(files) - 1, min(per_genre, len(files))).astype(int)
        arrow, table = folder / f"{name}.arrow", folder / f"{name}.parquet"
        some = [files[i] for i in chosen]
        write_audio(some, name, params.audio, arrow, table, lineage.stamp("audio", params), [])
        with AudioShard(arrow, lineage.stamp("audio", params)) as audio:
            digests[name] = audio.digest
            roles = ["valid", "test", *["train"] * len(audio)]
            rows += [
                ("0", track, shard.genre, track, role)
                for track, role in zip(audio.track_id, roles, strict=False)
            ]
            for kind in kinds.values():
                path = folder / kind.artifact(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                section, stamp = params.at(kind.section), lineage.stamp(kind.name, params)
                import_module(kind.extractor).write(audio, section, path, stamp)
                features[kind.name].append(path)
    splits = pd.DataFrame(rows, columns=["fold", "track_id", "genre", "group", "role"])
    stamp = lineage.stamp("splits", params).with_facts(audio=digests)
    write_table(splits, folder / "splits.parquet", stamp)
    models = {}
    for name in progress(TARGETS, "trainings", console=Console(stderr=True)):
        models[name] = folder / "models" / name / "0"
        read = [path for kind in registry.entry(name).reads for path in features[kind]]
        train(name, "0", params, read, folder / "splits.parquet", models[name])
    return models


def songs(corpus: Path, count: int, folder: Path) -> dict[str, list[Path]]:
    """Join tracks to songs; return them by their format."""
    found = sorted(path for path in corpus.glob("*/*") if path.is_file())
    audio, waiting = Params().audio, iter(found * 100)
    made: dict[str, list[Path]] = {"mp3": []}
    for number in range(count):
        parts: list[Any] = []
        while sum(map(len, parts)) < MINUTES * 60 * RATE:
            samples = decode(next(waiting), audio).samples / np.float32(FULL_SCALE)
            parts.append(soxr.resample(samples, audio.sample_rate, RATE))
        mono = np.clip(np.concatenate(parts)[: MINUTES * 60 * RATE], -1, 1)
        path = folder / f"{number}.mp3"
        sf.write(path, np.stack([mono, 0.9 * mono], axis=1), RATE)
        made["mp3"].append(path)
        if shutil.which("ffmpeg"):
            aac = path.with_suffix(".m4a")
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, aac], check=True)
            made.setdefault("m4a", []).append(aac)
    return made


def seconds_of_processor() -> float:
    """Return what this process and those that it started have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def speed(hear: Callable[[str], object], paths: list[Path], repeats: int) -> float:
    """Return seconds of music in a second of processor time, after a song that isn't counted."""
    hear(str(paths[0]))
    times = []
    for _ in range(repeats):
        for path in paths:
            begun = seconds_of_processor()
            hear(str(path))
            times.append(seconds_of_processor() - begun)
    return MINUTES * 60 / statistics.median(times)


def hearing(models: dict[str, Path], made: dict[str, list[Path]], repeats: int) -> Iterator[Row]:
    """Yield the speed of every model, and of peers."""
    contenders: dict[str, Callable[[], Callable[[str], object]]] = {
        name: lambda folder=folder: load(folder).hear  # type: ignore[misc]
        for name, folder in models.items()
    }
    contenders["essentia, MusicExtractor"] = peers.essentia_music_extractor
    contenders["musicnn, tags"] = peers.musicnn_tagger
    for name, make in contenders.items():
        try:
            hear = make()
        except (ImportError, OSError) as error:
            print(f"{name} skipped ({str(error).splitlines()[0]})", file=sys.stderr)
            continue
        for suffix, paths in made.items():
            times = speed(hear, paths, repeats)
            told = f"{times:,.0f} × real time"
            yield Row(f"hear songs, {suffix}", name, told, times, TARGETS.get(name, ""))


def starting(models: dict[str, Path], song: Path, repeats: int) -> Iterator[Row]:
    """Yield how long a command takes for a song's first half minute."""
    for name in ("svm_handcrafted", "xgb_mel", "cnn"):
        command = [sys.executable, "-m", "genreflow", "predict", "--model", models[name], song]
        times = []
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            subprocess.run([*command, "--first", "30"], check=True, capture_output=True)
            times.append(time.perf_counter() - begun)
        seconds = statistics.median(times[1:])
        target = "" if name == "cnn" else "<= 2"
        yield Row("predict one file, from a cold start", name, f"{seconds:.2f} s", seconds, target)


def remembering(models: dict[str, Path], folder: Path) -> Iterator[Row]:
    """Yield the largest memory while a file of three hours is heard."""
    path = folder / "long.mp3"
    rng = np.random.default_rng(0)
    with sf.SoundFile(path, "w", RATE, 2, format="MP3") as file:
        for minute in range(LONG_MINUTES):
            at = np.arange(60 * RATE) / RATE
            loud = rng.normal(0, 0.1, 60 * RATE) * (at % 5 < 2)
            mono = loud + 0.2 * np.sin(2 * np.pi * (200 + minute) * at)
            file.write(np.clip(np.stack([mono, mono], axis=1), -1, 1).astype(np.float32))
    code = (
        "import sys; from genreflow.prediction.load import load; "
        "from genreflow.jobs import peak_rss_mb; "
        "load(sys.argv[1]).hear(sys.argv[2]); print(peak_rss_mb())"
    )
    for name, target in (("svm_handcrafted", "<= 500"), ("cnn", "")):
        done = subprocess.run(
            [sys.executable, "-c", code, models[name], path],
            check=True,
            capture_output=True,
            text=True,
        )
        peak = float(done.stdout)
        yield Row(f"memory, {LONG_MINUTES} min of MP3", name, f"{peak:.0f} MB", peak, target)


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/genres"),
    per_genre: Annotated[int, typer.Option(help="Tracks of a genre to train on.")] = 8,
    count: Annotated[int, typer.Option(help="Songs to hear.")] = 3,
    repeats: Annotated[int, typer.Option(help="How often to measure each.")] = 3,
) -> None:
    """Measure, print the rows and write them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = trained(corpus, per_genre, folder)
        made = songs(corpus, count, folder)
        rows = [
            *starting(models, made["mp3"][0], repeats),
            *hearing(models, made, repeats),
            *remembering(models, folder),
        ]
    write("predict", rows)


if __name__ == "__main__":
    typer.run(main)
