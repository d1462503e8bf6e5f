"""Models as ONNX graphs: what they say must be what genreflow says."""

import functools
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner

import genreflow
from genreflow import lineage, registry
from genreflow.cli import app
from genreflow.export.build import build
from genreflow.export.error import ExportError
from genreflow.export.write import export
from genreflow.models import runtime
from genreflow.models.libraries import libraries_of
from genreflow.models.loading import create
from genreflow.models.metadata import write_metadata
from genreflow.models.neural.network import OUTPUT
from genreflow.prediction.classifier import Classifier
from genreflow.prediction.release import Member, Release, write_release
from genreflow.prediction.voter import Sound, Voter
from genreflow.training import train
from tests.conftest import ROOT
from tests.synthetic_features import GENRES, RATE, make_corpus, sound_of

pytestmark = pytest.mark.slow

WINDOWS = ("svm_mel", "xgb_mel", "cnn", "lstm", "resnet50")
TRACKS = (
    "svm_handcrafted",
    "xgb_handcrafted",
    "svm_embedding",
    "mlp_embedding",
    "svm_fusion",
)
NETWORKS = ("cnn", "lstm", "resnet50")
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """Make each model when it is first asked for, and return its folder."""
    root = tmp_path_factory.mktemp("models")

    def folder_of(name):
        folder = root / name / "0"
        if not folder.exists() and name in NETWORKS:
            make_network(name, corpus, folder_of("xgb_mel"), folder)
        elif not folder.exists():
            features = corpus.features(*registry.entry(name).reads)
            train(name, "0", corpus.params, features, corpus.splits, folder)
        return folder

    return folder_of


@pytest.fixture(scope="module")
def classifier(trained):
    """Load each model when it is first asked for."""
    return functools.cache(lambda name: genreflow.load(trained(name)))


@pytest.fixture(scope="module")
def exported(classifier, tmp_path_factory):
    """Export each model when it is first asked for, and return its file."""
    root = tmp_path_factory.mktemp("exported")

    def file_of(name):
        path = root / f"{name}.onnx"
        if not path.exists():
            path.write_bytes(build(classifier(name)).SerializeToString(deterministic=True))
        return path

    return file_of


