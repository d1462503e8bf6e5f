"""Going back and forth between commits, clones and tools never leaves a stale number."""

import shutil

import pandas as pd
import pytest

from tests import reruns
from tests.conftest import TINY, Project, outdated_stages, plan

pytestmark = pytest.mark.workflow


@pytest.fixture
def project(built, tmp_path):
    return built.copy(tmp_path / "project")


def clone(project, folder) -> Project:
    project.git("clone", "-q", str(project.folder), str(folder))
    return Project(folder)


def test_a_clone_that_pulls_from_a_remote_has_nothing_to_do(project, tmp_path):
    remote = tmp_path / "remote storage"
    project.run("dvc", "remote", "add", "-d", "storage", str(remote))
    project.git("commit", "-qam", "Add a remote")
    project.run("dvc", "push")
    other = clone(project, tmp_path / "clone")
    shutil.copytree(project.folder / "data/tiny", other.folder / "data/tiny")
    refused = other.run("bash", "workflow/sync.sh", check=False)
    assert refused.returncode == 1
    assert "train@cnn" in refused.stderr
    other.run("dvc", "pull", "report", "--with-deps")
    other.run("bash", "workflow/sync.sh")
    assert plan(other).jobs == {}
    other.edit(**{"models.svm_mel.C": 0.5})
    assert set(plan(other).jobs) == set(reruns.RERUNS["models.svm_mel"])


def test_going_back_to_an_older_commit(project):
    old = pd.read_csv(project.folder / "results/report/comparison.csv")
    project.edit(**{"models.svm_mel.C": 1e-6})
    project.snakemake()
    assert outdated_stages(project) >= {"train@svm_mel", "evaluate"}
    project.run("bash", "workflow/record.sh")
    assert outdated_stages(project) == set()
    project.git("commit", "-qam", "Regularise more")
    difference = project.run("dvc", "metrics", "diff", "HEAD~1").stdout
    assert "svm_mel.track" in difference
    project.git("checkout", "-q", "HEAD~1")
    project.run("dvc", "checkout", "report", "--with-deps")
    project.run("bash", "workflow/sync.sh")
    assert plan(project).jobs == {}
    new = pd.read_csv(project.folder / "results/report/comparison.csv")
    pd.testing.assert_series_equal(new["accuracy"], old["accuracy"])
    project.edit(**{"models.cnn.dropout": 0.1})
    assert set(plan(project).jobs) == set(reruns.RERUNS["models.cnn"])


def test_record_refuses_what_snakemake_does_not_vouch_for(project):
    before = (project.folder / "dvc.lock").read_bytes()
    project.edit(**{"models.svm_mel.C": 0.7})
    refused = project.run("bash", "workflow/record.sh", check=False)
    assert refused.returncode == 1
    assert "snakemake -j8" in refused.stderr
    assert (project.folder / "dvc.lock").read_bytes() == before


def test_without_provenance_an_edit_is_refused_and_never_mixed_in(project):
    """Snakemake forgets how files came about; the stamps inside them remember."""
    shutil.rmtree(project.folder / ".snakemake")
    project.edit(**{"features.mel.n_mels": 40})
    project.snakemake("--touch", "results/splits.parquet")
    failed = project.run(
        "snakemake",
        "--cores",
        "1",
        "--rerun-triggers",
        "mtime",
        "--forcerun",
        "train_xgb_mel",
        "--allowed-rules",
        "train_xgb_mel",
        "--",
        "results/models/xgb_mel/0/predictions.parquet",
        check=False,
    )
    assert failed.returncode != 0
    log = (project.folder / "results/logs/train_xgb_mel/0.log").read_text()
    assert "StaleArtifactError" in log
    assert "n_mels=128" in log
    assert "n_mels=40" in log


def test_mixed_artifacts_of_two_corpora_are_refused(project, built):
    """Features of another recording under the same name, brought in behind the tools' backs."""
    audio = project.folder / "data/tiny/blues"
    shutil.copy2(audio / "blues.00000.flac", audio / "blues.00001.flac")
    project.run("snakemake", "--cores", "2", "results/splits.parquet")
    failed = project.run(
        "snakemake",
        "--cores",
        "1",
        "--rerun-triggers",
        "mtime",
        "--allowed-rules",
        "train_svm_handcrafted",
        "--forcerun",
        "train_svm_handcrafted",
        "--",
        "results/models/svm_handcrafted/0/predictions.parquet",
        check=False,
    )
    assert failed.returncode != 0
    log = (project.folder / "results/logs/train_svm_handcrafted/0.log").read_text()
    assert "StaleArtifactError: features of blues were made from other audio" in log


def test_an_experiment_reruns_and_shows_what_changed(project):
    project.run("dvc", "exp", "run", "-S", "models.svm_mel.C=0.3", "report")
    shown = project.run("dvc", "exp", "show", "--csv").stdout
    header, *rows = shown.splitlines()
    assert "models.svm_mel.C" in header
    assert any("0.3" in row for row in rows)
    assert plan(project).jobs == {}


def test_metrics_plots_and_params_are_shown(project, tmp_path):
    assert "cnn" in project.run("dvc", "metrics", "show", "--md").stdout
    project.run("dvc", "plots", "show", "--out", str(tmp_path / "plots"))
    assert "confusion" in (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    project.edit(**{"models.cnn.dropout": 0.4})
    assert "models.cnn.dropout" in project.run("dvc", "params", "diff").stdout
    assert TINY["corpus.root"] == project.params["corpus"]["root"]
