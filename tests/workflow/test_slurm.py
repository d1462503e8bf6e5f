"""The pipeline through Slurm: the same bytes, jobs that are stopped and go on, and what is said."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from genreflow import slurm
from genreflow.registry import MODELS
from genreflow.steps import STEPS
from tests.conftest import BIN, ROOT, Project, synthesise
from tests.slurm.cluster import Cluster, cluster, missing
from tests.slurm.compare import differences, run_through, tracked

# A network to be killed, what every comparison needs, and studies that say they are switched off.
EDITS = {
    "evaluation.models": ["xgb_mel", "cnn"],
    "models.cnn.epochs": 6,
    "release.cnn": False,
    "naive.enabled": False,
    "unknown.enabled": False,
    "chain_audit.enabled": False,
}
# Sent as a few jobs instead of one by one: each has Snakemake start twice more.
GROUPS = {
    "start": ("audio", "fingerprints", "mel", "handcrafted", "tracks", "splits"),
    "cheap": (
        *("train_xgb_mel", "refit_xgb_mel", "strangers", "naive", "ungrouped", "corpus_size"),
        *("unknown", "chain_audit"),
    ),
    "end": ("evaluate", "refit_cnn", "release", "report"),
}
QUICK = (
    "--slurm-init-seconds-before-status-checks=5",
    "--latency-wait=5",
    "--groups",
    *(f"{rule}={group}" for group, rules in GROUPS.items() for rule in rules),
    "--group-components",
    *(f"{group}=9" for group in GROUPS),
    "--cores=2",
)
TINY_MEMORY = "explore:mem_mb=150*attempt**4"
"""What Snakemake itself takes is more, until the second attempt."""


@dataclass(frozen=True)
class Outcome:
    """Of a run in which a job was killed for memory, and a training by hand."""

    local: dict[str, str]
    tracked: dict[str, str]
    jobs: list[dict[str, str]]
    said: str
    log: str


def kill_once(node: Cluster, rule: str, state: Path, over: threading.Event) -> None:
    """Kill the first job of a rule as soon as it has kept a state, unless the run is over."""
    while not state.exists():
        assert not over.wait(0.05), f"{rule} kept no state"
    (job,) = [job for job in node.jobs("running") if job["comment"].startswith(f"rule_{rule}_")]
    node.ask("scancel", "--signal=KILL", job["id"])


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> Outcome:
    if why := missing():
        pytest.skip(why)
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="pip install -e '.[slurm]'")
    local = Project.create(tmp_path_factory.mktemp("slurm") / "run here", **EDITS)
    synthesise(local.folder / "data/tiny")
    there = local.copy(local.folder.parent / "run there")
    state = there.folder / "results" / MODELS["cnn"].state("0") / "state.npz"
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    books = not missing(books=True)
    try:
        # Side by side: through Slurm, most of the time is waiting for Snakemake to ask again.
        with (
            ThreadPoolExecutor(2) as beside,
            cluster(folder, cpus=2, memory_mb=20_000, nodes=2, books=books) as node,
        ):
            here = beside.submit(local.snakemake)
            killer = beside.submit(kill_once, node, "train_cnn", state, over := threading.Event())
            try:
                done = run_through(node, there, *QUICK, "--set-resources", TINY_MEMORY)
            finally:
                over.set()
            jobs = node.jobs()
            assert done.returncode == 0, done.stdout[-6000:]
            here.result()
            killer.result()
    finally:
        shutil.rmtree(folder)
    log = (there.folder / "results/logs/train_cnn/0.log").read_text(encoding="utf-8")
    return Outcome(tracked(local), tracked(there), jobs, done.stdout, log)


@pytest.mark.workflow
def test_what_dvc_tracks_has_the_bytes_of_a_local_run(outcome):
    assert differences(outcome.local, outcome.tracked) == []
    for folder in ("audio", "features", "models/cnn", "evaluation", "release", "exploration"):
        assert any(name.startswith(f"results/{folder}/") for name in outcome.tracked), folder


@pytest.mark.workflow
def test_a_job_killed_for_memory_is_sent_again_with_more_memory_and_time(outcome):
    tries = [job for job in outcome.jobs if job["comment"] == "rule_explore"]
    asked = [(job["state"], job["memory"], job["limit"]) for job in tries]
    assert asked == [("FAILED", "150M", "10:00"), ("COMPLETED", "2400M", "20:00")]


@pytest.mark.workflow
def test_the_terminal_names_the_job_its_limit_and_what_to_do(outcome):
    told = "explore: stopped by Slurm at its memory limit, and done when it asked for 2400 MB. "
    assert told in outcome.said
    assert "`--set-resources explore:mem_mb=2400`" in outcome.said


@pytest.mark.workflow
def test_a_training_that_slurm_killed_goes_on_where_it_was(outcome):
    tries = [job for job in outcome.jobs if job["comment"].startswith("rule_train_cnn_")]
    assert [job["state"] == "COMPLETED" for job in tries] == [False, True]
    assert [job["memory"] for job in tries] == ["2000M", "4000M"]
    assert "going on after epoch" in outcome.log


def test_a_run_through_slurm_takes_this_snakemake_not_one_that_the_machine_has(
    monkeypatch, tmp_path
):
    other = tmp_path / "snakemake"
    other.write_text("#!/no/such/python\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    variables = Cluster(tmp_path).environment(Project(tmp_path).environment)
    assert shutil.which("snakemake", path=variables["PATH"]) == str(BIN / "snakemake")
    assert variables["PYTHONPATH"].startswith(str(tmp_path))


def test_the_profile_asks_for_states_in_words_that_the_plugin_knows():
    """Of a cancelled job, `sacct` says who cancelled it, which the plugin takes for running."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text("utf-8"))
    assert profile["slurm-status-command"] == "squeue"


