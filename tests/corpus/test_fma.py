"""FMA's layout and metadata, synthesised: numbered folders of mp3s, and tracks.csv."""

import csv
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.corpus.fma import FmaError, write_fma_labels
from tests.conftest import ROOT, Project, synthesise

GUIDE = ROOT / "docs/fma.md"
BELONGING = ROOT / "docs/artists.md"

# As in fma_metadata.zip: two lines of headings, one that names the index, text with line breaks.
HEADINGS = [
    ("", ""),
    ("album", "title"),
    ("artist", "bio"),
    ("artist", "id"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "title"),
]
SPLITS = ("training", "training", "training", "validation", "test")


def write_metadata(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows(zip(*HEADINGS, strict=True))
        writer.writerow(["track_id"] + [""] * (len(HEADINGS) - 1))
        for row in rows:
            facts = [row[name] for name in ("artist", "split", "subset", "genre")]
            bio = 'He said: "one, two",\nand went – 1972'
            writer.writerow([row["id"], "Album", bio, *facts, f"Title {row['id']}"])
    return path


def track(number: int, **facts: object) -> dict[str, object]:
    usual = {"artist": number // 10, "split": "training", "subset": "small", "genre": "Folk"}
    return {"id": number, **usual, **facts}


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("path")


def test_a_track_gets_its_path_top_genre_artist_and_role(tmp_path: Path) -> None:
    rows = [track(2, genre="Hip-Hop", split="validation"), track(141299, artist=7)]
    out = tmp_path / "labels.csv"
    found = write_fma_labels(write_metadata(tmp_path / "tracks.csv", rows), "small", out)
    assert (found.tracks, found.genres, found.without_genre) == (2, 2, 0)
    assert table(out).loc["000/000002.mp3"].tolist() == ["Hip-Hop", "artist 0", "valid"]
    assert table(out).loc["141/141299.mp3"].tolist() == ["Folk", "artist 7", "train"]


@pytest.mark.parametrize(("subset", "n"), [("small", 1), ("medium", 2), ("large", 3)])
def test_a_larger_subset_holds_the_smaller_ones(tmp_path: Path, subset, n: int) -> None:
    sizes = ("small", "medium", "large")
    rows = [track(number, subset=size) for number, size in enumerate(sizes)]
    metadata = write_metadata(tmp_path / "tracks.csv", rows)
    assert write_fma_labels(metadata, subset, tmp_path / "labels.csv").tracks == n


def test_tracks_without_a_top_genre_are_left_out_and_slashes_do_not_stay(tmp_path: Path) -> None:
    rows = [track(1, genre=""), track(2, genre="Old-Time / Historic"), track(3)]
    metadata = write_metadata(tmp_path / "tracks.csv", rows)
    assert write_fma_labels(metadata, "small", tmp_path / "labels.csv").without_genre == 1
    assert table(tmp_path / "labels.csv")["genre"].tolist() == ["Old-Time-Historic", "Folk"]


def test_a_table_with_rows_is_left_as_it_is_and_an_empty_one_is_filled(tmp_path: Path) -> None:
    rows = [track(1), track(2, genre="Rock")]
    metadata, out = write_metadata(tmp_path / "tracks.csv", rows), tmp_path / "labels.csv"
    out.write_text("path,genre,group,role\n")
    write_fma_labels(metadata, "small", out)
    before = out.read_bytes()
    with pytest.raises(FmaError, match="is left as it is"):
        write_fma_labels(metadata, "medium", out)
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "is no CSV"),
        (b"track_id,genre\n1,Folk\n", "lacks the columns set/subset"),
        (b"\xff\xfe\x00", "is no CSV"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "tracks.csv").write_bytes(content)
    with pytest.raises(FmaError, match=said):
        write_fma_labels(tmp_path / "tracks.csv", "small", tmp_path / "labels.csv")
    assert not (tmp_path / "labels.csv").exists()


def recipe(page: Path, language: str) -> str:
    """Return the first code block of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]


@pytest.mark.workflow
def test_the_guides_recipe_for_fma_works_on_its_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.create(tmp_path)
    synthesise(tmp_path / "made", genres=("blues", "metal"), tracks=10, seconds=2.0)
    rows = []
    for n, made in enumerate(sorted((tmp_path / "made").rglob("*.flac"))):
        number = 990 + n
        path = tmp_path / f"data/fma_small/{number // 1000:03d}/{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, *soundfile.read(made), format="MP3")
        genre = {"blues": "Hip-Hop", "metal": "Folk"}[made.parent.name]
        rows.append(track(number, genre=genre, artist=n // 2, split=SPLITS[n // 2 % 5]))
    (tmp_path / "data/fma_small/README.txt").write_text("FMA")
    (tmp_path / "data/fma_small/000/000990.mp3").write_bytes(b"")
    write_metadata(tmp_path / "data/fma_metadata/tracks.csv", [*rows, track(5, subset="large")])

    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(recipe(GUIDE, "bash"))
    assert program == "genreflow"
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "20 tracks in 2 genres" in done.output
    values = yaml.safe_load(recipe(GUIDE, "yaml"))
    project.edit(
        **{f"{a}.{b}": value for a, section in values.items() for b, value in section.items()}
    )
    project.snakemake("splits")

    tracks = pd.read_parquet(tmp_path / "results/tracks.parquet").set_index("track_id")
    assert tracks.groupby("genre").size().to_dict() == {"Folk": 10, "Hip-Hop": 10}
    assert tracks.loc["000/000990.mp3", "status"] == "rejected"
    splits = pd.read_parquet(tmp_path / "results/splits.parquet").set_index("track_id")
    assert splits.groupby("role").size().to_dict() == {"train": 11, "valid": 4, "test": 4}
    assert splits.loc["001/001009.mp3", "role"] == "test"
    assert splits.groupby("group")["role"].nunique().max() == 1
    assert set(splits["group"]) == {f"artist {n}" for n in range(10)}


def test_the_guides_patterns_are_valid_and_group_what_it_says() -> None:
    text = BELONGING.read_text(encoding="utf-8")
    by_artist = yaml.safe_load(recipe(BELONGING, "yaml"))["corpus"]
    assert re.search(by_artist["group_pattern"], "rock/Abba - Waterloo.mp3")[1] == "Abba"
    copies = re.findall(r"`'(\^.*?)'`", text)[0]
    names = ("a/song.wav", "a/song_pitch+1.wav", "a/song_speed-2.flac")
    assert {re.search(copies, name)[1] for name in names} == {"a/song"}
