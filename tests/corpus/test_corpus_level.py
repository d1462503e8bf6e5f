"""A root that isn't a folder of genres is refused before any work, with what was meant."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.corpus.level import check_level, checked_layout
from genreflow.corpus.scan import CorpusError
from tests.conftest import Project
from tests.corpus.test_corpus_scan import make


def refusal(root: Path) -> str:
    with pytest.raises(CorpusError) as raised:
        check_level(root)
    return str(raised.value)


TOO_HIGH = {
    "data with genres in it": (["genres/blues/a.wav", "genres/jazz/b.wav"], "genres"),
    "Kaggle's Data": (
        [
            "genres_original/blues/blues.00000.wav",
            "genres_original/jazz/jazz.00000.wav",
            "images_original/blues/blues00000.png",
            "images_original/jazz/jazz00000.png",
            "features_3_sec.csv",
        ],
        "genres_original",
    ),
    "an archive around it": (
        ["Data/genres_original/a/1.wav", "Data/genres_original/b/1.wav", "Data/images/a/1.png"],
        "Data/genres_original",
    ),
    "audio of a demo beside it": (["genres/a/1.wav", "genres/b/1.wav", ".trash/1.wav"], "genres"),
}


@pytest.mark.parametrize("what", TOO_HIGH)
def test_a_root_that_is_too_high_is_refused_with_the_one_below(tmp_path: Path, what: str) -> None:
    files, meant = TOO_HIGH[what]
    said = refusal(make(tmp_path, *files))
    assert "too high" in said
    assert said.endswith(f"Did you mean corpus.root: {tmp_path / meant}?")
    check_level(tmp_path / meant)


def test_the_demo_does_not_make_its_folder_a_folder_of_genres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, *(f"data/{of}/{g}/1.wav" for of in ("demo", "genres") for g in ("blues", "pop")))
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("data")).endswith("Did you mean corpus.root: data/genres?")


@pytest.mark.parametrize("files", [["1.wav", "2.wav"], ["1.wav", "live/2.wav"], ["live/1.wav"]])
def test_a_root_that_is_too_low_is_refused_with_the_one_above(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "blues", *files)
    make(tmp_path, "jazz/a.wav", "pop/a.wav")
    said = refusal(tmp_path / "blues")
    assert "(blues, jazz, pop)" in said
    assert said.endswith(f"too low. Did you mean corpus.root: {tmp_path}?")
    monkeypatch.chdir(tmp_path / "blues")
    assert refusal(Path()).endswith(f"Did you mean corpus.root: {tmp_path}?")


def test_a_single_genre_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "corpus", "rock/a.wav", "rock/live/b.wav", "covers/c.png")
    assert "rock is the only folder with audio" in refusal(tmp_path / "corpus")


def test_folders_without_audio_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "corpus", "blues/a.png", "jazz/b.txt")
    assert "no audio file in any of its folders" in refusal(tmp_path / "corpus")


@pytest.mark.parametrize("names", [["000", "001", "155"], ["00", "01"]])
def test_numbered_folders_point_at_the_table(tmp_path: Path, names: list[str]) -> None:
    said = refusal(make(tmp_path, *(f"{name}/{name}002.mp3" for name in names), "checksums"))
    assert "say no genre" in said
    assert "corpus.labels (path, genre)" in said
    assert "genreflow corpus labels" in said


def test_roles_are_no_genres(tmp_path: Path) -> None:
    said = refusal(make(tmp_path, "train/blues/a.wav", "Test/blues/b.wav"))
    assert "parts of a partition" in said
    assert "corpus.labels (path, genre, role)" in said


RIGHT = {
    "genres": ["blues/a.wav", "jazz/b.wav"],
    "artists in genres": ["rock/Abba/One/1.wav", "pop/Abba/Two/1.wav"],
    "a genre without audio yet": ["rock/a.wav", "pop/b.wav", "jazz/notes.txt"],
    "decades": ["1980/a.wav", "1990/a.wav", "2000/a.wav"],
    "classes": ["0/a.wav", "1/a.wav"],
    "a list beside the folders": ["rock/a.wav", "pop/b.wav", "bextract_single.mf", "._x.wav"],
}


@pytest.mark.parametrize("what", RIGHT)
def test_folders_of_genres_pass(tmp_path: Path, what: str) -> None:
    check_level(make(tmp_path, *RIGHT[what]))


def test_a_table_says_the_genres_whatever_the_folders_are_called(tmp_path: Path) -> None:
    make(tmp_path / "fma", "000/1.mp3", "001/2.mp3")
    (tmp_path / "labels.csv").write_text("path,genre\n000/1.mp3,Folk\n001/2.mp3,Rock\n")
    layout = checked_layout(tmp_path / "fma", tmp_path / "labels.csv")
    assert layout.genres == ("Folk", "Rock")


def test_scanning_says_so_too(tmp_path: Path) -> None:
    make(tmp_path, "genres/blues/a.wav", "genres/jazz/b.wav")
    done = CliRunner().invoke(app, ["corpus", "scan", str(tmp_path)])
    assert done.exit_code == 1
    assert f"Did you mean corpus.root: {tmp_path / 'genres'}?" in done.output


@pytest.mark.workflow
@pytest.mark.parametrize(
    "command", [["snakemake", "--cores", "1", "splits"], ["dvc", "repro", "splits"]]
)
def test_both_doors_refuse_a_wrong_root_before_any_work(tmp_path: Path, command: list[str]) -> None:
    project = Project.create(tmp_path, **{"corpus.root": "data/mine"})
    make(project.folder / "data/mine", "genres/blues/a.wav", "genres/jazz/b.wav")
    done = project.run(*command, check=False)
    assert done.returncode != 0
    assert "Did you mean corpus.root: data/mine/genres?" in done.stdout + done.stderr
    assert not (project.folder / "results/audio").exists()
