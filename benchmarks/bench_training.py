"""Measure whether input keeps the networks waiting: an epoch over its bare training steps.

    python benchmarks/bench_training.py data/genres

An epoch reads its windows from the shards, mixes and masks them; the bare epoch has the same
batches in memory. Both run through the same ``fit``, in turn; figures are medians of processor
time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import typer
from rich.console import Console
from rich.progress import track as progress
from rows import Row, write

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import find_genres, list_shards, scan_shard
from genreflow.features.mel.extract import write as write_mel
from genreflow.features.mel.read import MelWindows
from genreflow.models.base import Examples, Signature
from genreflow.models.loading import create
from genreflow.params import Params, parse

STEPS = {"cnn": 40, "lstm": 40, "resnet50": 8}


class Steps(keras.utils.PyDataset):  # type: ignore[misc]  # keras is untyped
    """A short epoch: the first `count` batches of what `get` returns by number."""

    def __init__(self, get: Callable[[int], Any], count: int) -> None:
        super().__init__()
        self._get, self._count = get, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return self._get(index)


def mel_shards(corpus: Path, params: Params, tracks_per_genre: int, folder: Path) -> list[Path]:
    """Decode some tracks of each genre and write their mel frames."""
    audio, mel = (lineage.stamp(kind, params) for kind in ("audio", "mel"))
    paths = []
    for name, shard in list_shards(find_genres(corpus), 1).items():
        files = scan_shard(corpus, shard).files
        chosen = np.linspace(0, len(files) - 1, min(tracks_per_genre, len(files))).astype(int)
        arrow, npz = folder / f"{name}.arrow", folder / f"{name}.npz"
        some = [files[i] for i in chosen]
        write_audio(some, name, params.audio, arrow, folder / f"{name}.parquet", audio, [])
        with AudioShard(arrow, audio) as samples:
            write_mel(samples, params.at("features.mel"), npz, mel)
        paths.append(npz)
    return paths


def all_examples(windows: MelWindows) -> tuple[Examples, tuple[str, ...]]:
    """Return every window as a training example, and the genres."""
    genres = tuple(sorted(set(windows.genre)))
    of_track = np.array([genres.index(genre) for genre in windows.genre])
    track = windows.window_track
    rows = np.arange(len(windows))
    label = of_track[track]
    return Examples(windows, rows, label, track, track, windows.window_copy), genres


def seconds_per_step(network: Any, data: Any) -> float:
    """Return the processor time of one step, over one epoch."""
    start = time.process_time()
    network.fit(data, epochs=1, shuffle=False, verbose=0)
    return (time.process_time() - start) / len(data)


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/genres"),
    tracks_per_genre: Annotated[int, typer.Option(help="How many tracks to take.")] = 40,
    repeats: Annotated[int, typer.Option(help="How often to measure each.")] = 5,
) -> None:
    """Measure the three networks, print the rows and write them."""
    params = parse({"corpus": {"root": str(corpus)}})
    rows = []
    with tempfile.TemporaryDirectory() as name:
        shards = mel_shards(corpus, params, tracks_per_genre, Path(name))
        with MelWindows(shards, lineage.stamp("mel", params)) as windows:
            examples, genres = all_examples(windows)
            for model_name in progress(STEPS, "networks", console=Console(stderr=True)):
                signature = Signature(model_name, genres, windows.shape[1:])
                model: Any = create(params.at(f"models.{model_name}"), signature)
                batches, _ = model.begin(examples)
                steps = min(STEPS[model_name], len(batches))
                in_memory = [batches[i] for i in range(steps)]
                kinds = [Steps(get, steps) for get in (in_memory.__getitem__, batches.__getitem__)]
                for kind in kinds:  # the first epochs trace and compile
                    seconds_per_step(model.network, kind)
                times = [
                    [seconds_per_step(model.network, kind) for kind in kinds]
                    for _ in range(repeats)
                ]
                bare, whole = (statistics.median(column) for column in zip(*times, strict=True))
                ratio = statistics.median(full / least for least, full in times)
                size = model.params.batch_size
                task = f"training {model_name}"
                rows += [
                    Row(task, f"bare step of {size} windows", f"{1000 * bare:,.0f} ms"),
                    Row(task, "with input", f"{1000 * whole:,.0f} ms", ratio, "<= 1.15"),
                ]
    write("training", rows)


if __name__ == "__main__":
    typer.run(main)
