"""The registry: its entries, and models that come with other packages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genreflow import registry
from genreflow.registry.entry import RegistryError
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

ENTRY = '''
from genreflow.registry.entry import ModelEntry, ModelSection
from pydantic import Field


class CentroidSection(ModelSection):
    """`centroid`: nearest centroid of the genres."""

    softness: float = Field(1.0, gt=0, description="Distance that counts as one nat.")


ENTRY = ModelEntry(
    name="centroid",
    title="Centroids of handcrafted features",
    features="handcrafted",
    parameters=CentroidSection,
    implementation="genreflow_centroid.model:Centroid",
    model_files=("centroids.npy",),
)
'''
MODEL = """
import numpy as np
from genreflow.models.base import FitResult, Model


class Centroid(Model):
    def fit(self, train, valid):
        values = train.read(np.arange(len(train)))
        self.scale = values.std(axis=0) + 1e-6
        label = range(len(self.signature.genres))
        self.centroids = np.stack([values[train.label == g].mean(axis=0) for g in label])
        self.centroids = np.concatenate([self.centroids, self.scale[np.newaxis]])
        return FitResult(self.centroids.size)

    def predict_proba(self, values):
        centres, scale = self.centroids[:-1], self.centroids[-1]
        distance = (((values[:, np.newaxis] - centres) / scale) ** 2).mean(axis=2)
        shares = np.exp(-distance / self.params.softness)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self, folder):
        np.save(folder / "centroids.npy", self.centroids)

    def load(self, folder):
        self.centroids = np.load(folder / "centroids.npy")