def make_network(name, corpus, like, folder):
    """Write a network of weights by chance, with answers that differ from sound to sound.

    After a short training some would be 0 still, or answers alike, where a mistake hides.
    """
    voter = Voter(like)
    signature = replace(voter.metadata.signature, model=name)
    section = corpus.params.at(registry.entry(name).section)
    model = create(section, signature)
    runtime.configure_keras(section.threads, section.seed)
    rng = np.random.default_rng(0)
    bands = (signature.shape[1], 1)
    model.network = model._build(rng.uniform(-50, -30, bands), rng.uniform(50, 300, bands))
    for layer in model.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for values in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance):
                values.assign(rng.uniform(0.5, 1.5, values.shape))
    windows = [voter.features_of(Sound(_whole(y), RATE)) for y in sounds().values()]
    last = model.network.get_layer(OUTPUT)
    before = keras.Model(model.network.inputs, last.input).predict_on_batch(np.concatenate(windows))
    kernel, _ = last.get_weights()
    margins = before @ kernel
    scale = 1.5 / margins.std(axis=0)
    last.set_weights([kernel * scale, -margins.mean(axis=0) * scale])
    folder.mkdir(parents=True)
    model.save(folder)
    made = replace(
        voter.metadata,
        signature=signature,
        stamp=lineage.of_model(name, corpus.params),
        libraries=libraries_of(registry.entry(name).model_files),
    )
    write_metadata(made, folder)


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def sounds():
    """Return sounds that the front end treats in different ways, by what they are."""
    rng = np.random.default_rng(7)
    drone, hiss, pulse = (sound_of(genre, rng).astype(np.float32) for genre in GENRES)
    silence = np.zeros(RATE // 2, dtype=np.float32)
    return {
        "drone": drone,
        "hiss": hiss,
        "pulse": pulse,
        "silence around": np.concatenate([silence, pulse, silence]),
        "silence within": np.concatenate([pulse, silence, silence, silence, silence, pulse]),
        "quiet": drone * np.float32(0.02),
        "beyond full scale": hiss * np.float32(8),
        "as short as can be": drone[:RATE],
        "short in silence": np.concatenate([silence, silence, hiss[: RATE // 10], silence]),
        "long": np.tile(np.concatenate([drone, hiss, pulse]), 4),
        "of an odd length": pulse[: RATE + 1237],
        "one click": np.eye(1, 2 * RATE, 777, dtype=np.float32)[0],
    }


@pytest.mark.parametrize("name", WINDOWS)
def test_a_model_of_windows_says_what_genreflow_says_of_any_samples(name, classifier, exported):
    runs = session(exported(name))
    said = {}
    for kind, samples in sounds().items():
        expected = classifier(name).predict_samples_proba(samples, RATE)
        said[kind], windows = runs.run(["probabilities", "windows"], {"samples": samples})
        assert said[kind].shape == (3,), kind
        np.testing.assert_allclose(said[kind], expected, atol=TOLERANCE, rtol=0, err_msg=kind)
        np.testing.assert_allclose(windows.mean(axis=0), said[kind], atol=1e-6)
    # A graph that says the same of everything would pass as long as the model does.
    assert np.ptp(list(said.values()), axis=0).max() > 10 * TOLERANCE


@pytest.mark.parametrize("name", WINDOWS)
def test_each_window_gets_what_the_model_says_of_it(name, classifier, exported):
    (voter,) = classifier(name).voters
    samples = np.concatenate([np.zeros(RATE), sound_of("pulse", np.random.default_rng(3))])
    whole = np.round(samples * 32768).astype(np.int16)
    expected = voter.model.predict_proba(voter.features_of(Sound(whole, RATE)))
    (windows,) = session(exported(name)).run(["windows"], {"samples": np.float32(whole / 32768)})
    np.testing.assert_allclose(windows, expected, atol=2e-3)


@pytest.mark.parametrize("name", TRACKS)
def test_a_model_of_features_says_what_genreflow_says_of_the_same_features(
    name, classifier, exported
):
    (voter,) = classifier(name).voters
    rows = np.concatenate([voter.features_of(Sound(_whole(y), RATE)) for y in sounds().values()])
    # Far beyond all that training saw, and exactly at zero.
    rows = np.concatenate([rows, 10 * rows, -rows, np.zeros_like(rows[:1])]).astype(np.float32)
    runs = session(exported(name))
    (said,) = runs.run(["probabilities"], {"features": rows})
    np.testing.assert_allclose(said, voter.model.predict_proba(rows), atol=TOLERANCE, rtol=0)
    assert np.ptp(said, axis=0).max() > 10 * TOLERANCE
    names = json.loads(runs.get_modelmeta().custom_metadata_map["feature_names"])
    assert names == list(voter.metadata.signature.feature_names)


def _whole(samples):
    peak = max(1, np.abs(samples).max())
    return np.clip(np.round(samples / peak * 32768), -32768, 32767).astype(np.int16)


def test_two_genres_are_told_apart_as_well(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", sounds=("drone", "hiss"))
    for name in ("svm_handcrafted", "svm_mel", "xgb_handcrafted"):
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, tmp_path / name)
        classifier = genreflow.load(tmp_path / name)
        runs = session(export(tmp_path / name, "onnx", tmp_path / f"{name}.onnx").path)
        for track in ("drone/9.wav", "hiss/9.wav"):
            (part,) = classifier.hear(corpus.track(track)).parts
            given = _inputs(runs, classifier.voters, _decoded(corpus.track(track)))
            (said,) = runs.run(["probabilities"], given)
            np.testing.assert_allclose(np.ravel(said), part.probabilities, atol=TOLERANCE)


def _decoded(path):
    import soundfile

    return soundfile.read(path, dtype="float32")[0]


def _inputs(runs, voters, samples):
    given = {"samples": samples, "features": None}
    for voter in voters:
        if voter.metadata.signature.feature_names:
            given["features"] = voter.features_of(Sound(_whole(samples), RATE))
    return {one.name: given[one.name] for one in runs.get_inputs()}


@pytest.fixture(scope="module")
def ensemble(trained, tmp_path_factory):
    """Folder of the release of an ensemble whose members hear, and read features."""
    folder = tmp_path_factory.mktemp("release") / "ensemble"
    weights = {"svm_handcrafted": 0.5, "xgb_mel": 0.4, "svm_mel": 0.3, "svm_fusion": 0.2}
    for name in weights:
        shutil.copytree(trained(name), folder / name)
    members = tuple(Member(name, weight) for name, weight in weights.items())
    release = Release("ensemble", GENRES, members, "pool", temperature=0.7)
    write_release(release, folder)
    return folder


def test_an_ensemble_is_one_graph_with_its_weights_and_its_temperature(ensemble, corpus, tmp_path):
    classifier = genreflow.load(ensemble)
    written = export(ensemble, "onnx", tmp_path / "ensemble.onnx")
    runs = session(written.path)
    names = json.loads(runs.get_modelmeta().custom_metadata_map["feature_names"])
    handcrafted, *_, fusion = classifier.voters
    # The union of what the members read: here the fusion's.
    assert names == list(fusion.metadata.signature.feature_names)
    assert set(handcrafted.metadata.signature.feature_names) < set(names)
    for track in ("hiss/9.wav", "drone/8.wav", "pulse/1.wav"):
        given = _inputs(runs, classifier.voters, _decoded(corpus.track(track)))
        (said,) = runs.run(["probabilities"], given)
        (expected,) = classifier.predict_proba(corpus.track(track))
        np.testing.assert_allclose(said, [expected], atol=TOLERANCE)
    assert written.reads.startswith("reads `samples`, mono at 8000 Hz and `features`")


def test_a_released_model_answers_at_its_temperature(trained, tmp_path):
    folder = shutil.copytree(trained("xgb_mel"), tmp_path / "xgb_mel")
    write_release(Release("xgb_mel", GENRES, (Member("."),), temperature=3.0), folder)
    runs = session(export(folder, "onnx", tmp_path / "cool.onnx").path)
    samples = sounds()["hiss"]
    expected = genreflow.load(folder).predict_samples_proba(samples, RATE)
    (said,) = runs.run(["probabilities"], {"samples": samples})
    np.testing.assert_allclose(said, expected, atol=TOLERANCE)
    uncooled = genreflow.load(trained("xgb_mel")).predict_samples_proba(samples, RATE)
    assert np.abs(said - uncooled).max() > 10 * TOLERANCE


def test_silence_gets_finite_probabilities(exported):
    for name in WINDOWS:
        given = {"samples": np.zeros(2 * RATE, dtype=np.float32)}
        (said,) = session(exported(name)).run(["probabilities"], given)
        assert said.sum() == pytest.approx(1, abs=1e-5), name


def test_a_file_says_what_it_is(exported):
    about = session(exported("cnn")).get_modelmeta().custom_metadata_map
    assert about == {
        "model": "cnn",
        "genres": json.dumps(GENRES),
        "sample_rate": "8000",
        "stretch_seconds": "30",
        "min_seconds": "1",
        "silence_db": "-60",
        "feature_names": "[]",
        "genreflow_version": genreflow.__version__,
    }


def test_the_same_model_makes_the_same_bytes(trained, exported, tmp_path):
    again = export(trained("xgb_mel"), "onnx", tmp_path / "again.onnx").path
    assert again.read_bytes() == exported("xgb_mel").read_bytes()


def test_a_layer_that_has_no_counterpart_is_named(trained):
    classifier = genreflow.load(trained("cnn"))
    (voter,) = classifier.voters
    inputs = keras.Input(voter.metadata.signature.shape)
    dense = keras.layers.Dense(3)(keras.layers.GlobalMaxPooling2D(name="loudest")(inputs))
    voter.model.network = keras.Model(inputs, dense)
    with pytest.raises(ExportError, match=r"layer loudest: GlobalMaxPooling2D has no counterpart"):
        build(classifier)
    active = keras.layers.Dense(3, activation="mish")
    flat = keras.layers.Flatten()(inputs)
    voter.model.network = keras.Model(inputs, active(flat))
    with pytest.raises(ExportError, match="the activation mish isn't known"):
        build(classifier)


def test_a_model_that_has_no_counterpart_is_named(trained):
    classifier = genreflow.load(trained("xgb_mel"))
    (voter,) = classifier.voters
    voter.model = object()
    with pytest.raises(ExportError, match="xgb_mel: its class object can't be exported"):
        build(classifier)


def test_the_command_writes_a_file_once_and_again_when_told_to(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["export", str(trained("xgb_mel")), "--to", "onnx"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert re.match(r"xgb_mel\.onnx \(0\.\d MB\): reads `samples`, mono at 8000 Hz", done.output)
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1
    assert "xgb_mel.onnx: is there already" in again.output
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
    elsewhere = CliRunner().invoke(app, [*command, "--out", "somewhere/model.onnx"])
    assert elsewhere.exit_code == 0
    assert Path("somewhere/model.onnx").read_bytes() == Path("xgb_mel.onnx").read_bytes()
    folder = CliRunner().invoke(app, [*command, "--out", "somewhere", "--force"])
    assert "somewhere: is a folder" in folder.output


def test_without_onnx_the_message_says_what_to_install(trained, tmp_path, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("genreflow.export.")]:
        if module.rpartition(".")[2] not in ("write", "error"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match="onnx isn't installed; run `pip install onnx`"):
        export(trained("xgb_mel"), "onnx", tmp_path / "model.onnx")


def test_a_forest_is_exported_without_tensorflow(trained, tmp_path):
    code = """if True:
        import sys
        from genreflow.export.write import export
        export(sys.argv[1], "onnx", sys.argv[2] and __import__("pathlib").Path(sys.argv[2]))
        assert "tensorflow" not in sys.modules and "onnxruntime" not in sys.modules"""
    command = [sys.executable, "-c", code, str(trained("xgb_mel")), str(tmp_path / "m.onnx")]
    subprocess.run(command, check=True, capture_output=True)


def test_a_classifier_of_all_folds_is_their_mean(trained):
    voters = [Voter(trained("xgb_mel")), Voter(trained("svm_mel"))]
    alone = Classifier(Release("both", GENRES, (Member("."), Member("."))), voters)
    runs = onnxruntime.InferenceSession(build(alone).SerializeToString())
    samples = sounds()["pulse"]
    (said,) = runs.run(["probabilities"], {"samples": samples})
    each = [Classifier(replace(alone.release, members=(Member("."),)), [voter]) for voter in voters]
    expected = np.mean([one.predict_samples_proba(samples, RATE) for one in each], axis=0)
    np.testing.assert_allclose(said, expected, atol=TOLERANCE)


def test_the_example_of_the_documentation_runs(exported, corpus, tmp_path, monkeypatch, capsys):
    shutil.copy(exported("svm_mel"), tmp_path / "cnn.onnx")
    shutil.copy(corpus.track("hiss/9.wav"), tmp_path / "song.wav")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {})
    assert "hiss" in capsys.readouterr().out
