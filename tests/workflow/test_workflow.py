"""The whole pipeline on a tiny corpus, through both doors."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from genreflow import registry
from genreflow.code import IN_EVERY_JOB, is_declaration, modules_behind
from genreflow.steps import STEPS
from tests.conftest import TINY_GENRES, outdated_stages, plan, plan_anew

pytestmark = pytest.mark.workflow

COMPARED = registry.WITHOUT_OUTSIDE_DATA
"""The models of the project that is run; embeddings would need weights that are fetched."""


def tracked_files(project):
    """Map every file that DVC tracks below results/ to its bytes."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    outs = [out["path"] for stage in lock["stages"].values() for out in stage.get("outs", [])]
    files = {}
    for out in outs:
        path = project.folder / out
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and file.name != ".snakemake_timestamp":
                files[file.relative_to(project.folder).as_posix()] = file.read_bytes()
    return files


def test_all_seven_models_are_compared_with_the_baseline(built):
    table = pd.read_csv(built.folder / "results/report/comparison.csv")
    tracks = table[table["level"] == "track"].set_index("model")
    assert set(COMPARED) <= set(tracks.index)
    assert tracks["accuracy"].between(0, 1).all()
    assert tracks.loc["xgb_mel", "delta_accuracy"] == 0
    assert tracks.loc[list(COMPARED), "fit_seconds"].gt(0).all()
    metrics = json.loads((built.folder / "results/report/metrics.json").read_text())
    assert metrics["cnn"]["track"]["accuracy"] == pytest.approx(tracks.loc["cnn", "accuracy"])
    page = (built.folder / "results/report/index.html").read_text(encoding="utf-8")
    assert all(entry.title in page for entry in map(registry.entry, COMPARED))


def test_every_model_is_asked_whether_it_still_knows_the_song(built):
    table = pd.read_csv(built.folder / "results/evaluation/robustness.csv")
    changes = ["clean", "treble_down", "one_channel"]
    assert set(table["model"]) >= set(COMPARED)
    assert table.groupby("model")["change"].agg(list).tolist() == [changes] * len(
        set(table["model"])
    )
    alike = table[table["change"].isin(["clean", "one_channel"])].set_index("model")["accuracy"]
    assert alike.groupby(level=0).nunique().max() == 1, "all sources are mono"
    metrics = json.loads((built.folder / "results/report/metrics.json").read_text())
    assert {metrics[model]["track"]["worst_change"] for model in COMPARED} <= set(changes[1:])


def test_snakemake_makes_its_own_report_offline(built, tmp_path):
    project = built.copy(tmp_path / "reported")
    project.run("snakemake", "--report", "made.html")
    page = (project.folder / "made.html").read_text(encoding="utf-8")
    for text in ("Comparison", "Model cards", "Which model wins"):
        assert text in page


def test_accuracy_can_be_recomputed_from_the_predictions(built):
    table = pd.read_csv(built.folder / "results/report/comparison.csv")
    reported = table.set_index(["model", "level"])["accuracy"]
    for model in COMPARED:
        rows = pd.read_parquet(built.folder / f"results/models/{model}/0/predictions.parquet")
        test = rows[rows["role"] == "test"]
        vote = test.groupby(["track_id", "genre"])[list(TINY_GENRES)].mean().reset_index("genre")
        accuracy = (vote[list(TINY_GENRES)].idxmax(axis=1) == vote["genre"]).mean()
        assert reported[model, "track"] == pytest.approx(accuracy)


def test_no_group_is_on_both_sides_of_a_split(built):
    splits = pd.read_parquet(built.folder / "results/splits.parquet")
    assert splits.groupby(["fold", "group"])["role"].nunique().max() == 1


