"""``genreflow predict``: the genre of files, by a trained model."""

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from genreflow import lineage
from genreflow.cli import app
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
    features = corpus.features(lineage.feature_kind(name))
    train(name, "0", corpus.params, features, corpus.splits, out, out.parent / "cost.json")
    return out


def test_a_file_of_the_corpus_gets_the_probabilities_it_got_in_training(corpus, name, folder):
    stamp = lineage.stamp("predictions", corpus.params, model=name)
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