def test_only_on_slurm_is_a_failed_job_tried_again():
    profiles = {
        name: yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text("utf-8"))
        for name in ("default", "slurm")
    }
    assert "retries" not in profiles["default"]
    assert profiles["slurm"]["retries"] == 2
    for option in ("rerun-incomplete", "nolock", "show-failed-logs"):
        assert profiles["default"][option] is profiles["slurm"][option] is True


@contextmanager
def planned(folder: Path, **limits: int) -> Iterator[list[Any]]:
    """The jobs of a plan for 100 jobs at once on some cluster, with `--resources`."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    project = Project.create(folder / "project")
    synthesise(project.folder / "data/tiny", tracks=4)
    here = Path.cwd()
    try:
        with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(nodes=100, resources=limits),
                snakefile=project.folder / "Snakefile",
                workdir=project.folder,
            )
            workflow.dag(DAGSettings(forceall=True)).execute_workflow(
                executor="dryrun", execution_settings=ExecutionSettings(lock=False)
            )
            yield [job for job in workflow._workflow.dag.jobs if job.rule.name != "all"]
    finally:
        os.chdir(here)


@pytest.fixture(scope="module")
def plan_for_cluster(tmp_path_factory):
    with planned(tmp_path_factory.mktemp("plan")) as jobs:
        yield jobs


def gpus_asked_of_slurm(jobs) -> dict[str, set[str]]:
    """What the plugin passes to `sbatch`, by rule."""
    utils = pytest.importorskip("snakemake_executor_plugin_slurm.utils")
    asked = defaultdict(set)
    for job in jobs:
        asked[job.rule.name].add(utils.set_gres_string(job).strip())
    return dict(asked)


@pytest.mark.workflow
def test_told_of_gpus_networks_ask_slurm_for_one_each_and_nothing_else_does(tmp_path):
    with planned(tmp_path, gpu=2) as jobs:
        asked = gpus_asked_of_slurm(jobs)
    networks = {
        step
        for model in MODELS.values()
        if model.gpu
        for step in (model.step, model.refit_step, model.robustness_step)
    }
    assert {step for step, options in asked.items() if options == {"--gpus=1"}} == (
        networks & asked.keys()
    )
    assert {step for step, options in asked.items() if options == {""}} == asked.keys() - networks
    assert {"train_cnn", "refit_cnn"} <= networks & asked.keys()


@pytest.mark.workflow
def test_told_of_none_no_job_asks_slurm_for_a_gpu(plan_for_cluster):
    assert set().union(*gpus_asked_of_slurm(plan_for_cluster).values()) == {""}


@pytest.mark.parametrize("attempt", [1, 3])
@pytest.mark.workflow
def test_every_job_asks_for_the_time_of_its_step_and_more_each_time(plan_for_cluster, attempt):
    for job in plan_for_cluster:
        job.attempt = attempt
        assert job.resources.runtime == attempt * STEPS[job.rule.name].minutes
        own = MODELS[job.rule.name.removeprefix("train_")] if "train_" in job.rule.name else None
        if own:
            assert job.resources.mem_mb == attempt * (own.memory_mb + 500)
        assert job.resources.mem_mb % attempt == 0


ASKED = {
    "3": slurm.Asked("train_cnn", "training 0", 6000, 180),
    "4": slurm.Asked("splits", "", 3000, 30),
}
SENT = "Job {number} has been submitted with SLURM jobid {slurm} (log: {log}).\n"
FAILED = """\
[Fri Nov 27 04:15:47 2026]
Error in rule {rule}:
    message: SLURM-job '{slurm}' failed, SLURM status is: '{state}'. Detailed failure reason \
