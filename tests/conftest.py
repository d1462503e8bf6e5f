"""A small project in a folder of its own, and what the two tools say about it."""

import contextlib
import functools
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml
from filelock import FileLock

from genreflow import registry, threads

# Tests compare what jobs made with what they compute here: with the same kernels, but all threads.
_threads = {name: os.environ.get(name) for name in threads._THREAD_VARIABLES}
threads.fix_arithmetic(1)
for _name, _value in _threads.items():
    os.environ.pop(_name)
    if _value is not None:
        os.environ[_name] = _value

pytest_plugins = ["tests.marks"]

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

TINY = {
    "corpus.root": "data/tiny",
    "demo.tracks_per_genre": 6,
    "demo.seconds": 3.0,
    "audio.augment": ["tone"],
    "evaluation.n_bootstrap": 100,
    "models.svm_mel.n_components": 8,
    "models.svm_mel.n_landmarks": 50,
    "models.xgb_mel.n_estimators": 4,
    "models.svm_handcrafted.inner_folds": 2,
    "models.svm_handcrafted.C": [1.0],
    "models.xgb_handcrafted.inner_folds": 2,
    "models.xgb_handcrafted.n_estimators": [4],
    "models.cnn.epochs": 2,
    "models.lstm.epochs": 2,
    "models.resnet50.epochs": 2,
    "models.resnet50.input_bands": 32,
    "robustness.enabled": False,
}
TINY_GENRES = ("blues", "metal", "pop")


