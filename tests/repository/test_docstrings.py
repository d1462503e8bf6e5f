"""Docstrings of what users and other packages call: whole, and their examples run.

`make lint` checks of all docstrings that what stands there is right (``numpydoc_validation`` in
pyproject.toml). Here are those that must also say everything.
"""

import ast
import contextlib
import dataclasses
import doctest
import inspect
import io
import pkgutil
import shutil
import textwrap
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pandas as pd
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import genreflow
from genreflow import generate, lineage
from genreflow.release.assemble import assemble
from genreflow.release.refit import refit
from genreflow.store import tables
from genreflow.store.files import write_csv, write_json, write_text
from genreflow.training import train
from tests.synthetic_features import make_corpus

WITH_EXAMPLES = {
    "genreflow": ("load",),
    "genreflow.audio.decode": ("decode", "prepare"),
    "genreflow.evaluation.calibration": (
        "calibrate",
        "expected_calibration_error",
        "fit_temperatures",
        "reliability",
    ),
    "genreflow.evaluation.ensemble": ("pool_weights",),
    "genreflow.evaluation.intervals": (
        "balanced_accuracy_interval",
        "difference_interval",
        "f1_interval",
        "proportion_interval",
    ),
    "genreflow.evaluation.metrics": ("confusion", "per_genre", "scores"),
    "genreflow.evaluation.significance": ("holm", "mcnemar_p", "paired_p"),
    "genreflow.evaluation.vote": ("hard_vote", "soft_vote"),
    "genreflow.features.handcrafted.extract": ("extract", "row_names"),
    "genreflow.features.mel.extract": ("rows_of", "window_geometry"),
    "genreflow.features.mel.levels": ("log_mel",),
    "genreflow.models.archive": ("save_skops",),
    "genreflow.models.base": ("Examples", "Model"),
    "genreflow.params": ("Params.at", "Params.section", "load", "parse"),
    "genreflow.prediction.classifier": (
        "Classifier",
        "Classifier.familiarity",
        "Classifier.hear",
        "Classifier.predict",
        "Classifier.predict_proba",
        "Classifier.predict_samples",
        "Classifier.predict_samples_proba",
        "Classifier.timeline",
    ),
    "genreflow.prediction.load": ("load", "load_folds"),
    "genreflow.registry.entry": ("ModelEntry",),
}
"""What a user calls, by module."""

WITHOUT = {
    "genreflow.evaluation.agreement": ("agreement", "confused_pairs", "hardest_tracks"),
    "genreflow.evaluation.compare": ("compare", "compare_pairs"),
    "genreflow.evaluation.intervals": ("score_interval",),
    "genreflow.features.embedding.extract": ("embed",),
    "genreflow.models.archive": ("load_keras", "load_skops", "save_keras"),
    "genreflow.models.base": (
        "Examples.read",
        "Examples.spread",
        "Examples.take",
        "Examples.weight",
        "FitResult",
        "Model.fit",
        "Model.load",
        "Model.paths",
        "Model.predict_proba",
        "Model.refit",
        "Model.save",
        "Signature",
    ),
    "genreflow.registry.entry": ("FeatureKind",),
}
"""What is called for users or by their packages; it needs more around it than an example has."""

NOT_ASKED_FOR = {"ES01", "PR04", "SA01"}
"""An extended summary, types (annotations say them) and links to others, where there are none."""


CALLED = [
    pytest.param(module, name, examples, id=f"{module}.{name}")
    for listed, examples in ((WITH_EXAMPLES, True), (WITHOUT, False))
    for module, names in listed.items()
    for name in names
]


