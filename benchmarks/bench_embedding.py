"""Measure how fast the built-in encoders hear, after `make transfer`.

    python benchmarks/bench_embedding.py

Each hears clips of 30 s of noise on one thread, after a first one that isn't counted; time is
processor time, and figures are medians. The target is for one encoder.
"""

# ruff: noqa: E402
from __future__ import annotations

import statistics
import time
from typing import Annotated

from genreflow.threads import fix_arithmetic

fix_arithmetic(1)

import numpy as np
import typer
from rows import Row, write

from genreflow.features.embedding import extract
from genreflow.jobs import peak_rss_mb
from genreflow.registry.embedding import BUILT_IN, Embedding

RATE, SECONDS = 22_050, 30
TARGET = ">= 15"


def speed(params: Embedding, repeats: int) -> float:
    """Return seconds of music in a second of processor time."""
    clip = np.random.default_rng(0).normal(0, 3000, RATE * SECONDS).astype(np.int16)
    extract.embed(clip, RATE, params)
    took = []
    for _ in range(repeats):
        begun = time.process_time()
        extract.embed(clip, RATE, params)
        took.append(time.process_time() - begun)
    return SECONDS / statistics.median(took)


def main(repeats: Annotated[int, typer.Option(min=1, help="Clips that are counted.")] = 20) -> None:
    """Hear clips with every encoder alone, and with those of the default together."""
    rows = []
    for encoders in (*([name] for name in BUILT_IN), Embedding().encoder):
        times = speed(Embedding(encoder=encoders), repeats)
        rows.append(
            Row("hear 30 s", " + ".join(encoders), f"{times:.0f} × real time", times, TARGET)
        )
    rows.append(Row("hear 30 s", "highest memory", f"{peak_rss_mb():.0f} MB"))
    write("embedding", rows)


if __name__ == "__main__":
    typer.run(main)
