"""What changed since another revision: two commits of a small project, with invented results."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from typer.testing import CliRunner

from genreflow import lineage, stages
from genreflow.cli import app
from genreflow.evaluation.significance import holm, mcnemar_p
from genreflow.params import Params
from genreflow.store.tables import write_table
from tests.conftest import ROOT
from tests.synthetic_results import evaluate_run, make_run

pytestmark = pytest.mark.workflow

MODELS = ("svm_mel", "xgb_mel", "svm_handcrafted")
GENRES = ("blues", "metal", "pop")


def write_stages(digests: Mapping[str, str]) -> None:
    """Write stages as the pipeline has them: all steps' code is recorded, the demo's apart."""
    steps = sorted(digests.keys() - {"demo"})
    outs = ["results/evaluation", "results/splits.parquet", "results/tracks.parquet"]
    evaluate = {"cmd": "true", "params": [{"workflow/code.json": steps}], "outs": outs}
    demo = {"cmd": "true", "wdir": "..", "params": [{"workflow/code.json": ["demo"]}]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": evaluate}}))
    Path("workflow/dvc.yaml").write_text(yaml.safe_dump({"stages": {"demo": demo}}))


def results(**edits: Any) -> Params:
    """Invent the results of a run in this folder, and write its parameters."""
    shutil.rmtree("results", ignore_errors=True)
    made = {"models": MODELS, "n_folds": 2, "tracks_per_genre": 12, "windows": 2, "genres": GENRES}
    run = make_run(Path("results"), **made | edits)
    evaluate_run(run)
    Path("params.yaml").write_text(yaml.safe_dump(run.params.model_dump(mode="json")))
    return run.params


def write_code(digests: Mapping[str, str]) -> None:
    Path("workflow/code.json").write_text(json.dumps(digests))


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def record(message: str) -> None:
    with Repo(".") as repo:
        repo.commit(force=True)
    git("add", "-A")
    git("commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a first run recorded, and a second that is better in one model."""
    folder = tmp_path_factory.mktemp("compared")
    with contextlib.chdir(folder):
        git("init", "-q", "-b", "main")
        Repo.init(".").close()
        params = results()
        shutil.copytree(ROOT / "workflow/scripts", "workflow/scripts")
        digests = stages.step_digests(params)
        write_stages(digests)
        write_code(digests | {"train_svm_mel": "another", "embedding": "another"})
        record("First run")
        git("tag", "first")
        results(skill={"svm_mel": 6.0}, sections={"models": {"svm_mel": {"n_components": 9}}})
        write_code(digests)
        record("Second run")
        yield folder


@pytest.fixture
def there(recorded: Path) -> Iterator[Path]:
    """That project, to look at."""
    with contextlib.chdir(recorded):
        yield recorded


