"""Releases: models trained on all tracks, in folders that predict alone."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

import genreflow
from genreflow import lineage, registry
from genreflow.cli import app
from genreflow.models.base import ModelFileError
from genreflow.models.choosing import commonest, mean_temperature, median_epoch
from genreflow.models.loading import load_model
from genreflow.models.metadata import read_metadata, write_metadata
from genreflow.models.pooling import pool
from genreflow.models.temperature import apply_temperature
from genreflow.params import parse
from genreflow.prediction.release import Member, read_index, read_release
from genreflow.release.assemble import assemble
from genreflow.release.refit import refit
from genreflow.store import tables
from genreflow.store.files import file_sha256, write_csv, write_json
from genreflow.training import open_features, train
from tests.conftest import ROOT
from tests.synthetic_features import GENRES, RATE, make_corpus

pytestmark = pytest.mark.slow

MODELS = (
    "svm_mel",
    "xgb_mel",
    "svm_handcrafted",
    "xgb_handcrafted",
    "cnn",
    "mlp_embedding",
    "svm_embedding",
)
METRICS = {"accuracy": 0.5, "f1_macro": 0.5, "ece": 0.2, "ece_calibrated": 0.1, "n_tracks": 6}
WEIGHTS = {"xgb_mel": (0.6, 0.2), "svm_handcrafted": (0.6, 0.8), "svm_embedding": (0.0, 0.0)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """Folder of the first fold's training of each model."""
    root = tmp_path_factory.mktemp("models")
    for name in MODELS:
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, root / name / "0")
    return {name: root / name / "0" for name in MODELS}


