"""Run a project through a Slurm, and compare what DVC tracks with a local run's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dvc.repo import Repo

from genreflow.store.files import file_sha256
from tests.conftest import Project
from tests.slurm.cluster import Cluster


def run_through(
    cluster: Cluster, project: Project, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the pipeline of `project` with its profile for Slurm; return what came of it.

    Parameters
    ----------
    arguments
        More of Snakemake's.
    """
    return subprocess.run(
        ["snakemake", "--workflow-profile", "slurm", *arguments],
        cwd=project.folder,
        env=cluster.environment(project.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tracked(project: Project) -> dict[str, str]:
    """Return every file that DVC tracks of a run, below the project, with its SHA-256."""
    with Repo(str(project.folder)) as repo:
        outs = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
    files = [file for out in outs for file in ([out] if out.is_file() else out.rglob("*"))]
    return {
        file.relative_to(project.folder).as_posix(): file_sha256(file)
        for file in sorted(files)
        if file.is_file() and file.name != ".snakemake_timestamp"
    }


def differences(local: dict[str, str], other: dict[str, str]) -> list[str]:
    """Name the files that one run alone has, or whose bytes differ."""
    return sorted(name for name in local | other if local.get(name) != other.get(name))