"""


def install(
    site: Path,
    points: str = "centroid = genreflow_centroid:ENTRY",
    entry: str = ENTRY,
    package: str = "genreflow_centroid",
    version: str = "1.0",
) -> None:
    """Lay a package out in `site` as pip would."""
    (site / package).mkdir(parents=True, exist_ok=True)
    (site / package / "__init__.py").write_text(entry)
    (site / package / "model.py").write_text(MODEL)
    info = site / f"{package}.dist-info"
    info.mkdir(exist_ok=True)
    name = package.replace("_", "-")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(f"{package}\n")
    (info / "entry_points.txt").write_text(f"[genreflow.models]\n{points}\n")


def python(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository, with the packages in `site`."""
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def told_by(site: Path, code: str) -> object:
    """Return what an expression is worth in a new process, with the packages in `site`."""
    done = python(site, "-c", f"import json\n{code}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_features_are_a_fact_of_the_model() -> None:
    kinds = {name: [kind.name for kind in registry.kinds_of(name)] for name in registry.MODELS}
    assert kinds["svm_handcrafted"] == ["handcrafted"]
    assert kinds["resnet50"] == ["mel"]
    assert kinds["svm_fusion"] == ["handcrafted", "embedding"]


def test_every_entry_is_called_like_its_place() -> None:
    assert {name: entry.name for name, entry in registry.MODELS.items()} == {
        name: name for name in registry.MODELS
    }
    assert {name: kind.name for name, kind in registry.FEATURES.items()} == {
        name: name for name in registry.FEATURES
    }


def test_the_baseline_is_a_model_and_no_ensemble_is() -> None:
    assert registry.BASELINE in registry.BUILT_IN
    assert not set(registry.ENSEMBLES) & set(registry.MODELS)


def test_every_entry_says_what_the_model_is() -> None:
    for name, entry in registry.MODELS.items():
        assert entry.parameters.summary().startswith(f"`{name}`")
        assert entry.summary
        assert entry.title


def test_an_unknown_model_is_named_with_those_there_are() -> None:
    with pytest.raises(RegistryError, match="knn: no such model; there are svm_mel, xgb_mel"):
        registry.entry("knn")
    with pytest.raises(RegistryError, match="knn"):
        registry.kinds_of("knn")


def test_the_registry_imports_no_model() -> None:
    code = (
        "import sys, genreflow.registry; "
        "print([name for name in sys.modules if name.startswith('genreflow.models') "
        "or name in ('numpy', 'pandas', 'sklearn', 'keras', 'xgboost')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    return folder


def test_a_model_of_another_package_has_parameters_and_a_step(site: Path) -> None:
    found = told_by(
        site,
        """
from genreflow import generate, registry
from genreflow.params import Params, parse
from genreflow.steps import STEPS, takes_part
params = parse({
    "models": {"centroid": {"softness": 2.0}}, "evaluation": {"models": ["xgb_mel", "centroid"]},
})
print(json.dumps({
    "package": registry.entry("centroid").distribution,
    "built in": "centroid" in registry.BUILT_IN,
    "section": params.section("models.centroid"),
    "takes part": [takes_part("train_centroid", p) for p in (params, Params())],
    "needs": STEPS["train_centroid"].needs,
    "evaluated": "train_centroid" in STEPS["evaluate"].needs,
    "reruns": generate.reruns("models.centroid"),
    "schema": "CentroidSection" in generate.json_schema(),
    "yaml": "centroid: # `centroid`: nearest" in generate.params_yaml(),
}))""",
    )
    assert found == {
        "package": "genreflow-centroid",
        "built in": False,
        "section": {
            "seed": 0,
            "seeds": 1,
            "threads": 1,
            "class_weight": "none",
            "softness": 2.0,
        },
        "takes part": [True, False],
        "needs": ["handcrafted", "splits"],
        "evaluated": True,
        "reruns": [
            "train_centroid",
            "robustness_centroid",
            "evaluate",
            "refit_centroid",
            "release",
            "report",
        ],
        "schema": True,
        "yaml": True,
    }


def test_a_model_of_another_package_trains_and_predicts(site: Path, tmp_path: Path) -> None:
    found = told_by(
        site,
        f"""
from pathlib import Path
from genreflow import lineage
from genreflow.prediction.load import load
from genreflow.store.tables import read_table
from genreflow.training import train
from tests.synthetic_features import make_corpus
folder = Path({str(tmp_path)!r})
corpus = make_corpus(folder)
out = folder / "model"
train("centroid", "0", corpus.params, corpus.features("handcrafted"), corpus.splits, out)
table = read_table(
    out / "predictions.parquet", lineage.of_predictions("centroid", corpus.params)
)
names = ["drone/8.wav", "hiss/8.wav", "pulse/8.wav"]
genres = load(out).predict([corpus.track(name) for name in names])
print(json.dumps([sorted(p.name for p in out.iterdir()), len(table), list(genres)]))""",
    )
    files = ["centroids.npy", "model.json", "predictions.parquet"]
    assert found == [files, 12, ["drone", "hiss", "pulse"]]


DIGEST = """
from genreflow.code import step_digest
from genreflow.steps import STEPS
print(json.dumps(step_digest(STEPS["train_centroid"])))"""


def test_an_edit_of_another_package_or_a_new_version_is_new_code(tmp_path: Path) -> None:
    install(tmp_path)
    first = told_by(tmp_path, DIGEST)
    model = tmp_path / "genreflow_centroid" / "model.py"
    model.write_text(f"# A comment.\n{MODEL}")
    assert told_by(tmp_path, DIGEST) == first
    model.write_text(MODEL.replace("1e-6", "1e-5"))
    edited = told_by(tmp_path, DIGEST)
    install(tmp_path, version="1.1")
    assert len({first, edited, told_by(tmp_path, DIGEST)}) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"points": "cnn = genreflow_centroid:ENTRY", "entry": ENTRY.replace("centroid", "cnn")},
            "model cnn of the package genreflow-centroid: there is a model of that name; rename it",
        ),
        (
            {
                "points": "ensemble = genreflow_centroid:ENTRY",
                "entry": ENTRY.replace("centroid", "ensemble"),
            },
            "model ensemble of the package genreflow-centroid: there is a model of that name",
        ),
        (
            {"entry": "ENTRY = 3"},
            "model centroid of the package genreflow-centroid: genreflow_centroid:ENTRY is no "
            "ModelEntry called centroid; mend it",
        ),
        (
            {"points": "knn = genreflow_centroid:ENTRY"},
            "model knn of the package genreflow-centroid: genreflow_centroid:ENTRY is no "
            "ModelEntry called knn; mend it",
        ),
        (
            {"entry": "import nothing_of_that_name"},
            "model centroid of the package genreflow-centroid: genreflow_centroid:ENTRY can't be "
            "imported (No module named 'nothing_of_that_name'); mend or uninstall it",
        ),
        (
            {"points": "centroid = genreflow_centroid:OTHER"},
            "can't be imported (module 'genreflow_centroid' has no attribute 'OTHER'); mend or",
        ),
        (
            {"entry": ENTRY.replace('features="handcrafted"', 'features="chroma"')},
            "model centroid of the package genreflow-centroid: reads chroma, but there are "
            "handcrafted, mel, embedding; mend it",
        ),
    ],
    ids=["name taken", "ensemble", "no entry", "other name", "import", "attribute", "features"],
)
def test_an_entry_that_cannot_be_used_is_an_error_of_one_line(
    changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    install(tmp_path, **changes)
    done = python(tmp_path, "-m", "genreflow", "predict", str(tmp_path), "a.wav")
    assert done.returncode == 1
    assert done.stderr.startswith("error: model ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_two_packages_cannot_offer_the_same_model(tmp_path: Path) -> None:
    install(tmp_path)
    install(tmp_path, package="genreflow_other", points="centroid = genreflow_other:ENTRY")
    done = python(tmp_path, "-m", "genreflow", "predict", str(tmp_path), "a.wav")
    assert done.returncode == 1
    assert "there is a model of that name; rename it" in done.stderr
