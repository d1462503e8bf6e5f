"""A run that is killed at any moment goes on when started again, and ends with the same bytes."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import TINY_GENRES, Project, outdated_stages, plan, synthesise

pytestmark = pytest.mark.workflow

KILLS = 20
CHEAP = {"evaluation.models": ["svm_handcrafted", "xgb_mel"]}
TELLS_TIMES = re.compile(r"logs/|benchmarks/|report/(index|comparison|model_cards)")
NOTHING = re.compile("changed/|robustness/")
"""Where changes of test tracks are switched off, DVC has it said by empty tables."""
TEMPORARY = ".*.unfinished-*"


def outputs(project: Project) -> dict[str, bytes]:
    """Map every result to its bytes, but for those that tell times."""
    results = project.folder / "results"
    files = {path.relative_to(results).as_posix(): path for path in results.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in sorted(files.items())
        if path.is_file()
        and not TELLS_TIMES.match(name)
        and not NOTHING.match(name)
        and path.name != ".snakemake_timestamp"
    }


def users_files(project: Project) -> dict[Path, tuple[bytes, int]]:
    """Map what a run only reads to its bytes and dates."""
    files = [project.folder / "params.yaml", *(project.folder / "data").rglob("*")]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files if path.is_file()}


@pytest.fixture(scope="module")
def new(tmp_path_factory) -> Project:
    """A project in which nothing has been made yet."""
    project = Project.create(tmp_path_factory.mktemp("killed") / "new", **CHEAP)
    synthesise(project.folder / "data/tiny")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "Start")
    return project


@pytest.fixture(scope="module")
def undisturbed(new) -> dict[str, bytes]:
    """The outputs of a run that nobody killed."""
    project = new.copy(new.folder.parent / "undisturbed")
    project.snakemake()
    return outputs(project)


@pytest.fixture
def project(new, tmp_path) -> Project:
    return new.copy(tmp_path / "project")


def files_below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield files with their dates, however many a run makes and removes meanwhile."""
    for parent, _, names in os.walk(folder):
        for path in map(Path(parent).joinpath, names):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat().st_mtime_ns


def jobs_done(project: Project) -> set[tuple[Path, int]]:
    """Return what each job writes last, with its date."""
    costs = files_below(project.folder / "results/benchmarks")
    return {(path, date) for path, date in costs if not path.name.startswith(".")}


def is_writing(project: Project) -> bool:
    """Tell whether a job is in the middle of writing a file."""
    return any(path.match(TEMPORARY) for path, _ in files_below(project.folder / "results"))


def outputs_under_way(project: Project) -> set[str]:
    """Return the outputs of jobs that have begun and not ended, as Snakemake notes them."""
    notes = (project.folder / ".snakemake/incomplete").glob("*")
    return {base64.urlsafe_b64decode(note.name).decode() for note in notes}


def steps_under_way(project: Project) -> set[str]:
    """Return the steps of these jobs, by the files that say what jobs cost."""
    outputs = [Path(path).parts for path in outputs_under_way(project)]
    return {parts[2].removesuffix(".json") for parts in outputs if parts[1] == "benchmarks"}


def notes(project: Project) -> set[tuple[Path, int]]:
    """Return Snakemake's notes of what is under way, those of killed jobs among them."""
    return set(files_below(project.folder / ".snakemake/incomplete"))


def until(
    condition: Callable[[], object], process: subprocess.Popen[bytes], seconds: float
) -> None:
    """Wait until something is so, or the process has ended, or too much time has passed."""
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.003)


def killed_at_some_moment(project: Project, command: list[str], dice: random.Random) -> bool:
    """Start a run and kill it with all its children; return False if it ended before.

    Some runs are killed as they start, some between jobs or within, some while a file is written.
    """
    done, left = jobs_done(project), notes(project)
    jobs = dice.randrange(4)
    with project.started(*command) as run:
        if jobs:
            until(lambda: len(jobs_done(project) - done) >= jobs, run, 60)
        else:
            until(lambda: False, run, dice.uniform(0, 3))
        match dice.randrange(3):
            case 0:
                until(lambda: False, run, dice.uniform(0, 1))
            case 1:
                until(lambda: notes(project) - left, run, 30)
                until(lambda: False, run, dice.uniform(0, 0.1))
            case 2:
                until(lambda: is_writing(project), run, 5)
        if run.poll() is not None:
            assert run.returncode == 0 or cut_off(project), project.said
            return False
        children = psutil.Process(run.pid).children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, "a child of the run that survived its process group"
    return True


def cut_off(project: Project) -> bool:
    """Tell whether DVC can't read what it was writing when it was killed.

    It writes these two files in place. In these few milliseconds a kill is beyond what a workflow
    can mend by itself, and ``make unlock`` is needed.
    """
    files = r"unable to read: '.*dvc\.lock'|dvc\.lock' validation failed|RWLock-file"
    return re.search(files, project.said) is not None