unavailable (status command is not 'sacct').For further error details see the cluster/cloud log
    jobid: {number}
"""
MEMORY = "slurmstepd: error: StepId=5.0 exceeded memory limit (340168704 > 314572800), being killed"
OOM = (
    "slurmstepd: error: Detected 1 oom_kill event in StepId=5.0. Some of the step tasks were killed"
)
OOM_BEFORE_23 = (
    "slurmstepd-here: error: Detected 1 oom-kill event(s) in StepId=4.batch. Some of your "
    "processes may have been killed by the cgroup out-of-memory handler."
)
BY_HAND = "slurmstepd: error: *** JOB 10 ON here CANCELLED AT 2026-11-27T04:10:43 ***"
ITSELF = "srun: error: here: task 0: Exited with exit code 1"


def explained(tmp_path, number: str, *tries: tuple[str, str], then: str = "") -> list[str]:
    """Return what is said of a job that failed so often, with what Slurm's logs said."""
    log = ""
    for slurm_id, (state, said) in enumerate(tries, start=5):
        file = tmp_path / f"a folder/{slurm_id}.log"
        file.parent.mkdir(exist_ok=True)
        file.write_text(said)
        log += SENT.format(number=number, slurm=slurm_id, log=file)
        log += FAILED.format(rule=ASKED[number].rule, slurm=slurm_id, state=state, number=number)
    return slurm.explain(log + then, ASKED)


@pytest.mark.parametrize(
    ("state", "said", "expected"),
    [
        (
            "TIMEOUT",
            ITSELF,
            "at its time limit, 180 minutes. Let it ask for more: `--set-resources",
        ),
        ("OUT_OF_MEMORY", "", "at its memory limit, 6000 MB."),
        ("FAILED", MEMORY, "at its memory limit, 6000 MB."),
        ("CANCELLED", MEMORY, "at its memory limit, 6000 MB."),
        ("FAILED", OOM, "at its memory limit, 6000 MB."),
        ("FAILED", OOM_BEFORE_23, "at its memory limit, 6000 MB."),
        ("FAILED", f"{BY_HAND[:-4]} DUE TO TIME LIMIT ***", "at its time limit, 180 minutes."),
        ("CANCELLED", BY_HAND, "cancelled, by scancel or whoever runs the cluster. Start the run"),
        ("NODE_FAIL", "", "lost with its node."),
        ("FAILED", BY_HAND, "killed, and Slurm names no limit"),
    ],
)
def test_what_stopped_a_job_is_named(tmp_path, state, said, expected):
    (line,) = explained(tmp_path, "3", (state, said))
    assert line.startswith("train_cnn (training 0): ")
    assert expected in line


def test_the_remedy_is_twice_what_was_too_little_or_what_was_enough(tmp_path):
    tries = [("TIMEOUT", "")] * 3
    (line,) = explained(tmp_path, "3", *tries)
    assert "at its time limit 3 times, at last 180 minutes" in line
    assert "`--set-resources train_cnn:runtime=360`, or the same in profiles/slurm/" in line
    assert (ROOT / slurm.PROFILE).is_file()
    (line,) = explained(tmp_path, "3", *tries[:2], then="Finished jobid: 3 (Rule: train_cnn)\n")
    assert "time limit 2 times, and done when it asked for 180 minutes" in line
    assert "`--set-resources train_cnn:runtime=180`" in line


def test_a_job_that_failed_by_itself_is_left_to_its_log(tmp_path):
    assert explained(tmp_path, "4", ("FAILED", ITSELF)) == []
    assert explained(tmp_path, "4", ("FAILED", MEMORY), ("FAILED", ITSELF)) == []


def test_a_job_killed_by_hand_that_was_done_in_the_end_needs_no_word(tmp_path):
    done = "Finished jobid: 4 (Rule: splits)\n"
    assert explained(tmp_path, "4", ("FAILED", BY_HAND), then=done) == []
    (line,) = explained(tmp_path, "4", ("FAILED", MEMORY), ("FAILED", ITSELF), then=done)
    assert "at its memory limit, and done when it asked for 3000 MB" in line


def test_a_log_that_is_gone_hides_no_state(tmp_path):
    log = SENT.format(number=4, slurm=5, log=tmp_path / "gone.log")
    log += FAILED.format(rule="splits", slurm=5, state="TIMEOUT", number=4)
    assert slurm.explain(log, ASKED)
