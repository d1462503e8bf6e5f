"""Measure what grows with the corpus: plans, the look at its files, the search for duplicates.

    python benchmarks/bench_scale.py data/genres

A quarter of an hour and 9 GB below the temporary folder (``TMPDIR``), which are removed. The corpus
gives the spectral peaks that tracks are made up from; see ``many_prints.py``.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from bench_workflow import Project
from rows import Row, write

GENRES, SHARDS = 16, 64
FILES_PER_SHARD = 10
MANY_FILES = (100_000, 1_000_000)
MANY_TRACKS = (1000, 4000, 16_000)
MOST_SECONDS_OF_A_PLAN = 15
MOST_SECONDS_OF_A_SCAN = 30


@dataclass(frozen=True)
class Took:
    """What something took in a process of its own.

    Parameters
    ----------
    seconds
        Of the processor.
    megabytes
        Largest memory of the process, also that of what it imports.
    found
        What it found, as a count.
    """

    seconds: float
    megabytes: float
    found: int


def alone(task: Callable[..., int], *arguments: object) -> Took:
    """Run a task in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, task, arguments).result()


def _measured(task: Callable[..., int], arguments: tuple[object, ...]) -> Took:
    # Loading libraries takes the same however many tracks there are: as long as a thousand do.
    import many_prints  # noqa: F401

    import genreflow.corpus.digest
    import genreflow.fingerprints.read
    import genreflow.tracks.duplicates  # noqa: F401

    begun = time.process_time()
    found = task(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Took(time.process_time() - begun, peak, found)


def make_files(root: Path, n_files: int) -> None:
    """Make empty files that pass for audio, the same number in every genre."""
    for genre in range(GENRES):
        folder = root / f"genre {genre:02d}"
        folder.mkdir(parents=True)
        for number in range(n_files // GENRES):
            (folder / f"{number:06d}.mp3").touch()


def plans(folder: Path, repeats: int) -> Iterator[Row]:
    """Ask both tools what is to be done, before anything is made and after all is."""
    corpus = folder / "corpus"
    make_files(corpus, GENRES * SHARDS * FILES_PER_SHARD)
    project = Project.create(folder / "project", corpus, shards_per_genre=SHARDS)
    ask = ("snakemake", "--cores", "1", "--dry-run", "--quiet", "all")
    project.seconds(*ask)
    yield plan("snakemake --dry-run, nothing made yet", project, ask, repeats)
    pretend(project)
    yield plan("snakemake --dry-run, all made", project, ask, repeats)
    yield plan("dvc status, all made", project, ("dvc", "status"), repeats)


def plan(what: str, project: Project, command: tuple[str, ...], repeats: int) -> Row:
    """Measure a question, the least of some times."""
    seconds = min(project.seconds(*command).processor for _ in range(repeats))
    share = seconds / MOST_SECONDS_OF_A_PLAN
    return Row(f"{GENRES} × {SHARDS} shards", what, f"{seconds:.1f} s", share, "<= 1")


def pretend(project: Project) -> None:
    """Put an empty file or folder where each job writes, and let both tools vouch for them."""
    listed = project.said("snakemake", "--cores", "1", "--forceall", "--summary")
    for line in listed.splitlines()[1:]:
        path = project.folder / line.partition("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if "." not in path.name else path.touch()
    touch = ("--touch", "--forceall", "--no-hooks", "--quiet", "all")
    project.seconds("snakemake", "--cores", "1", *touch)
    for stage in ("code", "inputs"):
        project.seconds("workflow/genreflow.sh", "workflow", stage)
    (project.folder / "results/features/embedding").mkdir(parents=True, exist_ok=True)
    project.seconds("dvc", "commit", "--force", "--quiet", "report", "release", "--with-deps")


def look(root: Path, cache: Path) -> int:
    """Digest every shard of a corpus; return the number of shards."""
    from genreflow.corpus.digest import shard_digests
    from genreflow.corpus.layout import read_layout
    from genreflow.corpus.scan import list_shards

    layout = read_layout(root, None)
    shards = list_shards(layout.genres, SHARDS).values()
    return sum(
        len(shard_digests(layout, [shard for shard in shards if shard.genre == genre], cache))
        for genre in layout.genres
    )


def scans(folder: Path) -> Iterator[Row]:
    """Look at many files whose content is known already."""
    before: Took | None = None
    for n_files in MANY_FILES:
        root, cache = folder / f"{n_files}", folder / f"digests of {n_files}"
        make_files(root, n_files)
        alone(look, root, cache)
        took = alone(look, root, cache)
        what = f"{n_files:,} files, {GENRES} × {SHARDS} shards"
        if n_files == MANY_FILES[-1]:
            share, target = took.seconds / MOST_SECONDS_OF_A_SCAN, "<= 1"
        else:
            share, target = None, ""
        yield Row("look for changed files", what, f"{took.seconds:.1f} s", share, target)
        if before:
            yield Row(
                "look for changed files",
                "memory, 10 × the files",
                f"{before.megabytes:.0f} → {took.megabytes:.0f} MB",
                took.megabytes / before.megabytes,
                "<= 2",
            )
        before = took


def search(n_tracks: int, folder: Path) -> int:
    """Search made-up tracks for duplicates; return how many copies weren't found.

    Raises
    ------
    SystemExit
        Tracks were taken for copies that are none.
    """
    from many_prints import STAMP, read

    from genreflow.fingerprints.read import CorpusPrints
    from genreflow.params import Tracks
    from genreflow.tracks.duplicates import near_duplicates

    made = read(folder, n_tracks)
    prints = CorpusPrints(dict.fromkeys(made.paths, ""), STAMP, made.positions)
    matches = near_duplicates(prints, made.samples, Tracks().min_correlation)
    found = {(match.first, match.second) for match in matches}
    planted = {(copy - 1, copy) for copy in made.begins}
    if strange := found - planted:
        raise SystemExit(f"{len(strange)} pairs are no copies, such as {min(strange)}")
    return len(planted - found)


def duplicates(corpus: Path, folder: Path) -> Iterator[Row]:
    """Search ever more tracks; the ratio is of milliseconds per track, to those of the fewest."""
    from many_prints import base_peaks, make

    base = base_peaks(corpus, 1000)
    first = 0.0
    for n_tracks in MANY_TRACKS:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            made = make(base, n_tracks, Path(name))
            took = alone(search, n_tracks, Path(name))
        each = 1000 * took.seconds / n_tracks
        first = first or each
        yield Row(
            "search for duplicates",
            f"{n_tracks:,} tracks of 30 s, {took.megabytes / 1000:.1f} GB, "
            f"{len(made.begins) - took.found} of {len(made.begins)} copies found",
            f"{each:.1f} ms per track",
            each / first,
            f"<= {math.log(n_tracks) / math.log(MANY_TRACKS[0]):.2f}",
        )


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/genres"),
    repeats: Annotated[int, typer.Option(help="How often to ask for a plan.")] = 3,
) -> None:
    """Measure, print the rows and write them."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (plans(folder, repeats), scans(folder), duplicates(corpus, folder)):
            rows.extend(part)
    write("scale", rows)


if __name__ == "__main__":
    typer.run(main)
