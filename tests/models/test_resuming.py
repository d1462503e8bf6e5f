"""A killed training goes on from its last epoch, and nobody can tell from what it leaves."""

import errno
import itertools
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from genreflow import registry
from genreflow.models import checkpoint
from genreflow.params import Params, parse
from genreflow.training import train
from tests.conftest import ROOT
from tests.synthetic_features import Corpus, make_corpus

pytestmark = pytest.mark.slow

SMALL = {
    "cnn": {"epochs": 6, "dropout": 0.5},
    "lstm": {"epochs": 3, "optimizer": "sgd"},
    "resnet50": {"epochs": 2},
}

# Each training is a process of its own; they share one start of TensorFlow.
KILLED = """
import os, signal, sys
from pathlib import Path

sys.path.insert(0, {root!r})
import tensorflow
from genreflow.models import checkpoint
from genreflow.params import Params
from genreflow.training import train

corpus, here = Path(sys.argv[1]), Path(sys.argv[2])
params = Params.model_validate_json((here / "params.json").read_text())
features = sorted((corpus / "features/mel").glob("*.npz"))
checkpoint.SHARE = float("inf")
save, write = checkpoint.Checkpoint.save, checkpoint._write
left = []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def count_save(self, *state):
    save(self, *state)
    left[0] -= 1
    if left == [0, 0]:
        die()

def count_array(*array):
    write(*array)
    if left[0] == 0:
        left[1] -= 1
        if left[1] == 0:
            die()

checkpoint.Checkpoint.save, checkpoint._write = count_save, count_array
for left[:] in {kills}:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
        continue
    out, state = here / "out", here / "resume/cnn/0"
    train("cnn", "0", params, features, corpus / "splits.parquet", out, state, "code")
    os._exit(0)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(autouse=True)
def write_every_state(monkeypatch):
    """However much that is of the short epochs here."""
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)


def params_of(corpus: Corpus, model: str, **settings: object) -> Params:
    values = corpus.params.model_dump(mode="json")
    values["models"][model] |= SMALL[model] | settings
    return parse(values)


class Job:
    """A training in a folder of its own."""

    def __init__(self, corpus: Corpus, model: str, folder: Path, **settings: object) -> None:
        self.model, self.folder = model, folder
        self.params = params_of(corpus, model, **settings)
        self.features = corpus.features(*registry.entry(model).reads)
        self.splits = corpus.splits
        self.state = folder / registry.entry(model).state("0")

    def run(self, code: str = "code") -> dict[str, float]:
        return train(
            self.model,
            "0",
            self.params,
            self.features,
            self.splits,
            self.folder / "out",
            self.state,
            code,
        )

    def run_until(self, monkeypatch: pytest.MonkeyPatch, states: int) -> None:
        """End, as if killed, when so many states have been written."""
        numbers = itertools.count(1)
        save = checkpoint.Checkpoint.save

        def save_and_die(self, *state):
            save(self, *state)
            if next(numbers) == states:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Checkpoint, "save", save_and_die)
            with pytest.raises(Killed):
                self.run()

    @property
    def left(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((self.folder / "out").iterdir())}


class Killed(BaseException):
    """Stands for SIGKILL where a process of its own would take too long."""


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory) -> dict[str, bytes]:
    """What an undisturbed training of the CNN leaves."""
    job = Job(corpus, "cnn", tmp_path_factory.mktemp("whole"))
    job.run()
    return job.left


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes(
    corpus, whole, tmp_path
):
    """By SIGKILL; a pair is how many states and, of the next one, how many arrays it gets to."""
    job = Job(corpus, "cnn", tmp_path)
    kills = [[0, 2], [1, 0], [0, 5], [2, 30], [1, 0], [-1, 0]]
    (tmp_path / "params.json").write_text(job.params.model_dump_json())
    code = KILLED.format(root=str(ROOT), kills=kills)
    command = [sys.executable, "-c", code, str(corpus.folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.split() == ["-9"] * 5 + ["0"], done.stderr
    assert job.left == whole


@pytest.mark.parametrize("model", ["lstm", "resnet50"])
def test_every_network_goes_on_where_it_was(model, corpus, tmp_path, monkeypatch, said):
    """From what its first epoch left while it was trained without a break."""
    whole, job = (Job(corpus, model, tmp_path / name) for name in ("whole", "killed"))
    save = checkpoint.Checkpoint.save

    def save_and_copy(self, *state):
        save(self, *state)
        if not job.state.exists():
            shutil.copytree(whole.state, job.state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "save", save_and_copy)
        whole.run()
    job.run()
    assert "going on after epoch 1" in said()
    assert job.left == whole.left


def test_a_training_that_was_killed_when_it_had_just_ended_ends_the_same(
    corpus, whole, tmp_path, monkeypatch
):
    job = Job(corpus, "cnn", tmp_path)
    job.run_until(monkeypatch, SMALL["cnn"]["epochs"])
    job.run()
    assert job.left == whole


def test_the_state_is_gone_when_all_is_written(corpus, tmp_path):
    job = Job(corpus, "cnn", tmp_path)
    job.run()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_state_lies_in_no_output_that_a_tool_would_clear():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    outs = [out for stage in stages for out in stage.get("do", stage).get("outs", [])]
    assert "results/models/${item}" in outs
    for entry in registry.MODELS.values():
        state = f"results/{entry.state('0')}/"
        assert not state.startswith(f"results/models/{entry.name}/")
        assert not [out for out in outs if state.startswith(f"{out}/")]


def test_a_state_of_other_code_is_not_used(corpus, whole, tmp_path, monkeypatch, said):
    job = Job(corpus, "cnn", tmp_path)
    job.run_until(monkeypatch, 2)
    job.run(code="another")
    assert "made with params.code='code' but params.code='another' was asked for; s" in said()
    assert "going on" not in said()
    assert job.left == whole


WEIGHTS = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def kept(tmp_path) -> Path:
    """A folder with a state."""
    (tmp_path / "mel.npz").write_bytes(b"features")
    state = checkpoint.Checkpoint(tmp_path / "state", {"seed": 1}, [tmp_path / "mel.npz"])
    state.load({"keras": "3"})
    state.save([("weights", WEIGHTS)], {"epoch": 4, "best": np.inf})
    return tmp_path


def found(folder: Path, seed: int = 1, keras: str = "3"):
    state = checkpoint.Checkpoint(folder / "state", {"seed": seed}, [folder / "mel.npz"])
    return state.load({"keras": keras})


def test_a_state_comes_back_as_it_was(kept):
    arrays, facts = found(kept)
    assert {name: values.tolist() for name, values in arrays.items()} == {
        "weights": WEIGHTS.tolist()
    }
    assert facts == {"epoch": 4, "best": np.inf}


def test_a_state_of_other_parameters_inputs_or_libraries_is_not_used(kept, said):
    assert found(kept, seed=2) is None
    assert found(kept, keras="3.1") is None
    (kept / "mel.npz").write_bytes(b"features of other audio")
    assert found(kept) is None
    for difference in ("params.seed=1", "params.libraries.keras='3'", "mel.npz="):
        assert difference in said()
    assert said().count("starting anew") == 3


def test_a_damaged_state_is_not_used(kept, said):
    path = kept / "state/state.npz"
    whole = path.read_bytes()
    one_bit = bytearray(whole)
    one_bit[whole.index(WEIGHTS.tobytes()) + 8] ^= 1
    for content in (b"", whole[:100], whole[:-100], bytes(one_bit), b"PK" + whole[2:50]):
        path.write_bytes(content)
        assert found(kept) is None
    assert said().count("can't be read; starting anew") == 5


def test_what_a_kill_left_half_written_is_removed_at_the_next_start(kept):
    (kept / "state/.state.npz.unfinished-x1y2.npz").write_bytes(b"half")
    assert found(kept)
    assert [path.name for path in (kept / "state").iterdir()] == ["state.npz"]


def test_a_full_disk_costs_the_state_and_not_the_training(
    corpus, whole, tmp_path, monkeypatch, said
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    job = Job(corpus, "cnn", tmp_path)
    monkeypatch.setattr(checkpoint, "_write", full)
    job.run()
    assert "can't be written (No space left on device)" in said()
    assert job.left == whole


def test_the_time_of_a_training_includes_what_it_took_before_it_was_killed(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    for before in (0.0, 50.0, 100.0):
        state = checkpoint.Checkpoint(tmp_path / "state", {}, [])
        state.load({})
        assert state.seconds_before == before
        now[0] += 50
        state.save([], {})


def test_writing_takes_a_small_share_of_a_training(monkeypatch, tmp_path):
    """A write of 3 s is followed by 150 s without one."""
    monkeypatch.setattr(checkpoint, "SHARE", 0.02)
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    state = checkpoint.Checkpoint(tmp_path / "state", {}, [])
    assert state.load({}) is None

    def arrays():
        now[0] += 3
        yield "weights", np.zeros(3)

    written = []
    for _ in range(60):
        now[0] += 10
        if state.due():
            written.append(now[0])
            state.save(arrays(), {})
    assert written[0] == 10
    assert set(np.diff(written)) == {153}
