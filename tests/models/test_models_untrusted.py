"""Model files of other libraries, and from people who mean harm."""

import io
import json
import logging
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from genreflow import registry
from genreflow.models import libraries
from genreflow.models.base import ModelFileError
from genreflow.models.loading import load_model
from genreflow.models.metadata import read_metadata
from genreflow.store.archive import read_members, write_members
from genreflow.training import train
from tests.synthetic_features import make_corpus

pytestmark = pytest.mark.slow

MODELS = ("svm_mel", "xgb_mel", "svm_handcrafted", "xgb_handcrafted", "cnn")
OF_FORMAT = {
    "model.skops": ("svm_mel", "svm_handcrafted", "xgb_handcrafted"),
    "model.xgb.json": ("xgb_mel", "xgb_handcrafted"),
    "model.keras": ("cnn",),
}
PROOF = "proof"
"""A file that a payload would make."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, Path]:
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"))
    folders = {}
    for name in MODELS:
        folders[name] = tmp_path_factory.mktemp(name)
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, folders[name])
    return folders


@pytest.fixture
def copy(trained, tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Copy a trained model into a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def copied(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in trained[name].iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return folder

    return copied


def edit_json(path: Path, edit: Callable[[Any], Any]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    edited = edit(value)
    path.write_text(json.dumps(value if edited is None else edited), encoding="utf-8")


def edit_member(path: Path, name: str, edit: Callable[[Any], Any]) -> None:
    members = read_members(path)
    value = json.loads(members[name])
    edit(value)
    write_members(members | {name: json.dumps(value).encode()}, path)


def nodes(value: Any):
    """Yield every dictionary in a JSON document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


# Versions


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_which_versions_wrote_it(name, trained):
    found = read_metadata(trained[name]).libraries
    needed = {
        "svm_mel": {"numpy", "scikit-learn", "skops"},
        "xgb_mel": {"xgboost"},
        "svm_handcrafted": {"numpy", "scikit-learn", "skops"},
        "xgb_handcrafted": {"numpy", "scikit-learn", "skops", "xgboost"},
        "cnn": {"keras", "tensorflow"},
    }
    assert set(found) == needed[name]
    assert found == libraries.libraries_of(registry.entry(name).model_files)
    if "scikit-learn" in found:
        import sklearn

        assert found["scikit-learn"] == sklearn.__version__


def test_a_model_of_the_same_versions_loads_without_a_word(trained, caplog):
    load_model(trained["xgb_mel"])
    assert not caplog.records


def test_a_model_of_another_version_loads_with_one_warning_that_names_both(copy, caplog):
    folder = copy("xgb_mel")
    edit_json(folder / "model.json", lambda said: said["libraries"].update(xgboost="1.0"))
    with caplog.at_level(logging.WARNING):
        load_model(folder)
    (record,) = caplog.records
    (here,) = libraries.libraries_of(["model.xgb.json"]).values()
    assert f"made with xgboost 1.0, but here is xgboost {here}" in record.getMessage()
    assert "may predict something else" in record.getMessage()


@pytest.mark.parametrize("file", OF_FORMAT)
def test_a_model_that_another_version_cannot_read_names_both_and_what_to_do(file, copy):
    folder = copy(OF_FORMAT[file][0])
    edit_json(
        folder / "model.json",
        lambda said: said.update(libraries=dict.fromkeys(said["libraries"], "99.1")),
    )
    (folder / file).write_bytes(b"of the future")
    with pytest.raises(ModelFileError, match="can't be read") as error:
        load_model(folder)
    for library, version in libraries.libraries_of([file]).items():
        assert f"{library} 99.1" in str(error.value)
        assert f"{library} {version}" in str(error.value)
    assert "install what it was made with, or train it anew" in str(error.value)


def test_a_model_of_another_backend_is_said_to_be():
    said = libraries.difference({"keras": "3", "tensorflow": "2"}, {"keras": "3", "jax": "1"})
    assert said == "made with no jax, tensorflow 2, but here is jax 1, no tensorflow"


