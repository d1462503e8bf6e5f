"""The README's conda route: what environment.yml installs is enough to run the workflow."""

import os
import subprocess

import pytest
import yaml

from tests.conftest import BIN, ROOT, Project

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project.create(
        tmp_path_factory.mktemp("conda") / "clone", **{"corpus.root": "data/demo"}
    )


@pytest.fixture(scope="module")
def environment(project):
    """A fresh environment with what the pip section of environment.yml says, and no more."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in listed["dependencies"] if isinstance(entry, dict)]
    # conda writes these lines into a file beside environment.yml.
    (project.folder / "pip section.txt").write_text("\n".join(pip), encoding="utf-8")
    folder = project.folder.parent / "environment"
    uv(project, "venv", "--quiet", str(folder))
    uv(project, "pip", "install", "--quiet", "--python", str(folder), "-r", "pip section.txt")
    return folder


def uv(project, *arguments):
    """Run uv, which takes from its cache what `make` has downloaded."""
    subprocess.run([BIN / "uv", *arguments], cwd=project.folder, check=True)


def run(project, environment, *command):
    """Run a command as after ``conda activate``."""
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=project.folder, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_snakemake_plans_and_runs_without_genreflow_being_installed(project, environment):
    assert "train_cnn" in run(project, environment, "snakemake", "--cores", "1", "--dry-run")
    run(project, environment, "snakemake", "--cores", "1", "data/demo/blues")
    assert len(list((project.folder / "data/demo/blues").glob("*.flac"))) == 6


def test_dvc_runs_too(project, environment):
    said = run(project, environment, "dvc", "repro", "code")
    assert "Running stage 'code'" in said


def test_the_command_line_is_one_more_command(project, environment):
    words = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install --no-deps --no-build-isolation -e ." in words
    arguments = ("--no-deps", "--no-build-isolation", "-e", ".")
    uv(project, "pip", "install", "--quiet", "--python", str(environment), *arguments)
    assert "predict" in run(project, environment, "genreflow", "--help")