# What a rule needs beyond NumPy, SciPy and pandas; XGBoost and Keras import scikit-learn too.
LIBRARIES = {"librosa", "numba", "matplotlib", "tensorflow", "keras", "xgboost", "sklearn"}
LIBRARIES |= {"statsmodels", "altair"}
NETWORK = {"keras", "tensorflow", "sklearn"}
USED = {
    "audio": set(),
    "fingerprints": set(),
    "tracks": set(),
    "handcrafted": set(),
    "mel": set(),
    "splits": set(),
    "train_svm_mel": {"sklearn"},
    "train_xgb_mel": {"xgboost", "sklearn"},
    "train_svm_handcrafted": {"sklearn"},
    "train_xgb_handcrafted": {"xgboost", "sklearn"},
    "train_cnn": NETWORK,
    "train_lstm": NETWORK,
    "train_resnet50": NETWORK,
    "naive": {"xgboost", "sklearn"},
    "ungrouped": {"xgboost", "sklearn", "statsmodels"},
    "corpus_size": {"xgboost", "sklearn", "statsmodels"},
    "strangers": set(),
    "unknown": {"xgboost", "sklearn", "statsmodels"},
    "changed": set(),
    "robustness_svm_mel": {"sklearn"},
    "robustness_xgb_mel": {"xgboost", "sklearn"},
    "robustness_svm_handcrafted": {"sklearn"},
    "robustness_xgb_handcrafted": {"xgboost", "sklearn"},
    "robustness_cnn": NETWORK,
    "robustness_lstm": NETWORK,
    "robustness_resnet50": NETWORK,
    "refit_svm_mel": {"sklearn"},
    "refit_xgb_mel": {"xgboost", "sklearn"},
    "refit_svm_handcrafted": {"sklearn"},
    "refit_xgb_handcrafted": {"xgboost", "sklearn"},
    "refit_cnn": NETWORK,
    "refit_lstm": NETWORK,
    "refit_resnet50": NETWORK,
    "release": set(),
    "chain_audit": {"sklearn", "statsmodels"},
    "evaluate": {"sklearn", "statsmodels"},
    "explore": {"sklearn"},
    "report": {"altair"},
}


@pytest.fixture(scope="module")
def imported(built):
    """What each rule's jobs had in `sys.modules` when they ended; see tests/spy."""
    found = {}
    for file in (built.folder / ".cache/imports").iterdir():
        rule = file.name.partition(".")[0]
        found.setdefault(rule, set()).update(json.loads(file.read_text()))
    return found


def test_jobs_import_only_the_libraries_they_use(imported):
    assert {rule: LIBRARIES & names for rule, names in imported.items()} == USED


@pytest.mark.parametrize("rule", USED)
def test_the_digest_of_a_steps_code_covers_exactly_what_its_jobs_import(imported, rule):
    ours = {name for name in imported[rule] if name.partition(".")[0] == "genreflow"}
    # What every job does around its step (logs, threads, a GPU, costs, a last look) is no part of
    # any result.
    ours -= {"genreflow.jobs", "genreflow.machine", "genreflow.promises"}
    # Nor is what extracts features that this run's models don't read, though a change would count.
    unread = {kind.extractor for kind in registry.FEATURES.values() if kind.optional}
    modules = [name for name in STEPS[rule].modules if name not in unread]
    counted = modules_behind(*modules, *IN_EVERY_JOB)
    assert {name for name in ours if not is_declaration(name)} == set(counted)


def test_both_tools_have_nothing_left_to_do_after_dvc_repro(built):
    assert plan(built).jobs == {}
    assert outdated_stages(built) == set()


def test_a_run_leaves_git_clean(built):
    assert built.git("status", "--porcelain") == ""


def test_a_second_run_in_another_folder_gives_the_same_bytes(built, tmp_path, monkeypatch):
    """Other folder, other door, other -j, other locale, other order of listing and of hashing."""
    other = built.copy(tmp_path / "another place")
    expected = tracked_files(built)
    for path in (other.folder / "results", other.folder / ".snakemake", other.folder / ".cache"):
        remove(path)
    reverse_listing(other.folder / "data/tiny")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    other.snakemake(cores=1)
    found = tracked_files(other)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    before = (other.folder / "dvc.lock").read_bytes()
    other.run("bash", "workflow/record.sh")
    assert (other.folder / "dvc.lock").read_bytes() == before


