"""Genres of files and samples: what ``genreflow.load`` returns."""

import json

import numpy as np
import pytest
import soundfile

import genreflow
from genreflow import lineage, registry
from genreflow.audio.decode import RejectedError
from genreflow.columns import column_of
from genreflow.models.base import ModelFileError
from genreflow.store import tables
from genreflow.training import train
from tests.synthetic_features import GENRES, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module", params=["xgb_mel", "svm_mel", "svm_handcrafted"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(corpus, name, tmp_path_factory):
    out = tmp_path_factory.mktemp(name) / name / "0"
    features = corpus.features(*registry.entry(name).reads)
    train(name, "0", corpus.params, features, corpus.splits, out)
    return out


@pytest.fixture(scope="module")
def classifier(folder):
    return genreflow.load(folder)


def voted(corpus, name, folder):
    """Return the pipeline's probabilities of each test track, as evaluation votes."""
    stamp = lineage.of_predictions(name, corpus.params)
    table = tables.read_table(folder / "predictions.parquet", stamp)
    test = table[table["role"] == "test"].astype(dict.fromkeys(GENRES, float))
    return test.groupby("track_id", sort=True)[list(GENRES)].mean()


def test_a_file_of_the_corpus_gets_exactly_what_the_pipeline_says_of_it(
    corpus, name, folder, classifier
):
    expected = voted(corpus, name, folder)
    found = classifier.predict_proba([corpus.track(track) for track in expected.index])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert list(classifier.predict(corpus.track("hiss/9.wav"))) == ["hiss"]


def test_samples_get_what_their_file_gets(corpus, classifier):
    path = corpus.track("hiss/9.wav")
    samples, rate = soundfile.read(path, dtype="int16")
    (of_file,) = classifier.predict_proba([path])
    np.testing.assert_array_equal(classifier.predict_samples_proba(samples, rate), of_file)
    channels = np.stack([samples, samples]) / 32768
    np.testing.assert_array_equal(classifier.predict_samples_proba(channels, rate), of_file)
    assert classifier.predict_samples(samples, rate) == "hiss"


def test_silence_within_samples_has_no_say_and_silence_alone_is_refused(corpus, classifier):
    samples, rate = soundfile.read(corpus.track("hiss/9.wav"), dtype="int16")
    length = round(classifier.release.stretch_seconds * rate)
    sound = np.tile(samples, -(-length // len(samples)))[:length]
    silence = np.zeros_like(sound)
    alone = classifier.predict_samples_proba(sound, rate)
    for parts in ([sound, silence], [silence, sound]):
        said = classifier.predict_samples_proba(np.concatenate(parts), rate)
        np.testing.assert_array_equal(said, alone)
    for silent in (silence, np.concatenate([silence, silence])):
        with pytest.raises(RejectedError, match="silent"):
            classifier.predict_samples(silent, rate)


def test_a_long_file_is_heard_to_its_end(corpus, classifier, tmp_path):
    pieces, rate = [], 0
    for genre in GENRES:
        samples, rate = soundfile.read(corpus.track(f"{genre}/9.wav"), dtype="int16")
        length = round(classifier.release.stretch_seconds * rate)
        pieces.append(np.tile(samples, -(-length // len(samples)))[:length])
    pieces.append(np.zeros_like(pieces[0]))
    soundfile.write(tmp_path / "long.wav", np.concatenate(pieces), rate)
    found = classifier.timeline(tmp_path / "long.wav")
    assert list(found["genre"]) == [*GENRES, ""]
    seconds = classifier.release.stretch_seconds
    np.testing.assert_allclose(found["start"], seconds * np.arange(len(found)))
    np.testing.assert_allclose(found["end"], seconds * np.arange(1, len(found) + 1))
    columns = [column_of(genre) for genre in GENRES]
    whole = classifier.predict_proba(tmp_path / "long.wav")[0]
    np.testing.assert_allclose(whole, found[columns][:-1].mean(), rtol=1e-9)
    first = classifier.hear(tmp_path / "long.wav", first=seconds)
    np.testing.assert_array_equal(first.probabilities, found[columns].iloc[0])


def test_a_file_that_cannot_be_used_is_named_with_the_reason(corpus, classifier, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 8000)
    answer = classifier.hear(tmp_path / "silent.wav")
    assert "silent" in answer.reason
    assert answer.genre == ""
    assert np.isnan(answer.probabilities).all()
    with pytest.raises(RejectedError, match=r"silent\.wav: is silent"):
        classifier.predict([corpus.track("hiss/9.wav"), tmp_path / "silent.wav"])
    with pytest.raises(RejectedError, match="samples last"):
        classifier.predict_samples(np.ones(10), 8000)


def test_features_that_this_version_orders_differently_are_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = json.loads((folder / "model.json").read_text())
    facts["signature"]["feature_names"] = facts["signature"]["feature_names"][::-1] or ["other"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelFileError, match=r"names or orders differently|has 1 features.*anew"):
        genreflow.load(tmp_path)


def test_what_is_no_model_is_an_error_that_says_what_is_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match="expected the folder of a release"):
        genreflow.load("polka")
    with pytest.raises(ModelFileError, match="expected the folder of a trained model"):
        genreflow.load(tmp_path)
