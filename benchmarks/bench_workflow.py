"""Measure the workflow around the steps: both cores, memory, and runs with nothing to do.

    python benchmarks/bench_workflow.py data/genres

Everything runs in a copy of this repository's files below a temporary folder. The models are cut
down to what takes seconds: a plan depends on the number of jobs and files, not on their content.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml
from rows import Row, write

from genreflow.store.files import read_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BIN = Path(sys.executable).parent
FEATURES = ("all_audio", "all_handcrafted", "all_mel")
SMALL: dict[str, dict[str, Any]] = {
    "svm_mel": {"windows_per_track": 1, "n_components": 20, "n_landmarks": 50},
    "xgb_mel": {"windows_per_track": 1, "n_estimators": 2},
    "svm_handcrafted": {"inner_folds": 2, "selected_fraction": [1.0], "C": [1.0]},
    "xgb_handcrafted": {"inner_folds": 2, "selected_fraction": [1.0], "n_estimators": [2]},
    "cnn": {"epochs": 1, "windows_per_epoch": 32, "filters": [4, 4, 4, 4, 4]},
    "lstm": {"epochs": 1, "windows_per_epoch": 32, "filters": [4, 4, 4], "units": [8]},
    "resnet50": {"epochs": 1, "windows_per_epoch": 32, "input_bands": 32},
}


@dataclass(frozen=True)
class Seconds:
    """What a command took."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Project:
    """A copy of the repository that compares models on `corpus`."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, corpus: Path, shards_per_genre: int = 1) -> Project:
        """Copy what git tracks or would track."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        values["corpus"]["root"] = str(corpus.resolve())
        values["corpus"]["shards_per_genre"] = shards_per_genre
        for model, section in SMALL.items():
            values["models"][model].update(section)
        (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        (folder / "dvc.lock").unlink(missing_ok=True)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        return cls(folder)

    def seconds(self, *command: str) -> Seconds:
        """Run a command in the project."""
        return run(command, self.folder)

    def said(self, *command: str) -> str:
        """Run a command in the project; return what it wrote to standard output."""
        return _run(command, self.folder).stdout

    def peaks(self) -> pd.Series:
        """Return the largest memory of any job by step [MB], as the jobs wrote it down."""
        files = list((self.folder / "results/benchmarks").glob("*/*.json"))
        found = [read_json(path)["peak_rss_mb"] for path in files]
        steps = [path.parent.name for path in files]
        return pd.Series(found, dtype=float).groupby(steps).max()


def run(command: tuple[str, ...], folder: Path) -> Seconds:
    """Run a command to its end, quietly.

    Raises
    ------
    SystemExit
        It failed; what it said goes to standard error.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    _run(command, folder)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _run(command: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_NO_ANALYTICS": "true",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done


def scaling(project: Project) -> Iterator[Row]:
    """Decode and extract with one job at a time, then with two."""
    took = {}
    for jobs in (1, 2):
        shutil.rmtree(project.folder / "results", ignore_errors=True)
        took[jobs] = project.seconds("snakemake", "--cores", str(jobs), *FEATURES).wall
    yield Row("audio and features", "snakemake -j1", f"{took[1]:.0f} s wall")
    yield Row(
        "audio and features", "snakemake -j2", f"{took[2]:.0f} s wall", took[1] / took[2], ">= 1.7"
    )


def memory(project: Project, corpus: Path, folder: Path) -> Iterator[Row]:
    """Repeat decoding, features and reading on a corpus that is four times as large."""
    larger = folder / "corpus-4"
    for path in sorted(corpus.glob("*/*")):
        for copy in range(4):
            link = larger / path.parent.name / f"{copy}.{path.name}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    second = Project.create(folder / "four times", larger)
    second.seconds("snakemake", "--cores", "2", *FEATURES)
    small, large = project.peaks(), second.peaks()
    peaks = {rule: (small[rule], large[rule]) for rule in ("audio", "handcrafted", "mel")}
    peaks["training input"] = (reading(project.folder), reading(second.folder))
    for rule, (one, four) in peaks.items():
        yield Row(
            "memory", f"{rule}, 4 × the tracks", f"{one:.0f} → {four:.0f} MB", four / one, "<= 1.1"
        )
    shutil.rmtree(second.folder)


def reading(folder: Path) -> float:
    """Return the largest memory of a process that reads an epoch of training windows [MB]."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(read_epoch, folder).result()


def read_epoch(folder: Path) -> float:
    """Read an epoch of the CNN's windows; return the largest memory of this process [MB]."""
    from genreflow import lineage
    from genreflow.features.mel.read import MelWindows
    from genreflow.jobs import peak_rss_mb
    from genreflow.models.base import Examples
    from genreflow.models.neural.batches import WindowBatches
    from genreflow.params import load

    params = load(folder / "params.yaml")
    shards = sorted((folder / "results/features/mel").glob("*.npz"))
    with MelWindows(shards, lineage.stamp("mel", params)) as windows:
        track = windows.window_track
        rows = np.arange(len(windows))
        examples = Examples(windows, rows, 0 * track, track, track, windows.window_copy)
        silence = np.zeros((windows.shape[2], 1), dtype=np.float32)
        batches = WindowBatches(examples, params.at("models.cnn"), 1, silence)
        for i in range(len(batches)):
            batches[i]
    return peak_rss_mb()


def start_up(project: Project, folder: Path, repeats: int) -> Iterator[Row]:
    """Make everything once; then ask both tools what is left, here and in an empty project."""
    project.seconds("snakemake", "--cores", "2")
    project.seconds("bash", "workflow/record.sh")
    empty = folder / "empty"
    empty.mkdir()
    (empty / "Snakefile").touch()
    (empty / "dvc.yaml").touch()
    for command in (("git", "init", "--quiet"), ("dvc", "init", "--quiet")):
        run(command, empty)
    for what in (("snakemake", "--dry-run"), ("dvc", "status")):
        times = []
        for _ in range(repeats + 1):
            times.append((run(what, empty).processor, project.seconds(*what).processor))
        least, full = (statistics.median(column) for column in zip(*times[1:], strict=True))
        name = " ".join(what)
        yield Row(f"{name}, nothing to do", "empty project", f"{least:.1f} s")
        ratio = statistics.median(b / a for a, b in times[1:])
        yield Row(f"{name}, nothing to do", "finished project", f"{full:.1f} s", ratio, "<= 1.5")


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")] = Path("data/genres"),
    repeats: Annotated[int, typer.Option(help="How often to ask for a plan.")] = 5,
) -> None:
    """Measure, print the rows and write them."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project.create(folder / "project", corpus)
        for part in (
            scaling(project),
            memory(project, corpus, folder),
            start_up(project, folder, repeats),
        ):
            rows.extend(part)
    write("workflow", rows)


if __name__ == "__main__":
    typer.run(main)
