"""Measure how fast the networks are trained on what Keras finds here, a GPU for instance.

    python benchmarks/corpus.py data/scale --tracks-per-genre 20
    KERAS_BACKEND=torch python benchmarks/bench_gpu.py data/scale

Windows per second of wall time, of steps on batches in memory and of a training as it is, which
reads, warps, filters, mixes and masks its windows. Figures are medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import keras
import typer
from bench_training import Steps, all_examples, mel_shards
from rich.console import Console
from rich.progress import track as progress
from rows import Row, write

from genreflow import lineage
from genreflow.features.mel.read import MelWindows
from genreflow.models import runtime
from genreflow.models.base import Examples, Signature
from genreflow.models.loading import create
from genreflow.params import parse

NETWORKS = ("cnn", "lstm", "resnet50")
_MOST_WINDOWS = 6400
"""Of an epoch."""


def windows_per_second(network: Any, data: Any, size: int) -> float:
    """Return the windows that one epoch learns from in a second."""
    start = time.perf_counter()
    network.fit(data, epochs=1, shuffle=False, verbose=0)
    return len(data) * size / (time.perf_counter() - start)


def measure(
    name: str,
    settings: dict[str, Any],
    examples: Examples,
    genres: tuple[str, ...],
    shape: tuple[int, ...],
    repeats: int,
) -> tuple[float, float]:
    """Return the windows per second of bare steps, and with input."""
    params = parse({"models": {name: settings}})
    model: Any = create(params.at(f"models.{name}"), Signature(name, genres, shape))
    batches, _ = model.begin(examples)
    steps = max(1, min(len(batches), _MOST_WINDOWS // model.params.batch_size))
    in_memory = [batches[i] for i in range(min(steps, 8))]
    kinds = (lambda i: in_memory[i % len(in_memory)], batches.__getitem__)
    for get in kinds:  # the first epochs trace and compile
        windows_per_second(model.network, Steps(get, min(steps, 8)), model.params.batch_size)
    bare, whole = (
        statistics.median(
            windows_per_second(model.network, Steps(get, steps), model.params.batch_size)
            for _ in range(repeats)
        )
        for get in kinds
    )
    return bare, whole


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/scale"),
    tracks_per_genre: Annotated[int, typer.Option(help="How many tracks to take.")] = 20,
    repeats: Annotated[int, typer.Option(help="How often to measure each.")] = 3,
    batch_size: Annotated[list[int] | None, typer.Option(help="Sizes to measure.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Precisions to measure.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Networks to measure.")] = None,
) -> None:
    """Measure the networks, print the rows and write them."""
    # Copies of tracks would take most of the time, and train like the tracks.
    params = parse({"corpus": {"root": str(corpus)}, "audio": {"augment": []}})
    variants = [
        (name, size, bits)
        for name in network or NETWORKS
        for size in batch_size or (32,)
        for bits in precision or ("float32", "mixed_bfloat16")
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shards = mel_shards(corpus, params, tracks_per_genre, Path(folder))
        with MelWindows(shards, lineage.stamp("mel", params)) as windows:
            examples, genres = all_examples(windows)
            for name, size, bits in progress(variants, "networks", console=Console(stderr=True)):
                settings = {"batch_size": size, "precision": bits}
                bare, whole = measure(name, settings, examples, genres, windows.shape[1:], repeats)
                task = f"{name}, {keras.backend.backend()}"
                what = f"{bits}, batches of {size}"
                rows += [
                    Row(task, f"{what}: bare steps", f"{bare:,.0f} windows/s"),
                    Row(task, f"{what}: with input", f"{whole:,.0f} windows/s", whole / bare),
                ]
    print(runtime.keras_environment())
    write(f"gpu_{keras.backend.backend()}", rows)


if __name__ == "__main__":
    typer.run(main)
