"""Work out what a corpus of any size would take, from two runs of small ones.

    python benchmarks/simulate.py small-run larger-run --tracks 100000 --tracks 10000000

reads what the jobs of both runs wrote down (``results/benchmarks``). Two sizes tell of each step
what it takes whatever the corpus (start-up, imports) and what it takes for tracks; how the latter
grows is assumed (``LAWS``), not measured. The jobs are then run through a simulated list scheduler:
the graph of the table of steps, per shard where both ends are; whenever a core is free, the job
with the longest way to the end. Disks and networks cost nothing, and a job has one core.

Far beyond the runs this says which step is in the way, not how long it takes: an exponent that is
a little off, or another load on the machine, changes years. Memory isn't worked out: between two
small runs it differs by what libraries take.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from genreflow.params import load
from genreflow.steps import STEPS, Step, takes_part
from genreflow.store.files import read_json

TRACKS_PER_SHARD = 1000
CORES = (1, 100, 1000)
MOST_HOURS = 24
"""A job that takes longer breaks a run."""

QUADRATIC = ("svm_handcrafted", "svm_embedding", "svm_fusion")
"""Exact kernel machines: libsvm takes between n² and n³."""
LAWS: dict[str, float] = {
    "report": 0.0,
    "release": 0.0,
    # They train svm_handcrafted.
    "ungrouped": 2.0,
    "corpus_size": 2.0,
    "unknown": 2.0,
    "strangers": 0.0,
    **{f"{job}_{model}": 2.0 for model in QUADRATIC for job in ("train", "refit")},
}
"""Exponents of time; what isn't here grows with the tracks. See also :func:`law`."""


@dataclass(frozen=True)
class Measured:
    """What the jobs of a step took together: seconds and bytes."""

    seconds: float
    n_bytes: int
    n_files: int
    n_jobs: int


@dataclass(frozen=True)
class Run:
    """A finished run, or as far as it came: its usable tracks, and what its steps took."""

    tracks: int
    steps: dict[str, Measured]

    @classmethod
    def of(cls, project: Path) -> Run:
        """Read what the jobs of a project wrote down."""
        params, results = load(project / "params.yaml"), project / "results"
        listed = pd.read_parquet(results / "tracks.parquet")
        steps = {
            name: was
            for name, step in STEPS.items()
            if name != "demo" and takes_part(name, params) and (was := measured(step, results))
        }
        return cls(int((listed["status"] == "ok").sum()), steps)


@dataclass(frozen=True)
class Expected:
    """What a step would take: jobs, seconds of each, bytes and files of all."""

    step: Step
    n_jobs: int
    seconds: float
    n_bytes: float
    n_files: float


def places(step: Step) -> tuple[str, ...]:
    """Return where a step's files lie, below the results."""
    kind, _, model = step.name.partition("_")
    match step.script:
        case "features":
            return (f"features/{step.name}",)
        case "train":
            return (f"models/{model}",)
        case "refit":
            return (f"refit/{model}",)
        case "robustness":
            return (f"robustness/{model}.parquet",)
        case "audio" | "fingerprints" | "changed" | "release" | "report":
            return (kind,)
        case "evaluate":
            return ("evaluation",)
        case "explore":
            return ("exploration",)
    return (f"{step.name}.parquet", f"{step.name}.json")


def measured(step: Step, results: Path) -> Measured | None:
    """Add up what a step took; None where it wasn't run."""
    costs = [results / step.cost(None)] if step.per is None else []
    costs += (results / step.cost("any")).parent.glob("*.json") if step.per else []
    found = [cost for path in costs if path.is_file() and (cost := read_json(path))]
    if not found:
        return None
    files = [
        file
        for place in places(step)
        for file in ([results / place] if (results / place).is_file() else [])
        + [path for path in (results / place).rglob("*") if path.is_file()]
    ]
    return Measured(
        sum(cost["seconds"] for cost in found),
        sum(file.stat().st_size for file in files),
        len(files),
        len(found),
    )


def law(step: Step, tracks: float) -> float:
    """Return what the time of a step goes with, apart from a constant."""
    if step.name == "tracks":  # it sorts; bench_scale.py measures it
        return tracks * math.log(tracks)
    return float(tracks ** LAWS.get(step.name, 1.0))


def line(small: float, large: float, from_: float, to: float) -> tuple[float, float]:
    """Return what is fixed and what grows, of two values at two places; neither is negative."""
    slope = max((large - small) / (to - from_), 0.0) if to > from_ else 0.0
    return max(large - slope * to, 0.0), min(slope, large / to)


def expected(step: Step, runs: tuple[Run, Run], tracks: int) -> Expected:
    """Work out what a step takes for so many tracks."""
    small, large = (run.steps[step.name] for run in runs)
    few, many = (run.tracks for run in runs)
    shards = max(1, round(tracks / TRACKS_PER_SHARD))
    n_jobs = shards if step.per == "shard" else large.n_jobs
    # Of a step per shard, a job of the measured runs had a share of the tracks.
    parts = large.n_jobs if step.per == "shard" else 1
    size = tracks / shards if step.per == "shard" else tracks
    begin, end = few / parts, many / parts
    fixed, slope = line(
        small.seconds / small.n_jobs,
        large.seconds / large.n_jobs,
        law(step, begin),
        law(step, end),
    )
    kept, per_law = line(small.n_bytes, large.n_bytes, few, many)
    return Expected(
        step,
        n_jobs,
        fixed + slope * law(step, size),
        kept + per_law * tracks,
        n_jobs * (large.n_files / large.n_jobs + 2),
    )