@pytest.mark.parametrize(("module", "name", "examples"), CALLED)
def test_what_is_called_from_outside_is_described_whole(module, name, examples):
    described = attrgetter(name)(import_module(module))
    forgiven = NOT_ASKED_FOR | (set() if examples else {"EX01"})
    if inspect.isfunction(described):
        named = NumpyDocString(inspect.getdoc(described))["Raises"]
        assert _raised(described) <= {entry.type.rpartition(".")[2] for entry in named}
    if dataclasses.is_dataclass(described):
        forgiven |= {"PR01"}
        fields = [field.name for field in dataclasses.fields(described)]
        assert _attributes(described.__doc__) == fields
    complaints = dict(validate(f"{module}.{name}")["errors"])
    assert not {code: complaints[code] for code in complaints.keys() - forgiven}


def _raised(described):
    """Name the errors that a function raises itself."""
    body = ast.parse(textwrap.dedent(inspect.getsource(described)))
    calls = [node.exc for node in ast.walk(body) if isinstance(node, ast.Raise)]
    return {ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)}


def _attributes(text):
    entries = NumpyDocString(inspect.cleandoc(text))["Attributes"]
    return [name for entry in entries for name in entry.name.split(", ")]


def test_attributes_of_data_classes_are_their_fields_in_order():
    described = 0
    for path in sorted(Path(genreflow.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                "dataclass" in ast.unparse(decorator) for decorator in node.decorator_list
            ):
                named = _attributes(ast.get_docstring(node) or "")
                fields = [
                    line.target.id
                    for line in node.body
                    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
                ]
                assert named == [name for name in fields if name in named], f"{path}: {node.name}"
                described += bool(named)
    assert described > 30


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with parameters, a song, a training and its release, as the examples name them."""
    folder = tmp_path_factory.mktemp("project")
    genres = ("ambient", "noise", "techno")
    corpus = make_corpus(folder / "corpus", genres=genres)
    shutil.copy(corpus.track("noise/9.wav"), folder / "song.wav")
    write_text(generate.params_yaml(), folder / "params.yaml")
    training, refitted = folder / "results/models/xgb_mel/0", folder / "refit"
    train("xgb_mel", "0", corpus.params, corpus.features("mel"), corpus.splits, training)
    refit("xgb_mel", corpus.params, corpus.features("mel"), corpus.splits, [training], refitted)
    evaluation, tracks = folder / "evaluation", folder / "tracks.parquet"
    scores = {"accuracy": 1.0, "f1_macro": 1.0, "ece": 0.1, "ece_calibrated": 0.1, "n_tracks": 6}
    write_json({"xgb_mel": {"track": scores}}, evaluation / "metrics.json")
    per_genre = ["model", "level", "genre", "precision", "recall", "f1", "support"]
    for name, columns, rows in (
        ("temperatures", ["model", "fold", "temperature"], [("xgb_mel", "0", 1.0)]),
        ("ensemble", ["ensemble", "fold", "model", "weight"], []),
        ("per_genre", per_genre, [("xgb_mel", "track", genre, 1, 1, 1, 2) for genre in genres]),
    ):
        write_csv(pd.DataFrame(rows, columns=columns), evaluation / f"{name}.csv")
    names = [f"{genre}/{i}.wav" for genre in genres for i in range(10)]
    table = pd.DataFrame({"track_id": names, "decoded_seconds": 2.0})
    tables.write_table(table, tracks, lineage.stamp("tracks", corpus.params))
    features, release = corpus.features("handcrafted"), folder / "results/release"
    assemble(
        corpus.params, {"xgb_mel": refitted}, evaluation, tracks, corpus.splits, features, release
    )
    return folder


@pytest.mark.parametrize("module", sorted(WITH_EXAMPLES))
def test_the_examples_run(module, project, monkeypatch):
    monkeypatch.chdir(project)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = doctest.testmod(import_module(module))
    assert found.attempted
    assert not found.failed, said.getvalue()


def test_no_other_module_has_examples_that_nobody_runs():
    for module in pkgutil.walk_packages(genreflow.__path__, "genreflow."):
        if module.name not in WITH_EXAMPLES:
            text = Path(module.module_finder.find_spec(module.name).origin).read_text("utf-8")
            assert "\n    >>> " not in text, module.name
