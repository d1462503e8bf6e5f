"""An experiment in a copy finds the user's files where they lie."""

import os
from pathlib import Path

import pytest

from genreflow.borrowed import BorrowError, borrow, home_of_copy
from genreflow.params import Params


@pytest.fixture
def home(tmp_path):
    """A project with audio that neither Git nor DVC knows."""
    home = tmp_path / "my project"
    for name in ("blues/a.wav", "blues/live/b.wav", "pop/c.wav"):
        path = home / "data/genres" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return home


@pytest.fixture
def copy(home, monkeypatch):
    """The folder in which DVC runs an experiment; its stages are told of the project."""
    copy = home / ".dvc/tmp/exps/standalone/tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(home))
    return copy


def params(**corpus):
    return Params.model_validate({"corpus": {"root": "data/genres"} | corpus})


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_copy_knows_whose_it_is_and_a_project_that_it_is_none(home, copy, monkeypatch):
    assert home_of_copy(copy) == home
    assert home_of_copy(home) is None
    monkeypatch.delenv("DVC_ROOT")
    assert home_of_copy(copy) is None


def test_a_stage_of_another_project_is_no_copy(home, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert home_of_copy(home) is None


def test_folders_are_made_and_files_are_links(home, copy):
    borrow(params(), home)
    here = copy / "data/genres"
    assert contents(here) == contents(home / "data/genres")
    assert not (here / "blues").is_symlink()
    assert (here / "blues/live/b.wav").resolve() == home / "data/genres/blues/live/b.wav"
    borrow(params(), home)
    assert contents(here) == contents(home / "data/genres")


def test_what_is_here_stays_and_what_is_missing_beside_it_comes(home, copy):
    for folder, text in ((home, "theirs"), (copy, "ours")):
        (folder / "data/unknown").mkdir(parents=True)
        (folder / "data/unknown/README.md").write_text(text)
    (home / "data/unknown/speech").mkdir()
    (home / "data/unknown/speech/voice.wav").write_text("voice")
    borrow(params(), home)
    assert contents(copy / "data/unknown") == {"README.md": "ours", "speech/voice.wav": "voice"}


def test_what_dvc_tracks_is_the_version_that_was_queued(home, copy):
    (copy / "data/genres/blues").mkdir(parents=True)
    (copy / "data/genres.dvc").write_text("outs: []")
    borrow(params(), home)
    assert contents(copy / "data/genres") == {}


def test_tables_and_encoders_are_found_too(home, copy):
    for name in ("my/groups.csv", "my/net.onnx", "my/net.json", "my/other.onnx"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(name)
    wanted = {
        "corpus": {"root": "data/genres", "groups": "my/groups.csv"},
        "evaluation": {"models": ["xgb_mel", "mlp_embedding"]},
        "features": {"embedding": {"encoder": ["onnx:my/net.onnx"]}},
    }
    borrow(Params.model_validate(wanted), home)
    assert set(contents(copy / "my")) == {"groups.csv", "net.onnx", "net.json"}


def test_links_among_the_users_folders_stay_links(home, copy, tmp_path):
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    (elsewhere / "d.wav").write_text("d")
    (home / "data/genres/jazz").symlink_to(os.path.relpath(elsewhere, home / "data/genres"))
    borrow(params(), home)
    assert (copy / "data/genres/jazz").resolve() == elsewhere


@pytest.mark.parametrize("root", ["../music", ".", "data/../../music"])
def test_a_path_that_leads_out_of_the_folder_is_refused(home, copy, root):
    with pytest.raises(BorrowError, match=r"runs in a copy elsewhere. Write the whole path: /"):
        borrow(params(root=root), home)


def test_a_whole_path_and_the_demo_need_nothing(home, copy):
    borrow(params(root=str(home / "data/genres")), home)
    (home / "data/demo").mkdir()
    (home / "data/demo/e.flac").write_text("e")
    borrow(params(root="data/demo"), home)
    assert not [path for path in copy.rglob("*") if Path(path).is_symlink()]