def wall_seconds(steps: Mapping[str, Expected], cores: int) -> float:
    """Run all jobs through a list scheduler on so many cores; return when the last one ends."""
    rest = longest_ways(steps)
    needs = {name: [n for n in one.step.needs if n in steps] for name, one in steps.items()}
    users = defaultdict(list)
    for name, wanted in needs.items():
        for need in wanted:
            users[need].append(name)
    left = {name: one.n_jobs for name, one in steps.items()}
    waiting = {name: [len(needs[name])] * one.n_jobs for name, one in steps.items()}
    ready = [
        (-rest[name], name, job)
        for name, one in steps.items()
        if not needs[name]
        for job in range(one.n_jobs)
    ]
    heapq.heapify(ready)
    running: list[tuple[float, str, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < cores:
            _, name, job = heapq.heappop(ready)
            heapq.heappush(running, (now + steps[name].seconds, name, job))
        now, name, job = heapq.heappop(running)
        left[name] -= 1
        for user in users[name]:
            by_shard = steps[name].step.per == steps[user].step.per == "shard"
            if not by_shard and left[name]:
                continue
            for one in [job] if by_shard else range(steps[user].n_jobs):
                waiting[user][one] -= 1
                if not waiting[user][one]:
                    heapq.heappush(ready, (-rest[user], user, one))
    return now


def longest_ways(steps: Mapping[str, Expected]) -> dict[str, float]:
    """Return the seconds from each step to the end of the run, if no job ever waits for a core."""
    rest: dict[str, float] = {}
    for name in reversed(list(steps)):
        after = [rest[user] for user in rest if name in steps[user].step.needs]
        rest[name] = steps[name].seconds + max(after, default=0.0)
    return rest


def breaks_at(step: Step, runs: tuple[Run, Run]) -> float:
    """Return the tracks at which a job of a step takes too long; infinity beyond 10**9."""
    to = runs[1].tracks
    while to < 10**9:
        if expected(step, runs, to).seconds > 3600 * MOST_HOURS:
            return to
        to = int(to * 1.1) + 1
    return math.inf


def tables(runs: tuple[Run, Run], sizes: list[int]) -> Iterator[str]:
    """Yield the lines of the page."""
    names = [name for name in runs[1].steps if name in runs[0].steps]
    for size in sizes:
        steps = {name: expected(STEPS[name], runs, size) for name in names}
        yield f"**{size:,} tracks**, from runs of {runs[0].tracks} and {runs[1].tracks}:\n"
        yield "| step | jobs | a job | bytes | files |"
        yield "|---|--:|--:|--:|--:|"
        for name, one in steps.items():
            yield (
                f"| `{name}` | {one.n_jobs:,} | {duration(one.seconds)} | "
                f"{amount(one.n_bytes)} | {one.n_files:,.0f} |"
            )
        yield (
            f"| all | {sum(s.n_jobs for s in steps.values()):,} | "
            f"{duration(sum(s.n_jobs * s.seconds for s in steps.values()))} of one core | "
            f"{amount(sum(s.n_bytes for s in steps.values()))} | "
            f"{sum(s.n_files for s in steps.values()):,.0f} |\n"
        )
        yield "| cores | wall time | bound: longest chain, or work / cores |"
        yield "|--:|--:|--:|"
        for cores in CORES:
            work = sum(one.n_jobs * one.seconds for one in steps.values()) / cores
            bound = max(work, *longest_ways(steps).values())
            yield f"| {cores:,} | {duration(wall_seconds(steps, cores))} | {duration(bound)} |"
        yield ""
    yield f"Which jobs take more than {MOST_HOURS} h, and from how many tracks:\n"
    yield "| step | from |"
    yield "|---|--:|"
    limits = {name: breaks_at(STEPS[name], runs) for name in names}
    for name, least in sorted(limits.items(), key=lambda item: item[1]):
        if least < 10**8:
            yield f"| `{name}` | {float(f'{least:.2g}'):,.0f} tracks |"


def duration(seconds: float) -> str:
    """Write a duration in its largest unit."""
    for unit, length in (("years", 365 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def amount(n_bytes: float) -> str:
    """Write a number of bytes in its largest unit."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


def main(
    small: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    large: Annotated[Path, typer.Argument(help="Folder of one with more tracks.")],
    tracks: Annotated[list[int] | None, typer.Option(help="Sizes of the corpus.")] = None,
) -> None:
    """Print the tables as Markdown."""
    for text in tables((Run.of(small), Run.of(large)), tracks or [100_000, 10_000_000]):
        print(text)


if __name__ == "__main__":
    typer.run(main)
