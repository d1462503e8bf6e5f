"""``genreflow predict``: the genre of files, by a trained model."""

import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from genreflow import lineage, registry
from genreflow.cli import app
from genreflow.models.base import ModelFileError
from genreflow.predict import predict_files
from genreflow.store import tables
from genreflow.training import train
from tests.synthetic_features import GENRES, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module", params=["xgb_mel", "svm_handcrafted"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(corpus, name, tmp_path_factory):
    out = tmp_path_factory.mktemp(name)
    features = corpus.features(*registry.entry(name).reads)
    train(name, "0", corpus.params, features, corpus.splits, out)
    return out


def test_a_file_of_the_corpus_gets_the_probabilities_it_got_in_training(corpus, name, folder):
    stamp = lineage.of_predictions(name, corpus.params)
    table = tables.read_table(folder / "predictions.parquet", stamp)
    test = table[table["role"] == "test"].groupby("track_id", sort=True)[list(GENRES)].mean()
    found = predict_files(folder, [corpus.track(track) for track in test.index])
    np.testing.assert_allclose(found[list(GENRES)], test, atol=1e-5)
    assert list(found["genre"]) == list(test.idxmax(axis=1))


def test_a_file_that_cannot_be_used_is_reported_with_its_reason(corpus, folder, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 8000)
    found = predict_files(folder, [tmp_path / "silent.wav", corpus.track("hiss/9.wav")])
    assert "silent" in found["reason"][0]
    assert list(found["genre"]) == ["", "hiss"]
    assert found[list(GENRES)].loc[0].isna().all()


def test_features_that_this_version_orders_differently_are_refused(corpus, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = json.loads((folder / "model.json").read_text())
    facts["signature"]["feature_names"] = facts["signature"]["feature_names"][::-1] or ["other"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelFileError, match=r"names or orders differently|has 1 features.*anew"):
        predict_files(tmp_path, [corpus.track("hiss/9.wav")])


def test_the_command_prints_genres_and_fails_if_a_file_could_not_be_used(corpus, folder, tmp_path):
    good, bad = corpus.track("hiss/9.wav"), tmp_path / "no audio.wav"
    bad.write_text("no audio")
    done = CliRunner().invoke(app, ["predict", str(folder), str(good)])
    assert done.exit_code == 0
    assert "hiss" in done.output
    done = CliRunner().invoke(app, ["predict", str(folder), str(good), str(bad)])
    assert done.exit_code == 1
    assert "no audio.wav" in done.output


def test_a_folder_without_a_model_is_an_error_of_one_line(tmp_path):
    done = CliRunner().invoke(app, ["predict", str(tmp_path), "a.wav"])
    assert done.exit_code == 1
    assert "expected the folder of a trained model" in done.output
