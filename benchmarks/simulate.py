"""Work out what a corpus of any size would take, from runs of three small ones.

    python benchmarks/simulate.py run-of-100 run-of-300 run-of-900 --tracks 100000

reads what the jobs of the runs wrote down (``results/benchmarks``). Each corpus has the same number
of times the tracks of the one before. So the seconds that a step takes more from one to the next
tell the exponent with which it grows, whatever it takes to start: ``t(n) = start + c n**p``, and
``p`` is the logarithm of the ratio of the two differences. The jobs are then run through a
simulated list scheduler: the graph of the table of steps, per shard where both ends are; whenever a
core is free, the job with the longest way to the end. Disks and networks cost nothing, and a job
has one core.

Far beyond the runs this says which step is in the way and roughly how long it takes: an exponent
that is off by a tenth changes a hundred times the tracks by a factor of 1.6. Memory isn't worked
out: between small runs it differs by what libraries take.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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

MOST_EXPONENT = 3.0
"""Of libsvm, the steepest that is used here: between n² and n³."""

NOTICEABLE = 1.0
"""Seconds by which a step must grow to tell an exponent; one that grows less is in proportion."""


@dataclass(frozen=True)
class Measured:
    """What the jobs of a step took together, and left.

    Seconds are the processor's, which other work on the machine lengthens less than the wall's.
    """

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


Runs = tuple[Run, Run, Run]


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
        sum(cost["processor_seconds"] for cost in found),
        sum(file.stat().st_size for file in files),
        len(files),
        len(found),
    )


@dataclass(frozen=True)
class Growth:
    """What a job takes for n tracks: ``start + rate * n**exponent``, in seconds."""

    start: float
    rate: float
    exponent: float

    @classmethod
    def through(cls, sizes: Sequence[float], seconds: Sequence[float]) -> Growth:
        """Find it from three sizes, each the same number of times the one before."""
        (few, some, many), (short, middle, long) = sizes, seconds
        first, second = middle - short, long - middle
        exponent = 1.0
        if first > 0 and second > NOTICEABLE:
            exponent = math.log(second / first) / math.log(many / some)
            exponent = min(max(exponent, 0.0), MOST_EXPONENT)
        spread = many**exponent - few**exponent
        rate = max(long - short, 0.0) / spread if spread else 0.0
        start = max(long - rate * many**exponent, 0.0)
        return cls(start, min(rate, long / many**exponent), exponent)

    def seconds(self, tracks: float) -> float:
        """Return what a job of so many tracks takes."""
        return self.start + self.rate * tracks**self.exponent


def growth(name: str, runs: Runs) -> Growth:
    """Find how the jobs of a step grow with the tracks that one of them works on."""
    of_step = [run.steps[name] for run in runs]
    parts = of_step[-1].n_jobs if STEPS[name].per == "shard" else 1
    sizes = [run.tracks / parts for run in runs]
    return Growth.through(sizes, [was.seconds / was.n_jobs for was in of_step])


def expected(step: Step, runs: Runs, tracks: int) -> Expected:
    """Work out what a step takes for so many tracks."""
    few, many = runs[0].steps[step.name], runs[-1].steps[step.name]
    shards = max(1, round(tracks / TRACKS_PER_SHARD))
    n_jobs = shards if step.per == "shard" else many.n_jobs
    size = tracks / shards if step.per == "shard" else tracks
    per_track = max(many.n_bytes - few.n_bytes, 0) / (runs[-1].tracks - runs[0].tracks)
    kept = max(many.n_bytes - per_track * runs[-1].tracks, 0.0)
    return Expected(
        step,
        n_jobs,
        growth(step.name, runs).seconds(size),
        kept + per_track * tracks,
        n_jobs * (many.n_files / many.n_jobs + 2),
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


def breaks_at(step: Step, runs: Runs) -> float:
    """Return the tracks at which a job of a step takes too long; infinity beyond 10**9."""
    to = runs[-1].tracks
    while to < 10**9:
        if expected(step, runs, to).seconds > 3600 * MOST_HOURS:
            return to
        to = int(to * 1.1) + 1
    return math.inf


def tables(runs: Runs, sizes: list[int]) -> Iterator[str]:
    """Yield the lines of the page."""
    names = [name for name in runs[-1].steps if all(name in run.steps for run in runs)]
    for size in sizes:
        steps = {name: expected(STEPS[name], runs, size) for name in names}
        known = ", ".join(str(run.tracks) for run in runs)
        yield f"**{size:,} tracks**, from runs of {known}:\n"
        yield "| step | measured | grows with n to the power | jobs | a job | bytes | files |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        for name, one in steps.items():
            yield (
                f"| `{name}` | {took(name, runs)} | {growth(name, runs).exponent:.1f} | "
                f"{one.n_jobs:,} | {duration(one.seconds)} | "
                f"{amount(one.n_bytes)} | {one.n_files:,.0f} |"
            )
        yield (
            f"| all | | | {sum(s.n_jobs for s in steps.values()):,} | "
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


def took(name: str, runs: Runs) -> str:
    """Write the seconds that a job of a step took in each run."""
    of_step = [run.steps[name] for run in runs]
    return ", ".join(f"{was.seconds / was.n_jobs:.1f}" for was in of_step)


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
    middle: Annotated[Path, typer.Argument(help="Of one with k times the tracks.")],
    large: Annotated[Path, typer.Argument(help="Of one with k times the tracks of that.")],
    tracks: Annotated[list[int] | None, typer.Option(help="Sizes of the corpus.")] = None,
) -> None:
    """Print the tables as Markdown."""
    runs = Run.of(small), Run.of(middle), Run.of(large)
    for text in tables(runs, tracks or [100_000, 10_000_000]):
        print(text)


if __name__ == "__main__":
    typer.run(main)
