"""`threads` reaches every library that computes, and no library takes more."""

import json
import subprocess
import sys

import pytest

from tests.synthetic_features import make_corpus

pytestmark = pytest.mark.slow

JOB = """
import json, sys, time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, {root!r})
from genreflow.jobs import job

model, threads, folder, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
config = json.loads((folder / "params.json").read_text())
config["models"][model]["threads"] = threads
output = SimpleNamespace(cost=str(out / "cost.json"))
with job(
    SimpleNamespace(
        threads=threads, resources={{}}, log=[str(out / "log")], output=output, config=config
    )
) as running:
    from threadpoolctl import threadpool_info

    from genreflow import training

    create, found = training.create, {{}}

    def watched(section, signature):
        model = create(section, signature)
        fit = model.fit

        def fit_and_look(train, valid):
            result = fit(train, valid)
            found["pools"] = {{p["user_api"]: p["num_threads"] for p in threadpool_info()}}
            if trees := getattr(model, "trees", None):
                settings = json.loads(trees.save_config())["learner"]["generic_param"]
                found["xgboost"] = int(settings["nthread"])
            if "tensorflow" in sys.modules:
                threading = sys.modules["tensorflow"].config.threading
                found["tensorflow"] = [
                    threading.get_intra_op_parallelism_threads(),
                    threading.get_inter_op_parallelism_threads(),
                ]
            return result

        model.fit = fit_and_look
        return model

    training.create = watched
    features = sorted((folder / "features" / "mel").glob("*.npz"))
    training.train(model, "0", running.params, features, folder / "splits.parquet", out)
    (out / "found.json").write_text(json.dumps(found))
"""

BUSY = """
import json, sys
from types import SimpleNamespace

from genreflow.jobs import job

threads = int(sys.argv[2])
output = SimpleNamespace(cost=sys.argv[1] + ".json")
with job(
    SimpleNamespace(threads=threads, resources={}, log=[sys.argv[1]], output=output, config={})
):
    import keras
    import numpy as np
    import psutil
    import xgboost

    from genreflow.models import runtime

    rng = np.random.default_rng(0)
    values, label = rng.normal(size=(20_000, 60)).astype("float32"), rng.integers(0, 10, 20_000)
    images = rng.normal(size=(32, 96, 96, 8)).astype("float32")
    square = rng.normal(size=(1500, 1500))
    runtime.configure_keras(threads, 0)
    network = keras.Sequential([keras.layers.Conv2D(64, 3) for _ in range(4)])
    network.predict_on_batch(images)

    def seconds():
        return {t.id: t.user_time + t.system_time for t in psutil.Process().threads()}

    def share_of_the_busiest(work):
        before = seconds()
        work()
        took = [after - before.get(thread, 0) for thread, after in seconds().items()]
        return max(took) / sum(took)

    with runtime.limited(threads):
        shares = {
            "blas": share_of_the_busiest(lambda: [square @ square for _ in range(4)]),
            "xgboost": share_of_the_busiest(
                lambda: xgboost.train(
                    {"nthread": threads, "objective": "multi:softprob", "num_class": 10},
                    xgboost.DMatrix(values, label, nthread=threads),
                    num_boost_round=4,
                )
            ),
            "tensorflow": share_of_the_busiest(
                lambda: [network.predict_on_batch(images) for _ in range(6)]
            ),
        }
    print(json.dumps(shares), flush=True)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"))
    (corpus.folder / "params.json").write_text(corpus.params.model_dump_json())
    return corpus


# Three is what no machine takes by itself: a number that only the parameter can have set.
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("model", ["svm_mel", "xgb_mel", "cnn"])
def test_each_library_runs_with_the_models_threads(model, threads, corpus, tmp_path):
    from tests.conftest import ROOT

    code = JOB.format(root=str(ROOT))
    arguments = [model, str(threads), str(corpus.folder), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (tmp_path / "log").read_text()
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["pools"]["blas"] == threads
    assert set(found["pools"].values()) == {threads}
    if model == "xgb_mel":
        assert found["xgboost"] == threads
    if model == "cnn":
        assert found["tensorflow"] == [threads, threads]


def test_one_thread_does_all_the_work_and_more_share_it(tmp_path):
    """By each thread's own processor time, which other load on the machine doesn't change."""
    log = tmp_path / "log"
    shares = {}
    for threads in (1, 2):
        command = [sys.executable, "-c", BUSY, str(log), str(threads)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, log.read_text()
        shares[threads] = json.loads(log.read_text().splitlines()[-1])
    # Beside its one worker, TensorFlow's calling thread does some of the work.
    least = {"blas": 0.9, "xgboost": 0.9, "tensorflow": 0.6}
    assert {name: share for name, share in shares[1].items() if share < least[name]} == {}
    assert {name: share for name, share in shares[2].items() if share > 0.7} == {}


@pytest.mark.parametrize("package", ["genreflow.models", "genreflow.features.embedding"])
@pytest.mark.parametrize("chosen", [None, "false"])
def test_a_process_takes_of_a_gpu_what_it_needs_and_no_more(package, chosen, monkeypatch):
    """Also one that only predicts; but whoever sets the variable decides."""
    name = "TF_FORCE_GPU_ALLOW_GROWTH"
    monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv(name, chosen)
    code = f"import os, sys, {package}; print(os.environ[{name!r}], 'tensorflow' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == [chosen or "true", "False"], "set before TensorFlow is loaded"