def remove(path: Path) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def reverse_listing(root):
    """Create the files anew in reverse order, which is the order many file systems list them in."""
    for genre in sorted(root.iterdir()):
        contents = [(path, path.read_bytes()) for path in sorted(genre.iterdir(), reverse=True)]
        for path, _ in contents:
            path.unlink()
        for path, content in contents:
            path.write_bytes(content)


def test_python_may_lie_in_a_folder_with_a_space_in_its_name(built, tmp_path):
    project = built.copy(tmp_path / "clone")
    python = tmp_path / "an environment"
    python.symlink_to(Path(sys.executable).parent.parent)
    (project.folder / "results/splits.parquet").unlink()
    project.run(f"{python}/bin/python", "-m", "snakemake", "--cores", "1", "splits")
    assert (project.folder / "results/splits.parquet").exists()


def test_a_corpus_as_users_have_it(built, tmp_path):
    """Mixed formats and lengths, odd names, stray and broken files: all listed, none fatal."""
    project = built.copy(tmp_path / "odd corpus")
    root = project.folder / "data/tiny"
    (root / "blues").rename(root / "Blues & Søul")
    folder = root / "Blues & Søul"
    tone = 0.3 * np.sin(np.arange(44100 * 4) * 0.05) * (1 + np.sin(np.arange(44100 * 4) * 0.001))
    soundfile.write(folder / "stereo é.ogg", np.stack([tone, 0.5 * tone], axis=1), 44100)
    soundfile.write(folder / "short.wav", tone[:20000], 44100)
    (folder / "cover.png").write_bytes(b"no audio")
    (folder / ".DS_Store").write_bytes(b"hidden")
    (folder / "broken.mp3").write_bytes(b"not an mp3")
    project.edit(
        **{
            "evaluation.models": ["xgb_mel", "svm_handcrafted"],
            "tracks.max_rejected_fraction": 0.5,
            "corpus.shards_per_genre": 2,
        }
    )
    project.snakemake()
    tracks = pd.read_parquet(project.folder / "results/tracks.parquet").set_index("track_id")
    assert tracks.loc["Blues & Søul/stereo é.ogg", "status"] == "ok"
    assert tracks.loc["Blues & Søul/short.wav", "reason"]
    assert tracks.loc["Blues & Søul/broken.mp3", "status"] == "rejected"
    page = (project.folder / "results/report/index.html").read_text(encoding="utf-8")
    assert "Blues &amp; Søul" in page
    assert "broken.mp3" in page
    left_over = project.folder / "results/audio/metal.arrow"
    assert left_over.exists(), "nothing is deleted as a side effect"
    said = project.run("python", "-m", "genreflow", "prune", "--yes").stdout
    assert "results/audio/metal.arrow" in said
    assert not left_over.exists()
    assert plan_anew(project) == {}


def test_too_many_bad_files_stop_the_run_with_a_readable_message(built, tmp_path):
    project = built.copy(tmp_path / "bad corpus")
    for n in range(5):
        (project.folder / f"data/tiny/pop/broken {n}.wav").write_bytes(b"RIFF nothing")
    failed = project.run("snakemake", "--cores", "2", "--show-failed-logs", check=False)
    assert failed.returncode != 0
    assert "5 of 23 files" in failed.stderr
    assert "pop/broken 4.wav" in failed.stderr
    assert "Traceback" not in failed.stderr.partition("Logfile")[2]


def test_a_wrong_parameter_stops_before_any_job(built, tmp_path):
    project = built.copy(tmp_path / "wrong")
    project.edit(**{"audio.sample_rate": "fast"})
    failed = project.run("snakemake", "--cores", "1", check=False)
    assert failed.returncode != 0
    assert "audio.sample_rate: Input should be a valid integer" in failed.stderr
