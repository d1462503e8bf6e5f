"""Going back and forth between commits, clones and tools never leaves a stale number."""

import json
import re
import shutil

import pandas as pd
import pytest

from genreflow import generate
from genreflow.params import parse
from genreflow.steps import STEPS, takes_part
from tests.conftest import HELPERS, TINY, Project, outdated_stages, plan, plan_anew

pytestmark = pytest.mark.workflow
TIMINGS = ["fit_seconds", "predict_ms_per_track", "peak_rss_mb"]


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
    other.run("dvc", "pull", "report", "release", "--with-deps")
    other.run("bash", "workflow/sync.sh")
    assert plan(other).jobs == {}
    other.edit(**{"models.svm_mel.C": 0.5})
    assert set(plan(other).jobs) == set(generate.reruns("models.svm_mel"))


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
    project.run("dvc", "checkout", "report", "release", "--with-deps")
    project.run("bash", "workflow/sync.sh")
    assert plan(project).jobs == {}
    new = pd.read_csv(project.folder / "results/report/comparison.csv")
    pd.testing.assert_series_equal(new["accuracy"], old["accuracy"])
    project.edit(**{"models.cnn.dropout": 0.1})
    assert set(plan(project).jobs) == set(generate.reruns("models.cnn"))


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
    project.snakemake("--touch", "--no-hooks", "results/splits.parquet")
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


def test_touching_after_an_edit_never_passes_old_results_for_new(project):
    before = (project.folder / "dvc.lock").read_bytes()
    project.edit(**{"features.mel.n_mels": 64})
    refused = project.run("snakemake", "--touch", "-j1", check=False)
    assert refused.returncode == 1
    told = "results/features/mel/blues.npz: made with params.features.mel.n_mels=128 but"
    assert told in refused.stderr
    project.snakemake("--touch", "--no-hooks")
    assert plan(project).jobs == {}
    refused = project.run("bash", "workflow/record.sh", check=False)
    assert refused.returncode == 1
    assert told in refused.stderr
    # Nor where Snakemake doesn't know any more how they came about.
    shutil.rmtree(project.folder / ".snakemake")
    assert plan(project).jobs == {}
    refused = project.run("bash", "workflow/record.sh", check=False)
    assert refused.returncode == 1
    assert "make sync" in refused.stderr
    assert (project.folder / "dvc.lock").read_bytes() == before
    project.edit(**{"features.mel.n_mels": 128})
    project.snakemake("--touch")


@pytest.mark.parametrize("where", [0, 1 / 3, 1 / 2])
def test_what_dvc_was_writing_when_it_was_killed_can_be_read_again(project, where):
    lock = project.folder / "dvc.lock"
    text = lock.read_text()
    # Within a line, where the rest is no YAML.
    lock.write_text(text[: text.index("size:", int(where * len(text))) + 3] if where else "")
    (project.folder / ".dvc/tmp/rwlock").write_text("")
    assert project.run("dvc", "status", check=False).returncode != 0
    project.run("workflow/unlock.sh")
    assert lock.read_text() == text
    assert outdated_stages(project) == set()


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
    project.run("dvc", "exp", "run", "-S", "models.svm_mel.C=0.3", "report", "release")
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


def reproduced(project, *targets):
    """Run ``dvc repro`` and return the stages that it ran or took from its cache."""
    said = project.run("dvc", "repro", *targets).stdout
    ran = re.findall(r"^Running stage '(?:.*:)?([\w@]+)'|^Stage '([\w@]+)' is cached", said, re.M)
    return {one or other for one, other in ran} - HELPERS


def test_an_edit_of_one_kind_of_features_retrains_the_models_that_read_it(project):
    project.edit(**{"features.mel.n_mels": 64})
    params = parse(project.params)
    steps = [name for name in generate.reruns("features.mel") if takes_part(name, params)]
    assert reproduced(project) == {STEPS[name].stage for name in steps}
    assert plan(project).jobs == {}


