"""One run at a time, and none that ended in the way of the next."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genreflow import runlock

HOLD = """
from genreflow import runlock
from pathlib import Path

runlock.hold(Path())
print(1, flush=True)
input()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"1\n"
        yield process
        process.kill()


def test_the_second_is_told_which_the_first_is_and_what_to_do(other, tmp_path):
    with pytest.raises(runlock.AnotherRunError) as refused:
        runlock.hold(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}: another run is at work in this folder: `-c` (process")
    assert f"`kill {other.pid}`" in message
    assert os.uname().nodename in message


def test_a_process_that_runs_twice_is_no_other(tmp_path):
    first, second = runlock.hold(tmp_path), runlock.hold(tmp_path)
    os.close(second)
    os.close(first)


def test_a_killed_run_holds_nothing(other, tmp_path):
    other.kill()
    other.wait()
    os.close(runlock.hold(tmp_path))


def test_children_of_a_killed_run_hold_nothing(tmp_path):
    lock = runlock.hold(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as child:
        os.close(lock)
        os.close(runlock.hold(tmp_path))
        child.kill()


def test_whoever_comes_while_the_first_has_written_nothing_yet_is_refused_all_the_same(tmp_path):
    path = tmp_path / runlock.LOCK
    path.parent.mkdir()
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(runlock.AnotherRunError, match="one that has just begun"):
            runlock.hold(tmp_path)


def test_a_long_command_of_an_earlier_run_leaves_no_trace(tmp_path):
    path = tmp_path / runlock.LOCK
    path.parent.mkdir()
    path.write_text("x" * 10_000)
    lock = runlock.hold(tmp_path)
    assert json.loads(path.read_text())["pid"] == os.getpid()
    os.close(lock)


def test_a_drive_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    os.close(runlock.hold(tmp_path))
    assert "can't be locked (No locks available); start no second run" in caplog.text


def test_dvc_is_not_asked_where_it_runs_the_workflow_or_is_not_used(tmp_path, monkeypatch):
    runlock.keep_dvc_out(tmp_path)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setenv("DVC_STAGE", "audio")
    runlock.keep_dvc_out(tmp_path)
    assert list(Path(tmp_path / ".dvc").iterdir()) == []
