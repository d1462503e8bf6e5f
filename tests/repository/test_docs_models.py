"""The pages about adding a model, carried out as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import BIN, ROOT

pytestmark = pytest.mark.workflow
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def project(built, tmp_path):
    """A finished project that compares two models, with an environment where `make` expects it."""
    project = built.copy(tmp_path / "project")
    (project.folder / ".venv").symlink_to(BIN.parent)
    project.edit(**{"evaluation.models": ["xgb_mel", "svm_handcrafted"]})
    project.run("make", "params")
    project.snakemake()
    return project


def follow(page, project, **environment):
    """Write the files of a page, apply its changes and run its commands."""
    shell = os.environ | {
        "PATH": f"{project.folder / 'bin'}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(project.folder / "src"),
        **environment,
    }
    for kind, block in FENCE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if kind == "diff":
            subprocess.run(
                ["git", "apply", "-"], cwd=project.folder, input=block, text=True, check=True
            )
        elif kind == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block]
            done = subprocess.run(
                command, cwd=project.folder, env=shell, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            first, _, content = block.partition("\n")
            path = project.folder / first.removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def check_that_knn_takes_part(project, before):
    table = pd.read_csv(project.folder / "results/report/comparison.csv").set_index("model")
    assert table.loc["knn", "accuracy"] >= 1 / 3, "three genres"
    assert "Nearest neighbours" in (project.folder / "results/report/index.html").read_text()
    assert modification_times(project) == before, "only knn was trained"
    assert "n_neighbors: 5" in (project.folder / "params.yaml").read_text(encoding="utf-8")


def modification_times(project):
    folders = ("xgb_mel", "svm_handcrafted")
    return {
        path: path.stat().st_mtime_ns
        for folder in folders
        for path in (project.folder / "results/models" / folder / "0").iterdir()
    }


def test_models_and_a_third_kind_of_features_are_a_module_and_an_entry_each(project):
    before = modification_times(project)
    follow("add-a-model.md", project)
    check_that_knn_takes_part(project, before)
    # The network trains as the built-in ones do, by their parameters.
    history = pd.read_csv(project.folder / "results/models/tiny/0/history.csv")
    assert len(history) == project.params["models"]["tiny"]["epochs"]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    judged = pd.read_csv(project.folder / "results/report/comparison.csv")
    assert {"knn", "tiny"} < set(judged["model"])
    readme = (project.folder / "README.md").read_text(encoding="utf-8")
    assert "| `knn` | levels of a track |" in readme
    levels = pd.read_parquet(project.folder / "results/features/level/pop.parquet")
    assert levels.filter(like="_level").lt(0).all(axis=None)
    said = project.run("dvc", "repro").stdout
    assert "Running stage 'train@knn'" in said
    assert "Running stage 'features@level'" in said
    assert "Stage 'train@xgb_mel' didn't change" in said


@pytest.fixture
def pip(project, tmp_path) -> Path:
    """Put a `pip` on the path that installs into a folder of its own; return the folder."""
    site = tmp_path / "site packages"
    script = project.folder / "bin/pip"
    script.parent.mkdir()
    options = f'--quiet --no-deps --no-build-isolation --python "{sys.executable}"'
    script.write_text(
        f'#!/bin/sh\nshift\nexec "{BIN}/uv" pip install {options} --target "{site}" "$@"\n'
    )
    script.chmod(0o755)
    return site


def in_new_process(project, site, *command):
    python_path = f"{project.folder / 'src'}{os.pathsep}{site}"
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=os.environ
        | {"PYTHONPATH": python_path, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_model_of_another_package_takes_part(project, pip):
    before = modification_times(project)
    site = f"{project.folder / 'src'}{os.pathsep}{pip}"
    follow("bring-your-own-model.md", project, PYTHONPATH=site)
    check_that_knn_takes_part(project, before)
    assert "train_knn" in in_new_process(project, pip, "snakemake", "--list")
    # Its version and its files are part of its code, and of no other's.
    planned = ("snakemake", "--cores", "1", "--dry-run", "--quiet", "rules")
    assert "Nothing to be done" in in_new_process(project, pip, *planned)
    model = pip / "genreflow_knn/model.py"
    source = model.read_text()
    model.write_text(f"# A remark.\n{source}")
    assert "Nothing to be done" in in_new_process(project, pip, *planned)
    ours = project.folder / "src/genreflow/models/archive.py"
    text = ours.read_text()
    ours.write_text(f"{text}\n_EDITED = 1\n")
    assert "train_knn" in in_new_process(project, pip, *planned), "which it imports"
    ours.write_text(text)
    model.write_text(source.replace("StandardScaler()", "StandardScaler(with_std=False)"))
    said = in_new_process(project, pip, *planned)
    assert "train_knn" in said
    assert "train_xgb_mel" not in said
    # A wrong value in its section is named like any other.
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("n_neighbors: 5", "n_neighbors: none"))
    with pytest.raises(AssertionError, match=r"models\.knn\.n_neighbors"):
        in_new_process(project, pip, *planned)