def test_code_in_other_words_runs_its_digest_alone(project):
    for path in (project.folder / "src/genreflow").rglob("*.py"):
        path.write_text(f"# A remark.\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert reproduced(project) == set()


def test_both_doors_train_the_models_that_are_compared_and_no_other(project):
    """And what the others cost stays where it is asked for again."""
    trained = (project.folder / "results/models/cnn/0/model.keras").read_bytes()
    before = (project.folder / "params.yaml").read_bytes()
    project.edit(**{"evaluation.models": ["xgb_mel"], "models.xgb_mel.max_depth": 3})
    studies = {"naive", "ungrouped", "corpus_size", "unknown"}
    rest = {*studies, "evaluate", "report", "release"}
    steps = ("train", "robustness", "refit")
    assert set(plan(project).jobs) == {*(f"{step}_xgb_mel" for step in steps), *rest}
    assert reproduced(project) == {*(f"{step}@xgb_mel" for step in steps), *rest}
    for folder in ("models", "refit"):
        assert [path.name for path in (project.folder / "results" / folder).iterdir()] == [
            "xgb_mel"
        ]
    metrics = json.loads((project.folder / "results/report/metrics.json").read_text())
    assert set(metrics) == {"xgb_mel"}
    (project.folder / "params.yaml").write_bytes(before)
    assert "train_cnn" not in plan_anew(project)
    assert (project.folder / "results/models/cnn/0/model.keras").read_bytes() == trained


WRONG = {
    "a value of another type": ({"audio.sample_rate": "fast"}, "audio.sample_rate: Input should"),
    "a value out of range": ({"models.cnn.epochs": 0}, "models.cnn.epochs"),
    "an unknown model": ({"evaluation.models": ["xgb_mel", "knn"]}, "no such model; there are"),
    "no corpus": ({"corpus.root": "data/nowhere"}, "data/nowhere: there is no such folder"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_a_parameter_costs_nothing_under_either_tool(project, mistake):
    def everything():
        files = [*(project.folder / "results").rglob("*"), *(project.folder / "data").rglob("*")]
        return {path: path.stat().st_mtime_ns for path in files if path.is_file()}

    edits, message = WRONG[mistake]
    before = everything()
    project.edit(**edits)
    for command in (["dvc", "repro"], ["snakemake", "--cores", "1"]):
        failed = project.run(*command, check=False)
        assert failed.returncode != 0
        assert message in failed.stdout + failed.stderr
        assert everything() == before


def test_trained_folds_outlive_a_glance_at_another_strategy(project):
    """Neither tool deletes, records or pulls the folds that the parameters don't have."""
    quick = {"evaluation.models": ["xgb_mel"], "splits.strategy": "kfold", "splits.n_splits": 3}
    project.edit(**quick)
    project.snakemake()
    folder = project.folder / "results/models/xgb_mel"
    folds = {fold: (folder / fold / "model.xgb.json").read_bytes() for fold in "12"}
    project.edit(**{"splits.strategy": "holdout"})
    project.snakemake("splits")
    assert {path.name for path in folder.iterdir()} == {"0", "1", "2"}
    project.snakemake()
    table = pd.read_csv(project.folder / "results/evaluation/per_fold.csv")
    assert set(table["fold"]) == {0}
    project.run("bash", "workflow/record.sh")
    assert {path.name for path in folder.iterdir()} == {"0"}, "recorded without other folds"
    assert outdated_stages(project) == set()
    project.edit(**{"splits.strategy": "kfold"})
    project.snakemake("results/splits.parquet")
    retrained = plan(project).jobs
    assert retrained["train_xgb_mel"] == 1, "only fold 0, which the other strategy had made anew"
    assert {fold: (folder / fold / "model.xgb.json").read_bytes() for fold in "12"} == folds


def test_switched_off_no_track_is_changed_and_dvc_still_finds_its_outputs(project):
    changed = project.folder / "results/changed"
    before = {path.name: path.read_bytes() for path in changed.iterdir()}
    project.edit(**{"evaluation.models": ["xgb_mel"], "robustness.enabled": False})
    assert not {"changed", "robustness_xgb_mel"} & set(plan(project).jobs)
    project.snakemake()
    table = (project.folder / "results/evaluation/robustness.csv").read_text()
    assert table == "model,change,n,accuracy,low,high,agreement\n"
    assert {path.name: path.read_bytes() for path in changed.iterdir()} == before
    project.run("bash", "workflow/record.sh")
    assert outdated_stages(project) == set()
    assert plan(project).jobs == {}
    assert [path.name for path in changed.iterdir()] == ["level.parquet"]
    project.edit(**{"robustness.enabled": True})
    project.snakemake()
    assert {path.name: path.read_bytes() for path in changed.iterdir()} == before


def test_prune_lists_what_is_not_asked_for_and_asks(project):
    project.edit(**{"evaluation.models": ["xgb_mel"]})
    refused = project.run("python", "-m", "genreflow", "prune", check=False)
    assert "results/models/cnn" in refused.stdout
    assert "results/models/xgb_mel" not in refused.stdout
    assert (project.folder / "results/models/cnn/0").is_dir()
    project.run("python", "-m", "genreflow", "prune", "--yes")
    for folder in ("models", "refit"):
        assert [path.name for path in (project.folder / "results" / folder).iterdir()] == [
            "xgb_mel"
        ]
    said = project.run("python", "-m", "genreflow", "prune").stdout
    assert said == "Nothing to remove: params.yaml asks for all there is.\n"


def test_a_plain_repro_makes_the_demo_where_it_is_asked_for_and_nowhere_else(project):
    project.run("dvc", "repro")
    assert not (project.folder / "data/demo").exists()
    project.edit(**{"corpus.root": "data/demo"})
    assert reproduced(project, "audio") == {"demo", "audio"}
    assert len(list((project.folder / "data/demo").glob("*/*.flac"))) == 60


STUDIES = ("naive", "ungrouped", "corpus_size", "unknown", "chain_audit")
READ = ("evaluate", "explore", *STUDIES, "splits", "tracks")
"""Stages whose outputs the report reads."""


def test_the_report_is_made_from_what_dvc_pulls_without_audio_and_features(project, tmp_path):
    remote = tmp_path / "remote storage"
    project.run("dvc", "remote", "add", "-d", "storage", str(remote))
    project.git("commit", "-qam", "Add a remote")
    project.run("dvc", "push")
    other = clone(project, tmp_path / "clone")
    other.run("dvc", "pull", *READ)
    assert not (other.folder / "results/audio").exists()
    assert not (other.folder / "results/models").exists()
    shutil.copytree(project.folder / "data/tiny", other.folder / "data/tiny")
    other.run("workflow/genreflow.sh", "workflow", "costs")
    other.run("workflow/stage.sh", "report")
    ours, theirs = (
        pd.read_csv(p.folder / "results/report/comparison.csv") for p in (project, other)
    )
    pd.testing.assert_frame_equal(
        ours.drop(columns=TIMINGS), theirs.drop(columns=TIMINGS), check_exact=True
    )
    assert theirs[TIMINGS].isna().all(axis=None), "nothing was measured here"