@pytest.fixture
def here(recorded: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that project, to work in."""
    shutil.copytree(recorded, tmp_path / "clone", symlinks=True)
    with contextlib.chdir(tmp_path / "clone"):
        yield tmp_path / "clone"


def compare(revision: str, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", revision, *options], env={"COLUMNS": "300"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def right(table: pd.DataFrame, model: str) -> pd.Series[float]:
    rows = table[table["model"] == model].set_index(["fold", "track_id"]).sort_index()
    return (rows["predicted"] == rows["genre"]).astype(float)


def test_each_model_is_tested_against_itself_on_the_same_tracks(here: Path) -> None:
    now = pd.read_parquet("results/evaluation/predictions.parquet")
    code, said = compare("first")
    git("checkout", "--quiet", "first")
    with Repo(".") as repo:
        repo.checkout(force=True)
    then = pd.read_parquet("results/evaluation/predictions.parquet")
    gained = {model: right(now, model) - right(then, model) for model in MODELS}
    expected = holm({model: mcnemar_p(values.to_numpy()) for model, values in gained.items()})
    assert code == 0, said
    assert expected["svm_mel"] < 0.05
    rows = {line.split()[1]: line.split("│") for line in said.splitlines() if "│" in line}
    for model in MODELS:
        _, _, _, _, delta, won, lost, p, _ = (cell.strip() for cell in rows[model])
        assert float(delta.replace("−", "-")) == pytest.approx(100 * gained[model].mean(), abs=0.06)
        assert int(won) == (gained[model] > 0).sum()
        assert int(lost) == (gained[model] < 0).sum()
        shown = 0.001 if p == "< 0.001" else float(p)
        assert shown == pytest.approx(max(0.001, expected[model]), abs=0.006)


def test_parameters_and_code_that_differ_are_named(there: Path) -> None:
    code, said = compare("first")
    assert code == 0, said
    assert re.search(r"models.svm_mel.n_components: \d+ → 9", said)
    assert "Steps with other code: train_svm_mel.\n" in said, "no word of steps without a part"
    page = Path("results/compare/index.html").read_text(encoding="utf-8")
    assert "models.svm_mel.n_components" in page
    assert "First run" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_run_beside_itself_has_not_changed(there: Path) -> None:
    code, said = compare("HEAD")
    assert code == 0, said
    assert "Every track is decided as at HEAD" in said
    assert "No step's code differs." in said
    assert "Parameters that differ: 0." in said


def test_a_revision_that_never_made_the_demo_has_no_record_of_it(here: Path) -> None:
    git("rm", "-q", "workflow/dvc.lock")
    git("commit", "-q", "-m", "Own music")
    code, said = compare("HEAD")
    assert code == 0, said
    assert "Every track is decided as at HEAD" in said


def test_steps_that_one_pipeline_lacks_are_named(here: Path) -> None:
    digests = json.loads(Path("workflow/code.json").read_text())
    del digests["train_svm_mel"]
    digests["train_forest"] = "of then"
    write_stages(digests)
    write_code(digests)
    record("Other models")
    code, said = compare("HEAD")
    assert code == 0, said
    assert "new steps: train_svm_mel; steps no more: train_forest." in said


def test_other_tracks_are_shown_beside_each_other_and_not_tested(here: Path) -> None:
    results(tracks_per_genre=13)
    code, said = compare("first")
    assert code == 0, said
    assert "Not judged on the same tracks as first" in said
    assert "tracks that are new: 3 (" in said
    row = next(line for line in said.splitlines() if "xgb_mel" in line)
    assert [cell.strip() for cell in row.split("│")][5:8] == ["–", "–", "–"]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("role", "tracks with another role"),
        ("genre", "tracks with another genre: 1 (blues/"),
        ("fold", "the folds are others"),
    ],
)
def test_other_divisions_are_not_paired(column: str, told: str, here: Path) -> None:
    params = Params.model_validate(yaml.safe_load(Path("params.yaml").read_text()))
    splits = pd.read_parquet("results/splits.parquet")
    track = splits["track_id"] == "blues/blues.00000.wav"
    assert track.any()
    if column == "role":
        splits["role"] = splits["role"].replace({"valid": "train"})
    elif column == "genre":
        splits.loc[track, "genre"] = "pop"
    else:
        splits["fold"] = splits["fold"].replace({"1": "2"})
    write_table(splits, Path("results/splits.parquet"), lineage.stamp("splits", params))
    code, said = compare("first")
    assert code == 0, said
    assert told in said


def test_replaced_audio_is_not_paired(here: Path) -> None:
    params = Params.model_validate(yaml.safe_load(Path("params.yaml").read_text()))
    tracks = pd.read_parquet("results/tracks.parquet")
    used = pd.read_parquet("results/splits.parquet")["track_id"][0]
    tracks.loc[tracks["track_id"] == used, "source_sha256"] = "f" * 64
    write_table(tracks, Path("results/tracks.parquet"), lineage.stamp("tracks", params))
    assert f"tracks with other audio: 1 ({used})" in compare("first")[1]


def test_a_model_of_one_run_alone_has_one_number(here: Path) -> None:
    results(models=MODELS[:2])
    code, said = compare("first")
    assert code == 0, said
    row = next(line for line in said.splitlines() if "svm_handcrafted" in line)
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[2].endswith("%")
    assert cells[3:8] == ["–"] * 5


@pytest.mark.parametrize("revision", ["no-such", "--help-me", "HEAD:params.yaml"])
def test_a_revision_that_is_not_there_is_refused(revision: str, there: Path) -> None:
    code, said = compare("--", revision)
    assert code == 1
    assert f"error: {revision}: no such revision here" in said


def test_a_revision_without_results_is_refused(here: Path) -> None:
    git("checkout", "--quiet", "--orphan", "bare")
    git("rm", "-r", "-q", "--cached", "-f", "dvc.lock")
    git("commit", "-q", "-m", "No results")
    code, said = compare("HEAD")
    assert code == 1
    assert "it recorded no results" in said
    assert "make record" in said


def test_results_that_are_not_in_the_cache_are_refused(here: Path) -> None:
    shutil.rmtree(".dvc/cache")
    code, said = compare("first")
    assert code == 1
    assert "neither in DVC's cache nor on its remote" in said
    assert "dvc push" in said


def test_without_results_here_there_is_nothing_to_compare(here: Path) -> None:
    shutil.rmtree("results")
    code, said = compare("first")
    assert code == 1
    assert "nothing to compare; run `make run` first" in said


def test_stale_results_are_refused(here: Path) -> None:
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["models"]["svm_mel"]["n_components"] = 10
    Path("params.yaml").write_text(yaml.safe_dump(values))
    code, said = compare("first")
    assert code == 1
    assert "n_components=9" in said
