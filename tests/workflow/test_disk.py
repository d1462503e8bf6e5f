"""A disk that takes no more is a message, and costs nothing but what was being written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from genreflow.disk import DiskError, check_writable, explain
from tests.conftest import Project, synthesise
from tests.workflow.test_kills import assert_same, outputs, users_files

HERE = Path("results/audio")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "results/audio: can't be written (No space left"),
        # h5py and libsndfile have errors without a number.
        (RuntimeError("write failed: No space left on device"), "results/audio: can't be written"),
        (OSError(28, "No space left on device", "/tmp/x"), "/tmp/x: can't be written (No space"),
        (
            OSError(30, "Read-only file system", "results/audio/.x"),
            "results/audio: can't be written",
        ),
        (
            PermissionError(13, "Permission denied", "results/audio/.x"),
            "(Permission denied). Make it",
        ),
    ],
)
def test_a_disk_that_takes_no_more_is_told_by_place_reason_and_remedy(error, told):
    message = str(explain(error, HERE))
    assert told in message
    assert message.endswith("and start again: what has been made stays")


def test_space_left_is_said_where_it_matters(tmp_path):
    assert "MB free in " + str(tmp_path) in str(explain(OSError(28, os.strerror(28)), tmp_path))
    assert "free in" not in str(explain(OSError(30, os.strerror(30)), tmp_path))


def test_what_led_to_an_error_counts():
    error = ValueError("the archive isn't closed")
    error.__context__ = OSError(28, "No space left on device")
    assert explain(error, HERE)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("math"),
        FileNotFoundError(2, "No such file or directory", "results/audio/x"),
        PermissionError(13, "Permission denied", "data/groups.csv"),
    ],
)
def test_other_errors_are_not_the_disks(error):
    assert explain(error, HERE) is None


def test_a_file_where_a_folder_should_be_is_refused(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(DiskError, match="results: can't be written"):
        check_writable(tmp_path / "results")


def test_a_folder_that_can_be_written_is_left_as_it_is(tmp_path):
    check_writable(tmp_path / "new/results")
    assert list((tmp_path / "new/results").iterdir()) == []


def mount(*arguments: str) -> None:
    """Mount something, or skip the test where that isn't allowed."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"mounting isn't allowed here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A folder with room for a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def new(tmp_path_factory) -> Project:
    project = Project.create(
        tmp_path_factory.mktemp("disk") / "new", **{"evaluation.models": ["xgb_mel"]}
    )
    synthesise(project.folder / "data/tiny")
    return project


@pytest.fixture(scope="module")
def undisturbed(new) -> dict[str, bytes]:
    project = new.copy(new.folder.parent / "undisturbed")
    project.snakemake("explore", "evaluate")
    return outputs(project)


@pytest.mark.workflow
def test_a_full_disk_ends_a_run_with_a_message_and_the_next_goes_on(new, undisturbed, small_disk):
    """All is on that disk: results, and what the tools note."""
    project = new.copy(small_disk / "project")
    users = users_files(project)
    used = shutil.disk_usage(small_disk).used
    told = []
    for room in (0.1, 1.0, 3.5):
        size = int(used + room * 1e6)
        subprocess.run(["mount", "-o", f"remount,size={size}", str(small_disk)], check=True)
        full = project.run("snakemake", "-j2", "explore", "evaluate", check=False)
        assert full.returncode != 0
        told.append(full.stdout + full.stderr)
        made = outputs(project)
        assert [name for name in made if made[name] != undisturbed[name]] == []
        assert users_files(project) == users
    assert any("DiskError: results/" in text for text in told)
    # Not each time: the log that a job writes its reason to lies on that disk, too.
    assert any("No space left on device" in text for text in told)
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    project.run("snakemake", "-j2", "explore", "evaluate")
    assert_same(outputs(project), undisturbed)
    assert users_files(project) == users


@pytest.mark.workflow
def test_read_only_results_are_refused_before_anything_runs(new, tmp_path):
    project = new.copy(tmp_path / "project")
    results = str(project.folder / "results")
    mount("--bind", results, results)
    try:
        mount("-o", "remount,bind,ro", results)
        users = users_files(project)
        refused = project.run("snakemake", "-j2", check=False)
    finally:
        subprocess.run(["umount", results], check=True)
    assert refused.returncode == 1
    assert "results: can't be written (Read-only file system). Mount the disk so" in refused.stderr
    assert users_files(project) == users