@pytest.fixture(scope="module")
def refitted(corpus, trained, tmp_path_factory):
    root = tmp_path_factory.mktemp("refit")
    for name in MODELS:
        features = corpus.features(*registry.entry(name).reads)
        refit(name, corpus.params, features, corpus.splits, [trained[name]], root / name)
    return {name: root / name for name in MODELS}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Tables as evaluation writes them, of two folds."""
    out = tmp_path_factory.mktemp("evaluation")
    accuracy = {name: 0.5 + 0.01 * i for i, name in enumerate(MODELS)} | {"ensemble": 0.9}
    metrics = {name: {"track": METRICS | {"accuracy": a}} for name, a in accuracy.items()}
    write_json(metrics, out / "metrics.json")
    rows = [(name, fold, t) for name in accuracy for fold, t in (("0", 1.0), ("1", 4.0))]
    table = pd.DataFrame(rows, columns=["model", "fold", "temperature"])
    write_csv(table, out / "temperatures.csv")
    rows = [
        ("ensemble", str(fold), name, weight)
        for name, weights in WEIGHTS.items()
        for fold, weight in enumerate(weights)
    ]
    table = pd.DataFrame(rows, columns=["ensemble", "fold", "model", "weight"])
    write_csv(table, out / "ensemble.csv")
    rows = [("cnn", "track", genre, 0.5, 0.6, 0.7, 2) for genre in GENRES]
    columns = ["model", "level", "genre", "precision", "recall", "f1", "support"]
    write_csv(pd.DataFrame(rows, columns=columns), out / "per_genre.csv")
    return out


@pytest.fixture(scope="module")
def tracks(corpus, tmp_path_factory):
    path = tmp_path_factory.mktemp("tracks") / "tracks.parquet"
    names = [f"{genre}/{i}.wav" for genre in GENRES for i in range(10)]
    table = pd.DataFrame({"track_id": names, "decoded_seconds": [2.0] * len(names)})
    tables.write_table(table, path, lineage.stamp("tracks", corpus.params))
    return path


@pytest.fixture(scope="module")
def releases(corpus, refitted, evaluation, tracks, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "release"
    features = corpus.features("handcrafted")
    assemble(corpus.params, refitted, evaluation, tracks, corpus.splits, features, out)
    return out


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_trained_on_all_tracks_with_what_folds_chose(name, trained, refitted):
    before, after = read_metadata(trained[name]), read_metadata(refitted[name])
    assert (before.n_train, after.n_train, after.n_valid) == (18, 30, 0)
    assert after.signature == before.signature
    assert after.stamp == before.stamp
    chosen = {key: value for key, value in before.best.items() if key != "n_components"}
    kept = {key: after.best[key] for key in chosen}
    assert kept == chosen


def test_several_trainings_make_one_choice():
    choices = [
        {"C": 1.0, "kernel": "rbf", "temperature": 1.0, "epoch": 4},
        {"C": 3.0, "kernel": "rbf", "temperature": 4.0, "epoch": 9},
        {"C": 3.0, "kernel": "rbf", "temperature": 2.0, "epoch": 10},
    ]
    assert commonest(choices) == {"C": 3.0, "kernel": "rbf"}
    assert commonest(choices[:2]) == {"C": 1.0, "kernel": "rbf"}
    assert mean_temperature(choices) == pytest.approx(2.0)
    assert median_epoch(choices) == 9
    assert median_epoch(choices[:2]) == 7


@pytest.mark.parametrize("name", MODELS)
def test_a_track_of_the_corpus_gets_exactly_what_its_features_say(name, corpus, refitted, releases):
    classifier = genreflow.load(releases / name)
    names = ["hiss/9.wav", "drone/0.wav", "pulse/7.wav"]
    model, _ = load_model(refitted[name])
    features = corpus.features(*registry.entry(name).reads)
    expected = []
    with closing(open_features(name, corpus.params, features, corpus.splits)) as found:
        for track in names:
            of_track = found.row_track == list(found.track_id).index(track)
            rows = np.flatnonzero(of_track & (found.row_copy == 0))
            expected.append(model.predict_proba(found.source.read(rows)).mean(axis=0, dtype=float))
    calibrated = apply_temperature(np.array(expected), classifier.release.temperature)
    said = classifier.predict_proba([corpus.track(track) for track in names])
    np.testing.assert_allclose(said, calibrated, rtol=1e-9)


def test_a_release_says_what_it_is_and_how_good(releases, corpus):
    release = read_release(releases / "cnn")
    assert release.genres == GENRES
    assert release.members == (Member("."),)
    assert release.stretch_seconds == 2.0
    assert release.temperature == 2.0
    assert release.trained_on == "all tracks"
    assert release.evaluation["accuracy"] == 0.54
    assert release.evaluation["tracks"] == 30
    assert release.versions["genreflow"] == genreflow.__version__
    assert {"keras", "tensorflow"} <= set(release.versions)
    for name in ("model.json", "model.keras"):
        assert release.digests[name] == file_sha256(releases / "cnn" / name)
    card = (releases / "cnn" / "README.md").read_text()
    assert "accuracy | 0.540" in card
    assert "| hiss | 0.50 | 0.60 | 0.70 | 2 |" in card
    assert "closed set" in card
    assert "temperature:" in card


def test_the_index_names_the_best_and_it_is_loaded_by_default(releases, monkeypatch):
    index = read_index(releases)
    assert index.best == "ensemble"
    assert list(index.accuracy)[:2] == ["cnn", "ensemble"]  # as JSON sorts them
    assert genreflow.load(releases).release.name == "ensemble"
    monkeypatch.chdir(releases.parent.parent)
    (releases.parent.parent / "results").mkdir(exist_ok=True)
    shutil.copytree(releases, "results/release")
    assert genreflow.load().release.name == "ensemble"
    assert genreflow.load("cnn").release.name == "cnn"
    with pytest.raises(ModelFileError, match=r"polka: no such model.*there are cnn, ensemble"):
        genreflow.load("polka")


def test_where_nothing_was_released_the_message_says_what_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=r"^results/release: not in this folder.*`make run`"):
        genreflow.load()
    with pytest.raises(ModelFileError, match=r"^cnn: no such model.*results/release holds none"):
        genreflow.load("cnn")


def test_an_ensemble_is_the_pool_of_its_members_without_those_that_have_no_say(releases, corpus):
    classifier = genreflow.load(releases / "ensemble")
    weights = {member.folder: member.weight for member in classifier.release.members}
    assert weights == {"xgb_mel": pytest.approx(0.4), "svm_handcrafted": pytest.approx(0.7)}
    track = corpus.track("pulse/3.wav")
    alone = [genreflow.load(releases / "ensemble" / name).predict_proba(track) for name in weights]
    pooled = pool(np.array(alone), np.array(list(weights.values())))
    expected = apply_temperature(pooled, 2.0)
    np.testing.assert_allclose(classifier.predict_proba(track), expected, rtol=1e-9)


def test_a_release_predicts_alone_wherever_it_is_copied(releases, corpus, tmp_path):
    moved = shutil.copytree(releases / "svm_embedding", tmp_path / "elsewhere")
    assert list((moved / "encoders").iterdir())
    code = """if True:
        import sys, genreflow
        classifier = genreflow.load(sys.argv[1])
        assert sys.argv[1] in repr(classifier._voters[0]._features)
        print(*classifier.predict(sys.argv[2]), *classifier.predict_proba(sys.argv[2])[0])"""
    command = [sys.executable, "-c", code, str(moved), str(corpus.track("hiss/9.wav"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    said = done.stdout.split()
    here = genreflow.load(releases / "svm_embedding").predict_proba(corpus.track("hiss/9.wav"))
    assert said[0] == "hiss"
    assert [float(value) for value in said[1:]] == pytest.approx(list(here[0]), rel=1e-12)


def test_a_model_that_is_not_trained_again_is_the_first_folds(corpus, trained, tmp_path):
    values = corpus.params.model_dump(mode="json")
    values["release"]["xgb_mel"] = False
    features = corpus.features("mel")
    cost = refit("xgb_mel", parse(values), features, corpus.splits, [trained["xgb_mel"]], tmp_path)
    assert cost == {"fit_seconds": 0.0}
    for name in ("model.json", "model.xgb.json"):
        assert (tmp_path / name).read_bytes() == (trained["xgb_mel"] / name).read_bytes()


def test_the_same_inputs_make_the_same_bytes(
    corpus, trained, refitted, releases, evaluation, tracks, tmp_path
):
    again = tmp_path / "again"
    for name in ("svm_handcrafted", "cnn"):
        features = corpus.features(*registry.entry(name).reads)
        refit(name, corpus.params, features, corpus.splits, [trained[name]], again / name)
        for path in refitted[name].iterdir():
            assert (again / name / path.name).read_bytes() == path.read_bytes()
    out = tmp_path / "release"
    features = corpus.features("handcrafted")
    assemble(corpus.params, refitted, evaluation, tracks, corpus.splits, features, out)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(releases) for p in releases.rglob("*") if p.is_file())
    for path in files:
        assert (out / path).read_bytes() == (releases / path).read_bytes()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda facts: facts.update(format=2), "of another version"),
        (lambda facts: facts.update(members=[]), "names no member"),
        (lambda facts: facts["members"][0].update(folder="../.."), "isn't one of its own"),
        (lambda facts: facts.update(temperature=0), "is damaged"),
        (lambda facts: facts.update(genres=["a", "b", "c"]), "know different genres"),
    ],
)
def test_a_damaged_release_is_refused(change, complaint, releases, tmp_path):
    folder = shutil.copytree(releases / "xgb_mel", tmp_path / "xgb_mel")
    facts = json.loads((folder / "release.json").read_text())
    change(facts)
    (folder / "release.json").write_text(json.dumps(facts))
    with pytest.raises(ModelFileError, match=complaint):
        genreflow.load(folder)


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Clicks, of which there are none in the corpus."""
    path = tmp_path_factory.mktemp("strange") / "clicks.wav"
    wave = np.zeros(2 * RATE)
    wave[:: RATE // 40] = 0.9
    soundfile.write(path, wave, RATE)
    return path


def test_a_sound_unlike_the_corpus_is_least_familiar_whatever_its_genre(releases, corpus, strange):
    for name in ("xgb_mel", "svm_handcrafted", "ensemble"):
        classifier = genreflow.load(releases / name)
        own = [classifier.familiarity(corpus.track(f"{genre}/3.wav")) for genre in GENRES]
        # One in seven, where six validation tracks say what is near.
        assert classifier.familiarity(strange) == pytest.approx(1 / 7)
        assert min(own) > 1 / 7
        assert classifier.hear(strange).familiarity is None


def test_the_command_says_unfamiliar_only_when_asked(releases, corpus, strange):
    paths = [str(strange), str(corpus.track("hiss/3.wav"))]
    asked = ["predict", "--model", str(releases / "xgb_mel"), "--json", *paths]
    told = CliRunner().invoke(app, [*asked, "--min-familiarity", "0.2"])
    clicks, hiss = map(json.loads, told.stdout.splitlines())
    assert (clicks["genre"], hiss["genre"]) == ("unfamiliar", "hiss")
    assert clicks["familiarity"] == pytest.approx(1 / 7, abs=1e-4)
    assert clicks["model"] == "xgb_mel, unfamiliar below 0.2"
    for line in CliRunner().invoke(app, asked).stdout.splitlines():
        assert "familiar" not in line


def test_a_single_training_does_not_know_what_is_familiar(trained, releases, strange, tmp_path):
    with pytest.raises(ModelFileError, match="a single training doesn't know"):
        genreflow.load(trained["xgb_mel"]).familiarity(strange)
    folder = shutil.copytree(releases / "xgb_mel", tmp_path / "xgb_mel")
    (folder / "familiarity.npz").write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match=r"familiarity\.npz: can't be read"):
        genreflow.load(folder).familiarity(strange)
    (folder / "familiarity.npz").unlink()
    with pytest.raises(ModelFileError, match="isn't there"):
        genreflow.load(folder).familiarity(strange)


def test_all_folds_of_a_model_can_be_averaged(trained, corpus, tmp_path):
    from genreflow.prediction.load import load_folds

    root = tmp_path / "svm_mel"
    shutil.copytree(trained["svm_mel"], root / "0")
    shutil.copytree(trained["svm_mel"], root / "1")
    metadata = read_metadata(root / "1")
    write_metadata(metadata, root / "1")
    track = corpus.track("hiss/9.wav")
    together = load_folds(str(root))
    assert len(together.release.members) == 2
    alone = genreflow.load(root / "0").predict_proba(track)
    np.testing.assert_allclose(together.predict_proba(track), alone, rtol=1e-12)
    with pytest.raises(ModelFileError, match="holds no trainings"):
        load_folds("polka")


def test_the_examples_of_the_documentation_run(releases, corpus, tmp_path, monkeypatch, capsys):
    shutil.copytree(releases, tmp_path / "results/release")
    shutil.copy(corpus.track("hiss/9.wav"), tmp_path / "song.wav")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/releases.md").read_text(encoding="utf-8")
    namespace = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(code, namespace)
    assert capsys.readouterr().out.count("hiss") == 4
