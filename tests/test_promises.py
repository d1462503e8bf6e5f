"""What a model of one's own promises, and how a mistake in it is named."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from genreflow import registry
from genreflow.columns import OF_PREDICTIONS
from genreflow.models import archive
from genreflow.models.base import Examples, FitResult, Model
from genreflow.promises import PromiseError, check_training
from genreflow.registry.entry import PREDICTIONS, ModelEntry, ModelSection
from genreflow.training import train
from tests.synthetic_features import make_corpus

pytestmark = pytest.mark.slow

ENTRY = ModelEntry(
    name="xgb_handcrafted",
    title="Trees",
    features="handcrafted",
    parameters=registry.entry("xgb_handcrafted").parameters,
    implementation="tests.test_promises:Forest",
    model_files=("model.skops",),
    tables=("importance.csv",),
)
TREE = frozenset({"sklearn.tree._tree.Tree"})


class Forest(Model[ModelSection]):
    """A forest, which skops doesn't load unless told to."""

    allowed = TREE
    factor = 1
    column = "gain"

    def fit(self, train: Examples, valid: Examples) -> FitResult:  # noqa: ARG002
        values = train.read(np.arange(len(train)))
        self.trees = RandomForestClassifier(5, random_state=0).fit(values, train.label)
        names = self.signature.feature_names
        table = pd.DataFrame({"feature": names, self.column: self.trees.feature_importances_})
        return FitResult(1, {"importance.csv": table})

    def predict_proba(self, values):
        return (self.factor * self.trees.predict_proba(values)).astype(np.float32)

    def save(self, folder: Path) -> None:
        archive.save_skops(self.trees, folder / "model.skops")

    def load(self, folder: Path) -> None:
        self.trees = archive.load_skops(folder / "model.skops", self.allowed)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def trained(corpus, tmp_path, monkeypatch):
    """Train a forest in the place of a model that there is."""

    def train_with(**wrong) -> Path:
        monkeypatch.setitem(registry.MODELS, ENTRY.name, ENTRY)
        for name, value in wrong.items():
            monkeypatch.setattr(f"tests.test_promises.Forest.{name}", value)
        features = corpus.features("handcrafted")
        train(ENTRY.name, "0", corpus.params, features, corpus.splits, tmp_path)
        return tmp_path

    return train_with


def test_what_training_should_leave_passes(trained):
    check_training(ENTRY, trained())


def test_a_model_that_load_refuses_is_not_to_be_trained_anew(trained):
    folder = trained(allowed=frozenset())
    with pytest.raises(
        PromiseError, match=r"load can't read .*sklearn\.tree._tree\.Tree.*Forest"
    ) as raised:
        check_training(ENTRY, folder)
    assert "trains the model anew" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_votes_in_the_place_of_probabilities_are_named(trained):
    with pytest.raises(PromiseError, match=r"predict_proba .*sum to 1.*:Forest"):
        check_training(ENTRY, trained(factor=5))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param([-2, 3], id="margins that sum to 1"),
        pytest.param([0.4, 0.5], id="a genre too many was cut off"),
        pytest.param([float("nan"), 0.5], id="no numbers"),
    ],
)
def test_answers_that_are_no_probabilities_are_named_with_the_track(wrong, tmp_path):
    rows = np.array([[0.25, 0.75], wrong], dtype=np.float32)
    of_rows = {"track_id": ["a.wav", "b.wav"], "window": 0, "genre": "jazz", "role": "test"}
    assert tuple(of_rows) == OF_PREDICTIONS
    table = pd.DataFrame(rows, columns=["jazz", "pop"]).assign(**of_rows)
    table.to_parquet(tmp_path / PREDICTIONS)
    with pytest.raises(PromiseError, match=r"predict_proba .* of b\.wav \(.*sum to 1"):
        check_training(ENTRY, tmp_path)


def test_a_table_without_a_column_that_the_report_draws_is_named(trained):
    folder = trained(column="importance")
    with pytest.raises(PromiseError, match=r"importance\.csv has no column gain; expected feature"):
        check_training(ENTRY, folder)
    check_training(replace(ENTRY, tables=()), folder)


def test_a_training_job_ends_with_the_mistake_in_one_line(trained, tmp_path):
    script = """
import sys
from types import SimpleNamespace
from genreflow import registry
from genreflow.jobs import job
from tests.test_promises import ENTRY
registry.MODELS[ENTRY.name] = ENTRY
log, predictions, cost = sys.argv[1:]
class Files(list):
    predictions_parquet, cost = sys.argv[2:]
snakemake = SimpleNamespace(
    threads=1, resources={}, log=[log], output=Files([predictions]), config={},
    params=SimpleNamespace(name=ENTRY.name),
)
with job(snakemake):
    pass
"""
    folder = trained()
    cost, log = tmp_path / "cost.json", tmp_path / "job.log"
    command = [sys.executable, "-c", script, log, folder / PREDICTIONS, cost]
    assert subprocess.run(command).returncode == 0
    assert "seconds" in json.loads(cost.read_text())
    cost.unlink()
    (folder / "importance.csv").write_text("feature\nrms_mean\n")
    assert subprocess.run(command).returncode == 1
    assert not cost.exists()
    assert log.read_text().startswith("PromiseError: xgb_handcrafted: importance.csv has no")
    assert log.read_text().count("\n") == 1
