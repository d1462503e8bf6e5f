"""A training job: what it reads, what it writes, and what must not influence it."""

import hashlib
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax

from genreflow import lineage, registry
from genreflow.columns import column_of, genre_of
from genreflow.evaluation.predictions import read_predictions
from genreflow.models.base import ModelFileError, Signature
from genreflow.models.loading import create, load_model
from genreflow.models.metadata import read_metadata
from genreflow.models.resnet50 import WeightsError
from genreflow.params import Models, parse
from genreflow.prediction.load import load
from genreflow.registry.grid import Scaling
from genreflow.registry.neural import NeuralSection
from genreflow.store import tables
from genreflow.store.stamp import StaleArtifactError
from genreflow.training import TrainingError, train
from tests.synthetic_features import GENRES, Corpus, make_corpus

pytestmark = pytest.mark.slow

QUICK = [name for name in registry.MODELS if name != "resnet50"]


def _weights(name: str) -> tuple[str, ...]:
    """Return the class weights that a model takes; some take none."""
    taken: tuple[str, ...] = get_args(
        registry.entry(name).parameters.model_fields["class_weight"].annotation
    )
    return taken


WEIGHED = [(name, weight) for name in QUICK for weight in _weights(name)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def other_test_tracks(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("other"), noisy_test_tracks=True)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """Train each model at most once."""
    folders: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in folders:
            folders[name] = run(corpus, name, tmp_path_factory.mktemp(name))
        return folders[name]

    return folder_of


def job(corpus: Corpus, name: str, out: Path, fold: str = "0") -> dict[str, Any]:
    features = corpus.features(*registry.entry(name).reads)
    return train(name, fold, corpus.params, features, corpus.splits, out)


def run(corpus: Corpus, name: str, out: Path) -> Path:
    job(corpus, name, out)
    return out


def retrain(
    corpus: Corpus,
    name: str,
    out: Path,
    *,
    splits: pd.DataFrame | None = None,
    training: str = "0",
    **settings: Any,
) -> Path:
    """Train with other splits, or other parameters of the model."""
    params = corpus.params.model_dump(mode="json")
    params["models"][name] |= settings
    path = corpus.splits
    if splits is not None:
        path = out.parent / "splits.parquet"
        tables.write_table(splits, path, tables.read_stamp(corpus.splits))
    features = corpus.features(*registry.entry(name).reads)
    train(name, training, parse(params), features, path, out)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def predictions(corpus: Corpus, name: str, folder: Path) -> pd.DataFrame:
    stamp = lineage.of_predictions(name, corpus.params)
    return tables.read_table(folder / "predictions.parquet", stamp)


def rows_of(corpus: Corpus, table: pd.DataFrame, model) -> np.ndarray:
    """Return what the model saw of the rows of a table."""
    parts = []
    for kind in registry.kinds_of(model.signature.model):
        open_rows = import_module(kind.reader).open_rows
        found = open_rows(corpus.features(kind.name), lineage.stamp(kind.name, corpus.params))
        number = {
            (found.track_id[track], int(window)): row
            for row, (track, window) in enumerate(
                zip(found.row_track, found.row_window, strict=True)
            )
        }
        keys = zip(table["track_id"], table["window"], strict=True)
        parts.append(found.source.read([number[key] for key in keys]))
        found.close()
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_job_writes_what_the_registry_says(name, trained):
    assert {path.name for path in trained(name).iterdir()} == set(registry.entry(name).files)


@pytest.mark.parametrize("name", registry.MODELS)
def test_predictions_are_probabilities_of_validation_and_test_rows_alone(name, corpus, trained):
    table = predictions(corpus, name, trained(name))
    assert list(table.columns) == ["track_id", "window", "genre", "role", *GENRES]
    np.testing.assert_allclose(table[list(GENRES)].sum(axis=1), 1, atol=1e-5)
    assert {str(kind) for kind in table[list(GENRES)].dtypes} == {"float32"}
    assert set(table["role"]) == {"valid", "test"}
    assert table["track_id"].nunique() == 4 * len(GENRES)
    whole_tracks = registry.entry(name).features != "mel"
    assert set(table["window"]) == ({-1} if whole_tracks else {0, 1, 2})


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_loaded_model_predicts_what_the_trained_one_did(name, corpus, trained):
    model, metadata = load_model(trained(name))
    assert metadata.signature.genres == GENRES
    table = predictions(corpus, name, trained(name))
    test = table[table["role"] == "test"]
    again = model.predict_proba(rows_of(corpus, test, model))
    np.testing.assert_allclose(again, test[list(GENRES)], atol=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_a_second_run_writes_the_same_bytes(name, corpus, trained, tmp_path):
    assert digests(run(corpus, name, tmp_path / "again")) == digests(trained(name))


@pytest.mark.parametrize("name", QUICK)
def test_test_tracks_do_not_influence_training(name, other_test_tracks, trained, tmp_path):
    other = digests(run(other_test_tracks, name, tmp_path / "other"))
    ours = digests(trained(name))
    assert other.pop("predictions.parquet") != ours.pop("predictions.parquet")
    assert other == ours


@pytest.mark.parametrize("name", ["xgb_mel", "xgb_handcrafted", "svm_handcrafted"])
def test_three_sounds_that_differ_are_told_apart(name, corpus, trained):
    table = predictions(corpus, name, trained(name))
    test = table[table["role"] == "test"]
    assert (test[list(GENRES)].idxmax(axis=1) == test["genre"]).mean() > 0.8


@pytest.mark.parametrize("name", QUICK)
def test_every_model_learns_from_the_training_tracks_alone(name, corpus, trained):
    """Validation tracks choose a number at most: 18 tracks train, 6 validate, for all models."""
    metadata = read_metadata(trained(name))
    assert (metadata.n_train, metadata.n_valid) == (18, 6)


@pytest.mark.parametrize("name", ["svm_handcrafted", "xgb_handcrafted"])
def test_models_without_rounds_ignore_where_validation_tracks_lie(name, corpus, trained, tmp_path):
    """Without half of them the model is the same, but for how sure it is."""
    rows = tables.read_table(corpus.splits, lineage.stamp("splits", corpus.params))
    fewer = rows[(rows["role"] != "valid") | (rows.index % 2 == 0)]
    other = retrain(corpus, name, tmp_path / "model", splits=fewer)
    here, there = (
        predictions(corpus, name, folder).query("role == 'test'")[list(GENRES)]
        for folder in (trained(name), other)
    )
    assert (here.to_numpy().argmax(axis=1) == there.to_numpy().argmax(axis=1)).all()
    assert pd.read_csv(trained(name) / "cv.csv").equals(pd.read_csv(other / "cv.csv"))


@pytest.mark.parametrize("scaling", get_args(Scaling))
def test_either_scaling_comes_back_from_its_file_and_bounds_or_not(scaling, corpus, tmp_path):
    section = corpus.params.at("models.svm_handcrafted").model_copy(update={"scaling": scaling})
    models = corpus.params.models.model_copy(update={"svm_handcrafted": section})
    params = corpus.params.model_copy(update={"models": models})
    features = corpus.features("handcrafted")
    train("svm_handcrafted", "0", params, features, corpus.splits, tmp_path)
    model, _ = load_model(tmp_path)
    scale = model.prepare["scale"]
    far = scale.transform(np.full((1, *model.signature.shape), 1e9))
    assert (np.abs(far).max() < 6) == (scaling == "ranks")


def test_costs_lie_apart_from_what_is_reproducible(corpus, tmp_path):
    cost = job(corpus, "xgb_mel", tmp_path)
    assert set(cost) == {
        "fit_seconds",
        "predict_seconds",
        "n_tracks_predicted",
        "predictions_sha256",
    }
    assert cost["predictions_sha256"] == digests(tmp_path)["predictions.parquet"]
    assert cost["n_tracks_predicted"] == 12
    assert {path.name for path in tmp_path.iterdir()} == set(registry.entry("xgb_mel").files)


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_model_knows_its_size_and_the_parameters_behind_it(name, corpus, trained):
    metadata = read_metadata(trained(name))
    files = [trained(name) / file for file in registry.entry(name).model_files]
    assert metadata.model_bytes == sum(file.stat().st_size for file in files)
    assert metadata.n_parameters > 0
    assert metadata.section(f"models.{name}") == corpus.params.section(f"models.{name}")


def test_histories_tell_epochs_and_grids_tell_candidates(trained):
    history = pd.read_csv(trained("cnn") / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(history)
    grid = pd.read_csv(trained("svm_handcrafted") / "cv.csv")
    assert list(grid.columns) == ["params", "mean", "std", "rank"]
    assert json.loads(grid["params"][0])["selected_fraction"] == 0.5


def test_features_of_other_audio_are_refused(corpus, tmp_path):
    stamp = lineage.stamp("splits", corpus.params)
    splits = tables.read_table(corpus.splits, stamp)
    digests = dict(tables.read_stamp(corpus.splits).facts["audio"], hiss="another")
    stale = tmp_path / "splits.parquet"
    tables.write_table(splits, stale, stamp.with_facts(audio=digests))
    with pytest.raises(StaleArtifactError, match="features of hiss were made from other audio"):
        train("svm_mel", "0", corpus.params, corpus.features("mel"), stale, tmp_path / "out")


def test_an_unknown_fold_is_named_with_those_there_are(corpus, tmp_path):
    with pytest.raises(TrainingError, match="no fold '7'; there are 0"):
        job(corpus, "svm_mel", tmp_path / "out", fold="7")


def test_a_track_without_features_stops_training(corpus, tmp_path):
    splits = tables.read_table(corpus.splits, lineage.stamp("splits", corpus.params))
    splits.loc[0, "track_id"] = "drone/lost.wav"
    path = tmp_path / "splits.parquet"
    tables.write_table(splits, path, tables.read_stamp(corpus.splits))
    with pytest.raises(TrainingError, match=r"drone/lost\.wav"):
        train("xgb_mel", "0", corpus.params, corpus.features("mel"), path, tmp_path / "out")


def test_a_folder_without_a_model_is_told_so(tmp_path):
    with pytest.raises(ModelFileError, match="expected the folder of a trained model"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["svm_mel", "xgb_mel", "svm_handcrafted", "cnn"])
def test_a_damaged_model_file_is_told_so(name, trained, tmp_path):
    for path in trained(name).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = tmp_path / registry.entry(name).model_files[-1]
    file.write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="can't be read"):
        load_model(tmp_path)


def test_every_section_of_models_has_an_entry():
    assert list(registry.MODELS) == list(Models.model_fields)
    assert registry.BASELINE in registry.MODELS


def test_the_registry_and_training_import_no_learning_library():
    code = (
        "import sys, genreflow.registry, genreflow.training;"
        "heavy = {'keras', 'tensorflow', 'sklearn', 'xgboost', 'librosa', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["svm_mel", "xgb_mel", "svm_handcrafted", "xgb_handcrafted"])
def test_two_genres_are_told_apart_and_every_candidate_has_a_score(name, tmp_path):
    pair = make_corpus(tmp_path, sounds=("hiss", "pulse"))
    folder = run(pair, name, tmp_path / "model")
    test = predictions(pair, name, folder).query("role == 'test'")
    assert (test[["hiss", "pulse"]].idxmax(axis=1) == test["genre"]).mean() > 0.8
    if name.endswith("_handcrafted"):
        grid = pd.read_csv(folder / "cv.csv")
        assert grid["mean"].between(0.5, 1).all()


def test_genres_may_be_called_like_columns(tmp_path):
    names = ("genre", "window_", "fold")
    odd = make_corpus(tmp_path, genres=names)
    folder = run(odd, "xgb_mel", tmp_path / "xgb_mel" / "0")
    path = folder / "predictions.parquet"
    found = read_predictions(odd.params, "xgb_mel", [path])
    assert found.genres == tuple(sorted(names))
    assert (found.actual == found.predicted).mean() > 0.5
    assert [genre_of(column_of(name)) for name in names] == list(names)
    classifier = load(folder)
    assert tuple(classifier.classes_) == tuple(sorted(names))
    assert classifier.predict_proba(odd.track("fold/9.wav")).sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["xgb_mel", "svm_handcrafted", "cnn"])
def test_a_further_training_is_what_its_seed_would_give_alone(name, corpus, tmp_path):
    second = retrain(corpus, name, tmp_path / "0.1", training="0.1", seeds=3)
    alone = retrain(corpus, name, tmp_path / "0", seed=1)
    assert digests(second) == digests(alone)


@pytest.fixture(scope="module")
def with_a_rare_genre(corpus):
    """Of `pulse`, a single track trains, one validates and one is tested."""
    rows = tables.read_table(corpus.splits, lineage.stamp("splits", corpus.params))
    first = ~rows.duplicated(["genre", "role"])
    return rows[(rows["genre"] != "pulse") | first]


@pytest.mark.parametrize(("name", "class_weight"), WEIGHED)
def test_a_genre_may_have_one_training_track(
    name, class_weight, corpus, with_a_rare_genre, tmp_path
):
    out = retrain(
        corpus, name, tmp_path / "model", splits=with_a_rare_genre, class_weight=class_weight
    )
    params = corpus.params.model_dump(mode="json")
    params["models"][name] |= {"class_weight": class_weight}
    table = tables.read_table(
        out / "predictions.parquet", lineage.of_predictions(name, parse(params))
    )
    assert table[list(GENRES)].notna().all(axis=None)
    assert set(table["genre"]) == set(GENRES)


WEAK = {
    "svm_mel": {"C": 1e-4},
    "xgb_mel": {"n_estimators": 2, "max_depth": 1},
    "svm_handcrafted": {"C": [0.02]},
    "xgb_handcrafted": {"n_estimators": [2], "max_depth": [1]},
    "svm_embedding": {"C": [0.02]},
    "svm_fusion": {"C": [0.02]},
    "mlp_embedding": {"epochs": 2},
    **{
        name: {"mixup": 0.0}
        for name, entry in registry.MODELS.items()
        if issubclass(entry.parameters, NeuralSection)
    },
}
"""Settings under which a model can't fit everything."""


@pytest.mark.parametrize("name", [name for name, weight in WEIGHED if weight == "balanced"])
def test_balanced_weights_make_a_rare_genre_more_probable(
    name, corpus, with_a_rare_genre, tmp_path
):
    means = {}
    for class_weight in ("none", "balanced"):
        settings = WEAK.get(name, {}) | {"class_weight": class_weight}
        folder = tmp_path / class_weight / "model"
        folder.parent.mkdir()
        retrain(corpus, name, folder, splits=with_a_rare_genre, **settings)
        table = pd.read_parquet(folder / "predictions.parquet")
        means[class_weight] = table.loc[table["role"] == "test", "pulse"].mean()
    assert means["balanced"] > means["none"], (
        "The weights have no effect; if that is since the model fits everything, list a weaker "
        "setting of it in WEAK"
    )


def test_a_network_is_trained_to_the_end_and_calibrated(corpus, trained):
    """By validation windows: dividing its margins by anything else is no better."""
    history = pd.read_csv(trained("cnn") / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    table = pd.read_parquet(trained("cnn") / "predictions.parquet")
    valid = table[table["role"] == "valid"]
    probabilities = valid[list(GENRES)].to_numpy(dtype=np.float64)
    label = valid["genre"].map(list(GENRES).index).to_numpy()
    losses = []
    for temperature in (0.8, 1.0, 1.25):
        margins = log_softmax(np.log(probabilities) / temperature, axis=1)
        losses.append(-margins[np.arange(len(label)), label].mean())
    assert losses[1] == min(losses)


def test_the_boosting_round_that_is_kept_is_written_down(trained):
    history = pd.read_csv(trained("xgb_mel") / "history.csv")
    kept = read_metadata(trained("xgb_mel")).best["epoch"]
    assert kept == history["epoch"][history["val_loss"].idxmin()]


@pytest.fixture
def resnet(corpus):
    """Return a ResNet50 that starts from `weights`, and the layers of its body."""
    import keras

    def build(weights):
        section = corpus.params.at("models.resnet50").model_copy(update={"weights": weights})
        model = create(section, Signature("resnet50", GENRES, (40, 32, 1)))
        inputs = keras.Input((40, 32, 1))
        return keras.Model(inputs, model.body(inputs))

    return build


def test_a_resnet_starts_from_the_weights_in_a_file(resnet, tmp_path):
    import keras

    keras.utils.set_random_seed(5)
    known = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "photographs.weights.h5"
    known.save_weights(path)
    kernel = known.get_layer("conv3_block2_2_conv").get_weights()[0]
    found = resnet(str(path)).get_layer("conv3_block2_2_conv").get_weights()[0]
    np.testing.assert_array_equal(found, kernel)


def test_weights_that_cannot_be_had_are_named_with_a_remedy(resnet, tmp_path):
    damaged = tmp_path / "damaged.weights.h5"
    damaged.write_text("no weights")
    for path in (damaged, tmp_path / "missing.weights.h5"):
        with pytest.raises(WeightsError, match=r"models\.resnet50\.weights: .*null") as error:
            resnet(str(path))
        assert path.name in str(error.value)
