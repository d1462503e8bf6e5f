"""`snakemake -j8` starts no more at once than memory and GPU hold."""

import base64
import contextlib
import io
import itertools
import json
import os
from importlib import metadata
from pathlib import Path

import pytest

from genreflow import machine
from genreflow.registry import MODELS
from tests.conftest import Project, synthesise

GB = 10**9


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def physical(monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": n_bytes // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)


def test_jobs_get_four_fifths_of_the_memory(monkeypatch):
    physical(monkeypatch, 16 * GB)
    assert machine.limits()["mem_mb"] == pytest.approx(12_800, abs=1)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 16),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"}, 16),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": str(6 * GB)}, 6),
        (
            {
                "proc/self/cgroup": "0::/user.slice/run.scope",
                "sys/fs/cgroup/user.slice/run.scope/memory.max": "max",
                "sys/fs/cgroup/user.slice/memory.max": str(5 * GB),
            },
            5,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu:/docker/1\n4:hugetlb,memory:/docker/1\n0::/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4 * GB),
                "sys/fs/cgroup/memory.max": "nonsense",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            16,
        ),
    ],
)
def test_a_container_has_what_it_is_given(files, expected, tmp_path, monkeypatch):
    physical(monkeypatch, 16 * GB)
    for name, text in files.items():
        write(tmp_path / name, text)
    assert machine.memory_bytes(tmp_path) == pytest.approx(expected * GB, abs=4096)


@pytest.mark.parametrize(
    ("gpus", "environment", "cpu_build", "expected"),
    [
        (0, {}, False, False),
        (1, {}, False, True),
        (2, {"CUDA_VISIBLE_DEVICES": "1"}, False, True),
        (1, {"CUDA_VISIBLE_DEVICES": ""}, False, False),
        (1, {"CUDA_VISIBLE_DEVICES": "-1"}, False, False),
        (1, {}, True, False),
        (1, {"KERAS_BACKEND": "jax"}, True, True),
    ],
)
def test_a_gpu_counts_where_networks_use_it(
    gpus, environment, cpu_build, expected, tmp_path, monkeypatch
):
    def distribution(name: str) -> None:
        if not cpu_build:
            raise metadata.PackageNotFoundError(name)

    for i in range(gpus):
        write(tmp_path / f"proc/driver/nvidia/gpus/0000:0{i}:00.0/information", "")
    for name in ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(machine.metadata, "distribution", distribution)
    assert machine.has_gpu(tmp_path) is expected


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("machine") / "clone")
    synthesise(project.folder / "data/tiny")
    return project


@contextlib.contextmanager
def workflow_of(project: Project, target: str = "all", **settings):
    """Parse the workflow in this process, where a test can say what machine this is."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    here = Path.cwd()
    quiet = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(quiet),
            SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api,
        ):
            workflow = api.workflow(
                resource_settings=ResourceSettings(**settings),
                snakefile=project.folder / "Snakefile",
                workdir=project.folder,
            )
            yield workflow, workflow.dag(DAGSettings(targets={target}, forceall=True))
    finally:
        os.chdir(here)


def spans_of(project: Project, outputs: str) -> list[tuple[float, float]]:
    """Return when jobs began and ended, the first first, by the output that each has one of."""
    spans = []
    for path in project.folder.glob(outputs):
        name = base64.b64encode(path.relative_to(project.folder).as_posix().encode()).decode()
        record = json.loads((project.folder / ".snakemake/metadata" / name).read_text())
        spans.append((record["starttime"], record["endtime"]))
    return sorted(spans)


def overlap(spans: list[tuple[float, float]]) -> int:
    return sum(then < end for (_, end), (then, _) in itertools.pairwise(spans))


@pytest.mark.workflow
@pytest.mark.parametrize(("memory_mb", "together"), [(16_000, True), (1_200, False), (300, False)])
def test_jobs_run_together_only_as_far_as_memory_goes(memory_mb, together, project, monkeypatch):
    """Three jobs of 500 MB: all at once, one by one, and each by itself where none would fit."""
    monkeypatch.setattr(machine, "memory_bytes", lambda: memory_mb * 10**6)
    with workflow_of(project, "all_audio", cores=8) as (_, dag):
        dag.execute_workflow()
    spans = spans_of(project, "results/audio/*.arrow")
    assert len(spans) == 3
    assert bool(overlap(spans)) is together


NETWORKS = {
    f"{step}_{model.name}": 1
    for step, model in itertools.product(("train", "robustness", "refit"), MODELS.values())
    if model.gpu
}


def gpus_of(workflow) -> tuple[dict[str, int], int | None]:
    """Return what rules ask for, and what there is for all together."""
    asked = {
        rule.name: rule.resources["gpu"].value
        for rule in workflow._workflow.rules
        if "gpu" in rule.resources
    }
    limit = workflow._workflow.global_resources.get("gpu")
    return asked, limit and limit.value


@pytest.mark.workflow
def test_one_network_at_a_time_is_at_work_on_a_gpu(project, monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert len(NETWORKS) == 9
    with workflow_of(project, cores=8) as (workflow, _):
        assert gpus_of(workflow) == (NETWORKS, 1)


@pytest.mark.workflow
def test_without_a_gpu_networks_are_trained_side_by_side(project, monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    with workflow_of(project, cores=8) as (workflow, _):
        assert gpus_of(workflow) == (NETWORKS, None)


@pytest.mark.workflow
def test_a_limit_on_the_command_line_has_the_last_word(project, monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    with workflow_of(project, cores=8, resources={"mem_mb": 700, "gpu": 2}) as (workflow, _):
        assert workflow._workflow.global_resources["mem_mb"].value == 700
        assert gpus_of(workflow) == (NETWORKS, 2)


@pytest.mark.workflow
def test_a_cluster_is_not_measured_by_this_machine(project, monkeypatch):
    """Nor is a GPU asked for, which there would send trainings to the nodes that have one."""
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    with workflow_of(project, nodes=100) as (workflow, _):
        assert "mem_mb" not in workflow._workflow.global_resources
        assert gpus_of(workflow) == ({}, None)


@pytest.mark.workflow
def test_networks_ask_for_a_gpu_of_a_cluster_that_is_said_to_have_some(project, monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    with workflow_of(project, nodes=100, resources={"gpu": 8}) as (workflow, _):
        assert gpus_of(workflow) == (NETWORKS, 8)
