"""The networks on Keras's other backends, and in lower precision."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from genreflow.models.loading import load_model
from genreflow.models.neural.network import KerasModel
from genreflow.params import parse
from genreflow.training import train
from tests.conftest import ROOT
from tests.synthetic_features import Corpus, make_corpus

pytestmark = pytest.mark.slow

NETWORKS = ("cnn", "lstm", "resnet50")
BACKENDS = {"jax": NETWORKS[:1], "torch": NETWORKS}
"""And what is trained on them; JAX takes a minute to compile the other two for a processor."""

QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

# All that a backend is asked to do, in one process of its own: Keras is imported once and for all.
SCRIPT = """
import json, sys
from pathlib import Path

sys.path.insert(0, {root!r})
import numpy as np
from genreflow.models import checkpoint
from genreflow.models.loading import load_model
from genreflow.params import Params
from genreflow.store.tables import read_table
from genreflow.training import train

class Killed(BaseException):
    pass

def digest(folder):
    return {{path.name: path.read_bytes() for path in sorted(folder.iterdir())}}

corpus, here = Path(sys.argv[1]), Path(sys.argv[2])
params = Params.model_validate_json((here / "params.json").read_text())
features = sorted((corpus / "features/mel").glob("*.npz"))

def run(model, name, state=None):
    out = here / name
    train(model, "0", params, features, corpus / "splits.parquet", out, state, "code")
    return digest(out)

said = {{}}
whole = run("cnn", "cnn")
checkpoint.SHARE = float("inf")
save = checkpoint.Checkpoint.save

def save_and_die(self, *state):
    save(self, *state)
    raise Killed

checkpoint.Checkpoint.save = save_and_die
try:
    run("cnn", "killed", here / "state")
except Killed:
    said["killed"] = (here / "state/state.npz").exists()
checkpoint.Checkpoint.save = save
said["same after a kill"] = run("cnn", "killed", here / "state") == whole
values = np.load(here / "values.npy")
for model in sys.argv[3:]:
    if model != "cnn":
        run(model, model)
    found, metadata = load_model(here / model)
    said[model] = {{"libraries": dict(metadata.libraries)}}
    said[model]["sums"] = found.predict_proba(values).sum(axis=1).tolist()
other, _ = load_model(here / "tensorflow", threads=1)
said["of TensorFlow's"] = other.predict_proba(values).tolist()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def params_of(corpus: Corpus, **settings: object):
    values = corpus.params.model_dump(mode="json")
    for model in NETWORKS:
        # Two steps of an epoch are enough to go wrong in.
        values["models"][model] |= {"windows_per_epoch": 16} | settings
    return parse(values)


def train_cnn(corpus: Corpus, out: Path, **settings: object) -> None:
    params = params_of(corpus, **settings)
    train("cnn", "0", params, corpus.features("mel"), corpus.splits, out)


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """(n, time, frequency, 1) levels [dB]."""
    return np.random.default_rng(0).uniform(-60, 0, (3, 31, 32, 1)).astype(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_networks_are_trained_resumed_and_read_on_another_backend(
    backend, corpus, values, tmp_path
):
    if not find_spec(backend):
        pytest.skip(f"{backend} isn't installed")
    train_cnn(corpus, tmp_path / "tensorflow")
    expected = load_model(tmp_path / "tensorflow")[0].predict_proba(values)
    np.save(tmp_path / "values.npy", values)
    (tmp_path / "params.json").write_text(params_of(corpus).model_dump_json())
    networks = BACKENDS[backend]
    code = SCRIPT.format(root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", code, str(corpus.folder), str(tmp_path), *networks],
        capture_output=True,
        text=True,
        timeout=500,
        # JAX compiles each network for longer than it trains it here.
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": QUICKLY},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["killed"]
    assert said["same after a kill"]
    for model in networks:
        assert set(said[model]["libraries"]) == {"keras", backend}
        np.testing.assert_allclose(said[model]["sums"], 1, atol=1e-5)
    np.testing.assert_allclose(said["of TensorFlow's"], expected, atol=1e-4)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_learns_in_lower_precision_and_answers_in_single(
    precision, corpus, values, tmp_path, monkeypatch
):
    learned_in = []
    to_single = KerasModel._to_single

    def look(self):
        learned_in.extend(layer.compute_dtype for layer in self.network.layers)
        to_single(self)

    monkeypatch.setattr(KerasModel, "_to_single", look)
    train_cnn(corpus, tmp_path / "mixed", precision=precision)
    assert learned_in.count(precision.removeprefix("mixed_")) > len(learned_in) / 2
    mixed, _ = load_model(tmp_path / "mixed")
    assert {layer.compute_dtype for layer in mixed.network.layers} == {"float32"}
    train_cnn(corpus, tmp_path / "single")
    single, _ = load_model(tmp_path / "single")
    found, expected = (model.predict_proba(values) for model in (mixed, single))
    assert np.abs(found - expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=0.1)
