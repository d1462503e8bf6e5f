"""A clock that was ahead, and jumps back: no error, nothing stale, nothing made twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from genreflow.clock import bring_to_now
from tests.conftest import Project, plan, synthesise

DAY = 86_400 * 10**9


def date(path: Path, ns: int) -> None:
    path.touch()
    os.utime(path, ns=(ns, ns))


def test_dates_in_the_future_become_now_and_keep_their_order(tmp_path):
    now = time.time_ns()
    names = ["old", "just now", "tomorrow", "tomorrow too", "next week"]
    for name, days in zip(names, (-9, 0, 1, 1, 7), strict=True):
        date(tmp_path / name, now + days * DAY)
    assert bring_to_now([tmp_path]) == 3
    dates = [(tmp_path / name).stat().st_mtime_ns for name in names]
    assert dates == sorted(dates)
    assert dates[:2] == [now - 9 * DAY, now]
    assert dates[1] < dates[2] == dates[3] < dates[4] <= time.time_ns()
    assert bring_to_now([tmp_path]) == 0


def test_a_link_is_dated_and_what_it_points_at_is_not(tmp_path):
    tomorrow = time.time_ns() + DAY
    date(tmp_path / "cached", tomorrow)
    link = tmp_path / "results/x"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "cached")
    os.utime(link, ns=(tomorrow, tomorrow), follow_symlinks=False)
    bring_to_now([link.parent])
    assert link.lstat().st_mtime_ns <= time.time_ns()
    assert (tmp_path / "cached").stat().st_mtime_ns == tomorrow


def test_folders_that_are_not_there_have_no_dates(tmp_path):
    assert bring_to_now([tmp_path / "nowhere"]) == 0


@pytest.mark.workflow
def test_a_run_after_the_clock_jumped_back_makes_what_is_stale_and_once(tmp_path):
    project = Project.create(tmp_path / "project", **{"evaluation.models": ["xgb_mel"]})
    synthesise(project.folder / "data/tiny", tracks=4)
    project.snakemake("evaluate")
    tops = [project.folder / name for name in ("results", "workflow", "data", "params.yaml")]
    paths = [path for top in tops for path in (top, *top.rglob("*")) if path.is_file()]
    for path in paths:
        date(path, path.stat().st_mtime_ns + DAY)
    audio = {path: path.stat().st_mtime_ns for path in paths if path.suffix == ".flac"}
    assert plan(project, "evaluate").jobs == {}
    project.edit(**{"models.xgb_mel.max_depth": 2})
    # As if the run was killed after training.
    project.snakemake("results/models/xgb_mel/0/predictions.parquet")
    assert set(plan(project, "evaluate").jobs) == {"evaluate"}
    project.snakemake("evaluate")
    assert plan(project, "evaluate").jobs == {}
    assert {path: path.stat().st_mtime_ns for path in audio} == audio, "the user's files"
