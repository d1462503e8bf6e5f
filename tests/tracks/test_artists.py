"""Groups from tags, from tables and from GTZAN's index, so that artists are kept apart."""

import csv
from pathlib import Path

import mutagen
import mutagen.id3
import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.tracks.artists import ArtistsError, list_groups
from genreflow.tracks.listings import ListingError, read_listing
from tests.conftest import synthesise
from tests.synthetic_features import sound_of


@pytest.fixture
def corpus(tmp_path):
    """Four tracks in four formats, tagged as people tag them."""
    root = tmp_path / "corpus"
    tags = {
        "blues/one.flac": "The  Band",
        "blues/two.ogg": "the band ",
        "rock/three.wav": "The Band",
        "rock/four.flac": "Unknown Artist",
        "rock/five.flac": None,
    }
    for name, artist in tags.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound_of("hiss", np.random.default_rng(0)), 8000)
        if artist is not None:
            tag(path, artist)
    (root / "rock/six.mp3").write_bytes(b"no audio at all")
    return root


def tag(path, artist):
    file = mutagen.File(path, easy=True)
    if path.suffix == ".wav":
        file.add_tags()
        file.tags.add(mutagen.id3.TPE1(text=[artist]))
        file.tags.add(mutagen.id3.TALB(text=["An album"]))
    else:
        file["artist"] = artist
    file.save()


def listed(path):
    return read_listing(path, "group").set_index("track_id")["group"].to_dict()


def test_artists_are_read_from_tags_and_spellings_are_one_group(corpus, tmp_path):
    out = tmp_path / "groups.csv"
    found = list_groups(corpus, out)
    assert len(set(listed(out).values())) == 1
    assert set(listed(out)) == {"blues/one.flac", "blues/two.ogg", "rock/three.wav"}
    assert (found.known, found.tracks, found.groups) == (3, 6, 1)


def test_the_artists_of_compilations_are_not_one_artist(corpus, tmp_path):
    for name, artist in {"blues/one.flac": "Various  Artists", "rock/five.flac": "V.A."}.items():
        tag(corpus / name, artist)
    out = tmp_path / "groups.csv"
    found = list_groups(corpus, out)
    assert set(listed(out)) == {"blues/two.ogg", "rock/three.wav"}
    assert (found.known, found.groups) == (2, 1)


def test_albums_can_be_groups_too(corpus, tmp_path):
    out = tmp_path / "groups.csv"
    list_groups(corpus, out, by="album")
    assert listed(out) == {"rock/three.wav": "An album"}


def test_sturms_index_is_understood(corpus, tmp_path):
    index = tmp_path / "index.txt"
    lines = ("one.wav ::: B.B. King ::: A title", "two.wav ::: ::: ", "four.wav ::: B.b.  king")
    index.write_text("\n".join(lines))
    out = tmp_path / "groups.csv"
    found = list_groups(corpus, out, source=index)
    assert listed(out) == {"blues/one.flac": "B.B. King", "rock/four.flac": "B.B. King"}
    assert found.known == 2


@pytest.mark.parametrize("header", ["file,artist", "track_id,group", "Path,Title,Artist"])
def test_a_table_of_artists_is_understood(corpus, tmp_path, header):
    columns = header.split(",")
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for track, artist in (("blues/one.flac", "NA"), ("rock/four", "Abba"), ("rock/five", "?")):
            writer.writerow([track, *["x"] * (len(columns) - 2), artist])
    out = tmp_path / "groups.csv"
    list_groups(corpus, out, source=table)
    assert listed(out) == {"blues/one.flac": "NA", "rock/four.flac": "Abba"}


def test_a_listing_that_is_filled_in_is_left_as_it_is(corpus, tmp_path):
    out = tmp_path / "groups.csv"
    out.write_text("track_id,group\nmine,me\n")
    with pytest.raises(ArtistsError, match="left as it is"):
        list_groups(corpus, out)
    assert out.read_text() == "track_id,group\nmine,me\n"
    out.write_text("track_id,group\n")
    list_groups(corpus, out)
    assert len(listed(out)) == 3


def test_sources_that_do_not_help_are_explained(corpus, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("song,band\na,b\n")
    with pytest.raises(ArtistsError, match=r"expected a column called .*artist; found song, band"):
        list_groups(corpus, tmp_path / "out.csv", source=table)
    table.write_text("file,artist\nelsewhere.wav,b\n")
    with pytest.raises(ListingError, match="none of its 1 tracks is in the corpus"):
        list_groups(corpus, tmp_path / "out.csv", source=table)
    with pytest.raises(ArtistsError, match="can't be read"):
        list_groups(corpus, tmp_path / "out.csv", source=tmp_path / "none.csv")
    (corpus / "rock/three.wav").unlink()
    with pytest.raises(ArtistsError, match="name no album of any track, so nothing was written"):
        list_groups(corpus, tmp_path / "out.csv", by="album")
    assert not (tmp_path / "out.csv").exists()


def test_the_command_says_how_many_are_known(corpus, tmp_path):
    out = tmp_path / "groups.csv"
    done = CliRunner().invoke(app, ["corpus", "groups", str(corpus), "--to", str(out)])
    assert done.exit_code == 0
    assert "3 of 6 tracks in 1 group. 3 tracks have no known artist" in done.stdout
    assert pd.read_csv(out).columns.tolist() == ["track_id", "group"]


def test_the_demo_corpus_knows_its_bands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesise(Path("data/demo"), ["blues", "rock"], tracks=10, seconds=2.0)
    found = list_groups(Path("data/demo"), Path("groups.csv"))
    assert (found.known, found.tracks, found.groups) == (20, 20, 16)
    assert listed(Path("groups.csv"))["rock/rock.00009.flac"] == "rock band 2"