def test_a_library_that_a_model_names_is_never_imported(copy, tmp_path, monkeypatch):
    (tmp_path / "payload.py").write_text(f"open({PROOF!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    folder = copy("xgb_mel")
    edit_json(folder / "model.json", lambda said: said["libraries"].update(payload="1"))
    load_model(folder)
    assert not (tmp_path / PROOF).exists()


# model.json

HARMFUL_METADATA: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an absurd shape": (lambda m: m["signature"].update(shape=[10**9, 10**9, 1]), "numbers in one"),
    "a negative shape": (lambda m: m["signature"].update(shape=[-1, 32, 1]), "greater than 0"),
    "a shape of text": (lambda m: m["signature"].update(shape="31,32,1"), "valid array"),
    "a huge number": (lambda m: m.update(n_parameters=10**400), "n_parameters"),
    "a negative count": (lambda m: m.update(n_train=-1), "n_train"),
    "text for a number": (lambda m: m.update(model_bytes="9"), "model_bytes"),
    "no genre": (lambda m: m["signature"].update(genres=[]), "genres"),
    "a genre twice": (lambda m: m["signature"].update(genres=["a", "a", "b"]), "genres"),
    "genres that are no names": (lambda m: m["signature"].update(genres=[1, 2, 3]), "genres"),
    "more features than numbers": (
        lambda m: m["signature"].update(feature_names=["a", "b"]),
        "2 features",
    ),
    "no parameters": (lambda m: m["stamp"].update(params={}), "is damaged"),
    "parameters that are a list": (lambda m: m["stamp"].update(params=[]), "params"),
    "an absurd parameter": (
        lambda m: m["stamp"]["params"]["models.xgb_mel"].update(threads=-4),
        "threads",
    ),
    "a list": (lambda m: [m], "is damaged"),
    "another format": (lambda m: m["stamp"].update(format=99), "has format 99"),
    "no versions": (lambda m: m.pop("libraries") and None, "libraries"),
}


@pytest.mark.parametrize("what", HARMFUL_METADATA)
def test_a_model_json_that_cannot_be_is_refused_and_the_field_named(what, copy):
    edit, words = HARMFUL_METADATA[what]
    folder = copy("xgb_mel")
    edit_json(folder / "model.json", edit)
    with pytest.raises(ModelFileError, match=words) as error:
        load_model(folder)
    assert "model.json" in str(error.value)
    assert "train the model anew" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000, b" " * 2_000_000, b"NaN", b"null"],
    ids=["empty", "no text", "nested lists", "nested objects", "large", "NaN", "null"],
)
def test_a_model_json_that_is_none_is_refused(text, copy):
    folder = copy("xgb_mel")
    (folder / "model.json").write_bytes(text)
    with pytest.raises(ModelFileError, match=r"model\.json"):
        load_model(folder)


@pytest.mark.parametrize("name", ["../../etc/passwd", "os:system", "genreflow.models.cnn:Cnn", ""])
def test_a_model_name_is_one_of_the_registry_and_no_path(name, copy):
    folder = copy("xgb_mel")
    edit_json(folder / "model.json", lambda said: said["signature"].update(model=name))
    with pytest.raises(ModelFileError, match=r"model\.json: .*no such model; there are"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.json", "model.xgb.json"])
def test_a_pipe_or_device_instead_of_a_file_is_refused_before_it_is_read(file, copy):
    folder = copy("xgb_mel")
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(ModelFileError, match="no ordinary file"):
        load_model(folder)
    (folder / file).unlink()
    (folder / file).symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="no ordinary file"):
        load_model(folder)


@pytest.mark.parametrize("file", OF_FORMAT)
def test_a_link_to_some_other_file_shows_nothing_of_its_content(file, copy, tmp_path):
    folder = copy(OF_FORMAT[file][0])
    (tmp_path / "secret").write_text("password")
    (folder / file).unlink()
    (folder / file).symlink_to(tmp_path / "secret")
    with pytest.raises(ModelFileError) as error:
        load_model(folder)
    assert "password" not in str(error.value)


# Archives: skops and Keras