def set_param(values: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        values = values[part]
    values[last] = value


@dataclass(frozen=True)
class Project:
    """A copy of the repository's tracked files, as a user has it after cloning."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, **edits: Any) -> "Project":
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        project = cls(folder)
        for lock in ("dvc.lock", "workflow/dvc.lock"):
            (folder / lock).unlink(missing_ok=True)
        project.git("init", "-q", "-b", "main")
        project.edit(**TINY | edits)
        return project

    def copy(self, folder: Path) -> "Project":
        """Copy all files with their dates, as an archive would."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    @property
    def params(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))

    def edit(self, **edits: Any) -> None:
        values = self.params
        for name, value in edits.items():
            set_param(values, name, value)
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        (self.folder / "params.yaml").write_text(text, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What a user of this clone has in the environment."""
        return os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{self.folder / 'src'}{os.pathsep}{ROOT / 'tests/spy'}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "DVC_NO_ANALYTICS": "true",
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as a user of this clone would."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if check and done.returncode:
            logs = "\n".join(
                f"--- {log}\n{log.read_text(errors='replace')[-2000:]}"
                for log in sorted(self.folder.glob("results/logs/**/*.log"))[-3:]
            )
            raise AssertionError(
                f"{' '.join(command)}: {done.stdout[-4000:]}{done.stderr[-4000:]}{logs}"
            )
        return done

    @contextlib.contextmanager
    def started(self, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Start a command in a process group of its own, which has ended afterwards in any case.

        What it says goes to ``.git/said.txt``.
        """
        with (self.folder / ".git/said.txt").open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def said(self) -> str:
        """What the command said that was started last."""
        return (self.folder / ".git/said.txt").read_text(encoding="utf-8", errors="replace")

    def snakemake(self, *arguments: str, cores: int = 2) -> None:
        self.run("snakemake", "--cores", str(cores), *arguments)

    def git(self, *arguments: str) -> str:
        author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return self.run("git", *author, *arguments).stdout


@dataclass(frozen=True)
class Plan:
    """What Snakemake would do: jobs per rule, and the rules that it gives a reason for."""

    jobs: dict[str, int]
    reasons: dict[str, set[str]]

    @property
    def own_reasons(self) -> set[str]:
        """Rules that rerun for a reason of their own, not because an input is made anew."""
        inherited = "input files updated by another job"
        return set().union(*(rules for why, rules in self.reasons.items() if why != inherited))


def plan(project: Project, *targets: str) -> Plan:
    """Ask Snakemake for a dry run. In this process: a hundred of them take a minute, not ten."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    said = io.StringIO()
    here = Path.cwd()
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
            SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.RULES})) as api,
        ):
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                snakefile=project.folder / "Snakefile",
                workdir=project.folder,
            )
            dag = workflow.dag(DAGSettings(targets=set(targets)))
            dag.execute_workflow(
                executor="dryrun", execution_settings=ExecutionSettings(lock=False)
            )
    finally:
        os.chdir(here)
    return parse_plan(said.getvalue())


def plan_anew(project: Project) -> dict[str, int]:
    """Plan in a new process, where the code that runs is the project's, not this checkout's."""
    said = project.run("snakemake", "--cores", "1", "--dry-run", "--quiet", "rules")
    return parse_plan(said.stdout + said.stderr).jobs


def parse_plan(text: str) -> Plan:
    """Read the tables "Job stats" and "Reasons" that a dry run prints."""
    stats = text.rpartition("Job stats:")[2]
    jobs = {
        rule: int(count)
        for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)
        if rule not in ("total", "all")
    }
    if not jobs:
        assert "Nothing to be done" in text, text
    reasons = {}
    for why, rules in re.findall(r"^    (\S[^\n]*):\n        (\w[^\n]*)$", text, re.MULTILINE):
        reasons[why] = set(rules.split(", ")) - {"all"}
    return Plan(jobs, reasons)


HELPERS = {"code", "inputs"}
"""Stages that are no rules: they write digests for the others to compare."""


def outdated_stages(project: Project) -> set[str]:
    """Return the stages that ``dvc status`` names; the demo's only where the demo is used."""
    from dvc.repo import Repo

    with Repo(str(project.folder)) as repo:
        named = {name.rpartition(":")[2] for name in repo.status()}
    return named if project.params["corpus"]["root"] == "data/demo" else named - {"demo"}


def digest_code(project: Project) -> None:
    """Do what the first stage of ``dvc repro`` does; in this process, which takes a tenth."""
    from genreflow import params, stages

    with contextlib.chdir(project.folder):
        stages.write_code(params.load(Path("params.yaml")), Path("results"))


def stages_to_rerun(project: Project) -> set[str]:
    """Return the stages that ``dvc repro`` would find changed once its first stage has run."""
    digest_code(project)
    return outdated_stages(project) - HELPERS


@functools.cache
def stage_graph(project: Project) -> "nx.DiGraph[str]":
    """Return DVC's graph: an edge from each stage to what it depends on.

    The stage `inputs` passes on to each model the digest of the features that it reads, and of
    these alone (test_roundtrips.py runs it).
    """
    from dvc.repo import Repo

    from genreflow.steps import STEPS

    with Repo(str(project.folder)) as repo:
        graph = nx.relabel_nodes(repo.index.graph, lambda stage: stage.name)
    graph.remove_node("inputs")
    for model in project.params["evaluation"]["models"]:
        for kind in registry.entry(model).reads:
            graph.add_edge(f"train@{model}", STEPS[kind].stage)
    return graph


def downstream(project: Project, stages: set[str]) -> set[str]:
    """Add every stage that depends on one of `stages` in DVC's graph."""
    graph = stage_graph(project)
    return stages.union(*(nx.ancestors(graph, stage) for stage in stages)) - HELPERS


def pretend_encoders(project: Project) -> None:
    """Put empty files where `make transfer` puts weights: whoever plans looks no further."""
    from genreflow.registry.embedding import BUILT_IN, WEIGHTS

    for name in BUILT_IN:
        path = project.folder / WEIGHTS / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def synthesise(root: Path, genres=TINY_GENRES, tracks: int = 6, seconds: float = 3.0) -> None:
    """Make a corpus of a few genres."""
    from genreflow.corpus.demo.synthesise import synthesise_genre
    from genreflow.params import Demo

    demo = Demo(tracks_per_genre=tracks, seconds=seconds)
    for genre in genres:
        synthesise_genre(genre, demo, root / genre)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Project:
    """A tiny project that ``dvc repro`` has run, committed to git. Tests work on copies of it.

    The test processes of one run share it: the first one builds, the others wait.
    """
    from genreflow.corpus.demo.artists import artists_of

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project = Project(shared / "built project" / "clone")
    with FileLock(shared / "built project.lock"):
        if not (project.folder / ".git/built").exists():
            Project.create(project.folder)
            synthesise(project.folder / "data/tiny")
            # With artists, a learning curve, changes: every step has something to do.
            tracks = [f"{genre}/{genre}.{n:05d}.flac" for genre in TINY_GENRES for n in range(6)]
            artists_of(tracks).to_csv(project.folder / "data/groups.csv", index=False)
            project.edit(
                **{
                    "corpus_size.enabled": True,
                    "robustness.enabled": True,
                    "robustness.changes": ["treble_down", "one_channel"],
                    "robustness.windows_per_track": 2,
                    "release.resnet50": True,
                }
            )
            project.run("dvc", "repro", "report", "release")
            project.git("add", "-A")
            project.git("commit", "-q", "-m", "Run")
            (project.folder / ".git/built").touch()
    return project
