"""Make a corpus of GTZAN's size, 10 genres × 100 tracks × 30 s, for runs at scale.

    python benchmarks/corpus.py data/scale

The tracks are the demo's (see :mod:`genreflow.corpus.demo`), only longer and more of them. They
are as long and as many as GTZAN's, so that times and memory carry over; their accuracies don't.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track as progress

from genreflow.corpus.demo.synthesise import DEMO_GENRES, synthesise_genre
from genreflow.params import Demo


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write the genre folders.")],
    tracks_per_genre: Annotated[int, typer.Option(min=1, help="Tracks in each genre.")] = 100,
    seconds: Annotated[float, typer.Option(min=1.5, help="Length of a track [s].")] = 30.0,
) -> None:
    """Write the corpus, one process per core; tracks that lie there already are made again."""
    demo = Demo(tracks_per_genre=tracks_per_genre, seconds=seconds)
    with ProcessPoolExecutor() as pool:
        jobs = [pool.submit(synthesise_genre, genre, demo, folder / genre) for genre in DEMO_GENRES]
        for job in progress(
            as_completed(jobs), "genres", total=len(jobs), console=Console(stderr=True)
        ):
            job.result()


if __name__ == "__main__":
    typer.run(main)