@pytest.mark.parametrize("file", ["model.skops", "model.keras"])
def test_an_archive_that_unfolds_into_more_than_it_is_is_refused(file, copy):
    folder = copy(OF_FORMAT[file][0])
    with zipfile.ZipFile(folder / file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10_000_000))
    with pytest.raises(ModelFileError, match=r"'bomb\.npy' compressed"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.skops", "model.keras"])
def test_an_archive_whose_members_share_their_bytes_is_refused(file, copy):
    folder = copy(OF_FORMAT[file][0])
    with zipfile.ZipFile(folder / file, "a") as archive:
        first = archive.infolist()[0]
        for n in range(2000):
            twin = zipfile.ZipInfo(f"twin{n}.npy")
            twin.header_offset, twin.CRC = first.header_offset, first.CRC
            twin.file_size, twin.compress_size = first.file_size, first.compress_size
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(ModelFileError, match="more bytes than the file has"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.skops", "model.keras"])
@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside", "..\\outside"])
def test_an_archive_with_a_path_that_leads_out_of_it_is_refused(file, name, copy):
    folder = copy(OF_FORMAT[file][0])
    with zipfile.ZipFile(folder / file, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(ModelFileError, match="leads out of its folder"):
        load_model(folder)


def test_a_skops_file_that_names_a_function_of_the_system_is_refused(copy, tmp_path):
    folder = copy("svm_handcrafted")

    def call_the_system(schema):
        for node in nodes(schema):
            if node.get("__class__") == "f_classif" or node.get("content") == "f_classif":
                node.update(__module__="posix", __class__="system")
                node["content"] = {"function": "system", "module_path": "posix"}

    edit_member(folder / "model.skops", "schema.json", call_the_system)
    with pytest.raises(ModelFileError, match=r"holds types that no genreflow .*posix\.system"):
        load_model(folder)


@pytest.mark.parametrize("part", ["prepare", "machine"])
def test_a_skops_file_of_another_estimator_is_refused_though_skops_trusts_it(part, copy):
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from genreflow.models import grid

    folder = copy("svm_handcrafted")
    saved = skops.io.load(folder / "model.skops", trusted=sorted(grid.TRUSTED))
    other = make_pipeline(StandardScaler(), LogisticRegression())
    skops.io.dump(saved | {part: other}, folder / "model.skops")
    with pytest.raises(ModelFileError, match="other steps than those of this model"):
        load_model(folder)


def test_a_skops_file_that_is_no_model_at_all_is_refused(copy):
    import skops.io

    for name in OF_FORMAT["model.skops"]:
        folder = copy(name)
        for value in ([], {}, {"prepare": 1, "machine": 1}, np.zeros(3), "text"):
            skops.io.dump(value, folder / "model.skops")
            with pytest.raises(ModelFileError, match=r"model\.skops"):
                load_model(folder)


@pytest.mark.parametrize("array", ["_n_support", "support_vectors_", "_dual_coef_", "_intercept_"])
def test_arrays_that_libsvm_would_read_past_their_end_are_refused(array, copy):
    import skops.io

    from genreflow.models import grid

    folder = copy("svm_handcrafted")
    saved = skops.io.load(folder / "model.skops", trusted=sorted(grid.TRUSTED))
    machine = saved["machine"]
    wrong = np.concatenate([getattr(machine, array)] * 2)
    setattr(machine, array, wrong)
    skops.io.dump(saved, folder / "model.skops")
    with pytest.raises(ModelFileError, match=f"{array} isn't an array of the shape"):
        load_model(folder)


@pytest.mark.parametrize("wrong", [np.eye(3), np.eye(7, dtype=np.float32), [[1.0]]])
def test_a_whitening_of_other_features_is_refused(wrong, copy):
    import skops.io

    from genreflow.models import grid

    folder = copy("svm_handcrafted")
    saved = skops.io.load(folder / "model.skops", trusted=sorted(grid.TRUSTED))
    skops.io.dump(saved | {"whitening": wrong}, folder / "model.skops")
    with pytest.raises(ModelFileError, match="whitening is"):
        load_model(folder)


@pytest.mark.parametrize("what", ["a pickled array", "an absurd shape", "an object header"])
def test_an_array_in_a_skops_file_holds_numbers_alone(what, copy):
    folder = copy("svm_mel")
    harmful = io.BytesIO()
    if what == "a pickled array":
        np.save(harmful, np.array([open, PROOF], dtype=object), allow_pickle=True)
    else:
        header = {
            "descr": "<f4" if what == "an absurd shape" else "|O",
            "fortran_order": False,
            "shape": (10**15,) if what == "an absurd shape" else (1,),
        }
        np.lib.format.write_array_header_1_0(harmful, header)
    members = read_members(folder / "model.skops")
    arrays = {name: harmful.getvalue() for name in members if name.endswith(".npy")}
    write_members(members | arrays, folder / "model.skops")
    with pytest.raises(ModelFileError, match="can't be read"):
        load_model(folder)


@pytest.mark.parametrize(
    ("file", "member"), [("model.skops", "schema.json"), ("model.keras", "config.json")]
)
def test_a_description_nested_without_end_is_refused(file, member, copy):
    folder = copy(OF_FORMAT[file][0])
    members = read_members(folder / file)
    write_members(members | {member: b'{"a":' * 100_000 + b"1" + b"}" * 100_000}, folder / file)
    with pytest.raises(ModelFileError, match="can't be read"):
        load_model(folder)


# XGBoost


def trees_of(forest: Any) -> list[Any]:
    return forest["learner"]["gradient_booster"]["model"]["trees"]


def model_of(forest: Any) -> Any:
    return forest["learner"]["gradient_booster"]["model"]


HARMFUL_TREES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a child far away": (
        lambda f: trees_of(f)[0]["left_children"].__setitem__(0, 2**31 - 1),
        "children don't come after it",
    ),
    "a child before its parent": (
        lambda f: trees_of(f)[0]["right_children"].__setitem__(0, 0),
        "children don't come after it",
    ),
    "another parent": (
        lambda f: trees_of(f)[0]["parents"].__setitem__(2, -1),
        "parent is another",
    ),
    "trees out of order": (lambda f: trees_of(f)[3].update(id=1), "in another order"),
    "one child": (lambda f: trees_of(f)[0]["left_children"].__setitem__(0, -1), "one child"),
    "a feature far away": (
        lambda f: trees_of(f)[0]["split_indices"].__setitem__(0, 10**6),
        "a feature that isn't there",
    ),
    "a feature before the first": (
        lambda f: trees_of(f)[0]["split_indices"].__setitem__(0, -1),
        "a feature that isn't there",
    ),
    "an array that is too short": (
        lambda f: trees_of(f)[0].update(split_conditions=[]),
        "other lengths than its",
    ),
    "absurdly many nodes": (
        lambda f: trees_of(f)[0]["tree_param"].update(num_nodes="999999999"),
        "other lengths than its 999999999",
    ),
    "a negative size": (
        lambda f: trees_of(f)[0]["tree_param"].update(num_nodes="-1"),
        "num_nodes",
    ),
    "categories": (lambda f: trees_of(f)[0].update(categories=[1]), "categories"),
    "absurdly many classes": (
        lambda f: f["learner"]["learner_model_param"].update(num_class="999999999"),
        "number of classes",
    ),
    "absurdly many features": (
        lambda f: f["learner"]["learner_model_param"].update(num_feature="999999999"),
        "a tree of other features",
    ),
    "a class that isn't there": (
        lambda f: model_of(f)["tree_info"].__setitem__(0, 77),
        "a class that isn't there",
    ),
    "absurdly many trees": (
        lambda f: model_of(f)["gbtree_model_param"].update(num_trees="999999999"),
        "number of trees",
    ),
    "rounds that skip": (lambda f: model_of(f).update(iteration_indptr=[0, 10**9]), "indptr"),
    "another booster": (
        lambda f: f["learner"]["gradient_booster"].update(name="gblinear"),
        "gbtree",
    ),
    "another objective": (
        lambda f: f["learner"]["objective"].update(name="reg:squarederror"),
        "objective",
    ),
    "text for numbers": (
        lambda f: trees_of(f)[0].update(split_conditions=["a"] * 3),
        "valid number",
    ),
    "no trees": (lambda f: f.pop("learner") and None, "learner"),
}


@pytest.mark.parametrize("what", HARMFUL_TREES)
def test_trees_that_would_lead_xgboost_astray_are_refused(what, copy):
    edit, words = HARMFUL_TREES[what]
    folder = copy("xgb_mel")
    edit_json(folder / "model.xgb.json", edit)
    with pytest.raises(ModelFileError, match=words) as error:
        load_model(folder)
    assert "model.xgb.json" in str(error.value)


def test_trees_for_other_features_or_genres_are_refused(copy, trained):
    folder = copy("xgb_handcrafted")
    other = (trained["xgb_mel"] / "model.xgb.json").read_bytes()
    (folder / "model.xgb.json").write_bytes(other)
    with pytest.raises(ModelFileError, match=r"turns \d+ numbers into 3 genres, but model.json"):
        load_model(folder)


@pytest.mark.parametrize("what", ["garbage", "half", "nested", "the binary format"])
def test_what_is_no_file_of_trees_is_refused(what, copy, trained):
    folder = copy("xgb_mel")
    path = folder / "model.xgb.json"
    whole = path.read_bytes()
    harmful = {
        "garbage": b"{L\x00\x00\xff\xff" * 100,
        "half": whole[: len(whole) // 2],
        "nested": b"[" * 200_000,
        "the binary format": bytes(load_model(trained["xgb_mel"])[0].trees.save_raw("ubj")),
    }
    path.write_bytes(harmful[what])
    with pytest.raises(ModelFileError, match="can't be read"):
        load_model(folder)


def test_nothing_reaches_xgboost_that_was_not_checked(copy):
    folder = copy("xgb_mel")
    edit_json(folder / "model.xgb.json", lambda forest: forest.update(Config={"nthread": "9" * 99}))
    model, _ = load_model(folder)
    assert b"9" * 99 not in bytes(model.trees.save_raw("json"))


# Keras


def layers_of(config: Any) -> list[Any]:
    return config["config"]["layers"]


def layer(config: Any, kind: str) -> Any:
    return next(one for one in layers_of(config) if one["class_name"] == kind)


def lambda_layer(config: Any) -> None:
    import keras

    code = keras.layers.Lambda(lambda x: x, name="dropout")
    found = layer(config, "Dropout")
    found.update(class_name="Lambda", config=code.get_config() | {"name": found["name"]})


HARMFUL_NETWORKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a lambda": (lambda_layer, "arbitrary code|unsafe|safe_mode"),
    "a function of the system": (
        lambda c: layer(c, "Dropout").update(module="os", class_name="system"),
        "could not be|Could not locate",
    ),
    "a function of Keras that fetches files": (
        lambda c: layer(c, "Dropout").update(module="keras.utils", class_name="get_file"),
        "not a modeling function|[Cc]ould not",
    ),
    "a saved TensorFlow program": (
        lambda c: layer(c, "Dropout").update(
            class_name="TFSMLayer", config={"name": "dropout", "filepath": "program"}
        ),
        "unsafe|safe mode|safe_mode|untrusted|arbitrary code",
    ),
    "an absurdly wide layer": (
        lambda c: layer(c, "Dense")["config"].update(units=10**12),
        r"describes \d+ weights, but holds \d+ bytes",
    ),
    "an absurdly deep convolution": (
        lambda c: layer(c, "Conv2D")["config"].update(kernel_size=[2**20, 2**20]),
        r"describes \d+ weights, but holds \d+ bytes",
    ),
}


@pytest.mark.parametrize("what", HARMFUL_NETWORKS)
def test_a_network_with_code_or_of_absurd_size_is_refused(what, copy):
    edit, words = HARMFUL_NETWORKS[what]
    folder = copy("cnn")
    edit_member(folder / "model.keras", "config.json", edit)
    with pytest.raises(ModelFileError) as error:
        load_model(folder)
    assert "model.keras" in str(error.value)
    assert re.search(words, str(error.value) + str(error.value.__cause__))


@pytest.mark.parametrize("what", ["a link to another file", "data in another file"])
def test_weights_that_lie_in_another_file_are_refused(what, copy, tmp_path):
    folder = copy("cnn")
    secret = tmp_path / "secret.h5"
    members = read_members(folder / "model.keras")
    secret.write_bytes(members["model.weights.h5"])
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        found: list[str] = []
        file.visititems(lambda n, o: found.append(n) if isinstance(o, h5py.Dataset) else None)
        for name in found:
            shape = file[name].shape
            del file[name]
            if what == "a link to another file":
                file[name] = h5py.ExternalLink(str(secret), name)
            else:
                size = int(np.prod(shape)) * 4
                file.create_dataset(name, shape, dtype="f4", external=[(str(secret), 0, size)])
    write_members(members | {"model.weights.h5": weights.getvalue()}, folder / "model.keras")
    with pytest.raises(ModelFileError, match=r"ExternalLink|external Dataset"):
        load_model(folder)


def test_a_refused_network_leaves_nothing_behind_that_would_be_built_later(copy, trained):
    folder = copy("cnn")
    edit, _ = HARMFUL_NETWORKS["an absurdly wide layer"]
    edit_member(folder / "model.keras", "config.json", edit)
    with pytest.raises(ModelFileError):
        load_model(folder)
    import keras

    with keras.StatelessScope():
        pass
    load_model(trained["cnn"])
