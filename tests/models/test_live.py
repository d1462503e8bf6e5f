"""What trainings show of themselves while they last, and that nothing depends on it."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from genreflow import progress, tracking
from genreflow.cli import app
from genreflow.models import checkpoint
from tests.conftest import Project
from tests.models.test_resuming import SMALL, Job
from tests.synthetic_features import make_corpus

EPOCHS = SMALL["cnn"]["epochs"]
CURVES = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory) -> tuple[Job, list[pd.DataFrame]]:
    """A finished training of the CNN, and what was to be seen after each of its epochs."""
    job, seen = Job(corpus, "cnn", tmp_path_factory.mktemp("trained")), []
    due = checkpoint.Checkpoint.due

    def look(self):
        seen.append(pd.read_csv(job.state / "history.csv"))
        return due(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(tracking.VARIABLE, raising=False)
        patch.setattr(checkpoint.Checkpoint, "due", look)
        job.run()
    return job, seen


@pytest.mark.slow
def test_the_history_grows_epoch_by_epoch(trained):
    job, seen = trained
    assert [len(table) for table in seen] == list(range(1, EPOCHS + 1))
    last = seen[-1]
    assert list(last.columns[:3]) == ["epoch", "epochs", "seconds"]
    assert (last["epochs"] == EPOCHS).all()
    assert (last["seconds"] > 0).all()
    final = pd.read_csv(job.folder / "out/history.csv")
    pd.testing.assert_frame_equal(last[["epoch", *CURVES]], final, rtol=1e-5)
    assert not job.state.exists()


@pytest.mark.slow
def test_a_training_that_goes_on_shows_what_came_before(corpus, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARE", float("inf"))
    job = Job(corpus, "cnn", tmp_path)
    job.run_until(monkeypatch, 2)
    before = pd.read_csv(job.state / "history.csv")
    shutil.copytree(job.state, tmp_path / "kept")
    due = checkpoint.Checkpoint.due

    def look(self):
        after.append(pd.read_csv(job.state / "history.csv"))
        return due(self)

    after: list[pd.DataFrame] = []
    monkeypatch.setattr(checkpoint.Checkpoint, "due", look)
    job.run()
    assert len(before) == 2
    assert len(after[0]) == 3
    assert after[0]["seconds"].isna().tolist() == [True, True, False]
    assert job.left == trained[0].left


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool", ["tensorboard", pytest.param("dvclive", marks=pytest.mark.workflow), "mlflow"]
)
def test_a_tool_gets_each_epoch_and_the_bytes_stay_the_same(
    tool, corpus, trained, tmp_path, monkeypatch
):
    pytest.importorskip(tool)
    monkeypatch.setenv(tracking.VARIABLE, tool)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    job = Job(corpus, "cnn", tmp_path)
    job.run()
    job.run()  # what the first left is replaced
    assert job.left == trained[0].left
    expected = pd.read_csv(job.folder / "out/history.csv")["val_loss"].tolist()
    assert RECORDED[tool](tmp_path / "tracking") == pytest.approx(expected, rel=1e-5)


def of_tensorboard(folder: Path) -> list[float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "cnn/0/validation"), size_guidance={"tensors": 0})
    events.Reload()
    import tensorflow as tf

    return [float(tf.make_ndarray(one.tensor_proto)) for one in events.Tensors("epoch_loss")]


def of_dvclive(folder: Path) -> list[float]:
    table = pd.read_csv(folder / "cnn/0/plots/metrics/eval/loss.tsv", sep="\t")
    assert table["step"].tolist() == list(range(EPOCHS))
    return table["loss"].tolist()


def of_mlflow(folder: Path) -> list[float]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("cnn")
    last = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"])[0]
    assert last.info.status == "FINISHED"
    return [one.value for one in client.get_metric_history(last.info.run_id, "val_loss")]


RECORDED = {"tensorboard": of_tensorboard, "dvclive": of_dvclive, "mlflow": of_mlflow}


@pytest.mark.slow
def test_a_server_that_is_down_and_a_full_disk_end_no_training(
    corpus, trained, tmp_path, monkeypatch, caplog
):
    import keras

    from genreflow.models.neural import live

    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["loss"] = epoch  # of a copy
            raise ConnectionError("server is down")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "write_csv", full)
    monkeypatch.setattr(tracking, "chosen", lambda: "mlflow")
    monkeypatch.setattr(tracking, "callback", lambda *_, **__: Failing())
    job = Job(corpus, "cnn", tmp_path)
    job.run()
    assert job.left == trained[0].left
    assert caplog.text.count("mlflow has failed (ConnectionError('server is down'))") == 1
    assert "history.csv: can't be written (No space left on device); going on" in caplog.text


@pytest.mark.slow
def test_a_tool_that_does_not_even_start_is_done_without(tmp_path, monkeypatch, caplog):
    from genreflow.models.neural.live import Tracked

    def start(*_: Any, going_on: bool) -> Any:
        raise ConnectionError(f"going on: {going_on}")

    monkeypatch.setattr(tracking, "callback", start)
    tracked = Tracked("mlflow", tmp_path)
    for epoch in (3, 4):
        tracked.on_epoch_begin(epoch)
        tracked.on_epoch_end(epoch, {})
    assert caplog.text.count("mlflow has failed (ConnectionError('going on: True'))") == 1


@pytest.mark.slow
def test_a_tool_that_is_not_there_ends_a_training_before_it_begins(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv(tracking.VARIABLE, "mlflow")
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(tracking.TrackingError, match=r"isn't installed.*tracking\]"):
        Job(corpus, "cnn", tmp_path).run()
    assert list(tmp_path.iterdir()) == []


def test_a_tool_that_nobody_knows_is_refused(monkeypatch):
    monkeypatch.setenv(tracking.VARIABLE, "wandb")
    with pytest.raises(tracking.TrackingError, match="expected tensorboard, dvclive, mlflow"):
        tracking.chosen()
    monkeypatch.setenv(tracking.VARIABLE, "")
    assert tracking.chosen() == ""


# What a terminal shows.


def grow(results: Path, epochs: int, *, of: int = 30, seconds: float = 20.0) -> Path:
    path = results / "resume/cnn/3/history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        "epoch": range(1, epochs + 1),
        "epochs": of,
        "seconds": [seconds * 4] + [seconds] * (epochs - 1),
    }
    table = pd.DataFrame(rows).assign(loss=1.5, val_accuracy=0.613)
    table.to_csv(path, index=False)
    return path


def test_what_is_left_follows_from_the_epochs_that_are_over(tmp_path):
    grow(tmp_path, 12)
    (found,) = progress.under_way(tmp_path)
    assert str(found) == "cnn, fold 3: epoch 12 of 30, loss 1.500, validation 61 %, 6 min left"


def test_the_training_of_the_release_is_on_all_tracks_and_no_fold(tmp_path):
    fold = grow(tmp_path, 12).parent
    fold.rename(fold.with_name("release"))
    (found,) = progress.under_way(tmp_path)
    assert str(found).startswith("cnn, all tracks: epoch 12 of 30")


def test_a_refused_or_half_known_history_is_left_out(tmp_path):
    path = grow(tmp_path, 2)
    path.write_text("epoch,epochs,seconds,loss\n", encoding="utf-8")
    assert progress.under_way(tmp_path) == []
    for first in ("1,3,,0.5", "1,3,60,0.5"):  # the first epoch compiles
        path.write_text(f"epoch,epochs,seconds,loss\n{first}\n", encoding="utf-8")
        (found,) = progress.under_way(tmp_path)
        assert str(found) == "cnn, fold 3: epoch 1 of 3, loss 0.500"


def test_lines_are_told_when_something_is_new_and_not_too_often(tmp_path, monkeypatch):
    import io

    now = [1_000_000_000.0]
    monkeypatch.setattr(progress.time, "time", lambda: now[0])
    os.utime(grow(tmp_path, 1), (now[0] - 50, now[0] - 50))  # of a run that was killed
    stream = io.StringIO()
    teller = progress.Teller(tmp_path, stream)

    def told(epochs: int) -> int:
        os.utime(grow(tmp_path, epochs), (now[0] + 1, now[0] + 1))
        teller.tell()
        return stream.getvalue().count("\n")

    teller.tell()
    assert stream.getvalue() == ""
    assert told(2) == 1
    now[0] += 5
    assert told(3) == 1
    now[0] += progress.INTERVAL
    assert told(3) == 2
    now[0] += progress.INTERVAL
    assert told(3) == 2


def test_watch_shows_trainings_under_way(tmp_path):
    grow(tmp_path, 12)
    done = CliRunner().invoke(app, ["watch", str(tmp_path)], env={"COLUMNS": "120"})
    assert done.exit_code == 0
    row = next(line for line in done.output.splitlines() if "cnn" in line)
    assert [cell.strip() for cell in row.split("│")[1:7]] == [
        "cnn",
        "fold 3",
        "12 of 30",
        "1.500",
        "61.3 %",
        "6 min",
    ]


@pytest.mark.workflow
@pytest.mark.parametrize("options", [(), ("--quiet", "progress")])
def test_a_run_tells_a_terminal_how_far_networks_are(options, tmp_path):
    """The run has one small job; what a network's job would write is written beside it."""
    project = Project.create(tmp_path / "clone", **{"corpus.root": "data/demo"})
    main, other = pty.openpty()
    command = ["snakemake", *options, "--cores", "1", "data/demo/blues"]
    run = subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        stdin=other,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    said = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the terminal is gone with the last process on it
            while part := os.read(main, 4096):
                said.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    while run.poll() is None:
        if (project.folder / ".cache/run.lock").exists():
            time.sleep(0.3)
            grow(project.folder / "results", 2)
        time.sleep(0.1)
    reader.join()
    os.close(main)
    assert run.returncode == 0, said.decode()
    assert (b"cnn, fold 3: epoch 2 of 30" in said) is not bool(options)