def assert_same(made: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert set(made) == set(expected)
    assert [name for name in made if made[name] != expected[name]] == []


@pytest.mark.parametrize("command", [["snakemake", "-j2"], ["dvc", "repro"]], ids=" ".join)
def test_a_run_killed_at_twenty_moments_ends_with_the_bytes_of_an_undisturbed_one(
    project, undisturbed, command
):
    dice = random.Random(11)
    users = users_files(project)
    kills, interrupted = 0, set()
    while True:
        if kills < KILLS and killed_at_some_moment(project, command, dice):
            kills += 1
            interrupted |= steps_under_way(project)
            continue
        with project.started(*command) as run:
            run.wait()
        if cut_off(project):
            project.run("workflow/unlock.sh")
            continue
        assert run.returncode == 0, project.said
        assert_same(outputs(project), undisturbed)
        if kills == KILLS:
            break
        project.git("clean", "-xdfq", "results", "workflow", ".snakemake", ".dvc", "dvc.lock")
    assert users_files(project) == users
    assert plan(project).jobs == {}
    if command[0] == "dvc":
        assert outdated_stages(project) == set()
    assert len(interrupted) >= 2, "kills at several steps"


def begun(project: Project, run: subprocess.Popen[bytes], jobs: int = 1) -> None:
    """Wait until a run has ended some jobs and is at work on another."""
    until(lambda: len(jobs_done(project)) >= jobs and outputs_under_way(project), run, 60)
    assert run.poll() is None, project.said


def test_a_job_ends_when_snakemake_alone_is_killed(project):
    """As the system does it, for memory: the next run has the folder for itself."""
    with project.started("snakemake", "-j2") as run:
        begun(project, run)
        children = psutil.Process(run.pid).children(recursive=True)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert children
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    project.run("snakemake", "-j2", "tracks")


def test_locks_and_dates_of_a_killed_run_need_no_hand(project):
    """Snakemake's own locks too, which a run with another profile leaves behind."""
    with project.started("snakemake", "-j1", "--workflow-profile", "none", "tracks") as run:
        begun(project, run)
    assert list((project.folder / ".snakemake/locks").iterdir())
    (project.folder / "results/audio/.blues.arrow.unfinished-x1y2.arrow").write_bytes(b"half")
    project.run("snakemake", "-j2", "tracks")
    assert not list((project.folder / "results").rglob(TEMPORARY))
    # As if killed between two outputs of a job.
    (project.folder / "results/audio/blues.arrow").touch()
    project.run("snakemake", "-j2", "tracks")
    assert plan(project, "results/tracks.parquet").jobs == {}


def test_two_runs_at_once_are_one_and_a_message_that_names_it(project):
    with project.started("snakemake", "-j1") as run:
        begun(project, run)
        made = {path for path, _ in jobs_done(project)}
        second = project.run("snakemake", "-j1", "--forceall", "tracks", check=False)
        assert second.returncode == 1
        assert "another run is at work in this folder: `snakemake -j1` (" in second.stderr
        assert f"kill {run.pid}" in second.stderr
        second = project.run("dvc", "repro", check=False)
        assert second.returncode != 0
        assert f"PID {run.pid}): snakemake" in second.stderr
        assert all(path.exists() for path in made), "nothing was deleted"
        project.run("snakemake", "-j1", "--dry-run", "tracks")
        assert run.poll() is None


def test_a_run_beside_dvc_names_it_and_deletes_nothing(project):
    with project.started("dvc", "repro") as run:
        begun(project, run, jobs=4)
        made = {path for path, _ in jobs_done(project)}
        second = project.run("snakemake", "-j1", check=False)
        assert second.returncode == 1
        assert "another run is at work" in second.stderr or "DVC is at work" in second.stderr
        assert all(path.exists() for path in made)
        assert run.poll() is None


def test_a_genre_that_vanishes_while_running_is_named_and_the_rest_stays(project):
    with project.started("snakemake", "-j1", "tracks") as run:
        begun(project, run)
        shards = {path.stem for path in (project.folder / "results/audio").glob("*.parquet")}
        under_way = {Path(path).stem for path in outputs_under_way(project)}
        lost = sorted(set(TINY_GENRES) - shards - under_way)[-1]
        (project.folder / "data/tiny" / lost).rename(project.folder / "unplugged")
        run.wait()
    assert run.returncode == 1
    assert f"data/tiny/{lost}: the folder can't be listed" in project.said
    assert not (project.folder / f"results/audio/{lost}.parquet").exists()
    (project.folder / "unplugged").rename(project.folder / "data/tiny" / lost)
    project.run("snakemake", "-j1", "tracks")
    assert plan(project, "tracks").jobs == {}


def test_what_changes_in_the_corpus_while_dvc_decodes_it_is_decoded_too(project):
    """DVC digests the corpus only after the stage, and would take it for what was decoded."""
    genre = project.folder / "data/tiny/blues"
    with project.started("dvc", "repro", "audio") as run:
        until((project.folder / "results/audio/blues.parquet").exists, run, 60)
        assert run.poll() is None, project.said
        shutil.copy2(genre / "blues.00000.flac", genre / "blues.00006.flac")
        (genre / "blues.00001.flac").unlink()
        assert run.wait() == 0, project.said
    assert plan(project, "results/audio/blues.arrow").jobs == {}
