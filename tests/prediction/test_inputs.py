"""What arguments stand for."""

import os
from pathlib import Path

import pytest

from genreflow.prediction.inputs import InputError, expand


@pytest.fixture
def music(tmp_path, monkeypatch):
    """A folder with audio files by their names, in which the test runs."""
    names = ["b.mp3", "a.FLAC", "inner/c.ogg", ".hidden/d.mp3", ".e.mp3", "cover.png", "list.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*arguments, stdin=b""):
    found = expand(arguments, lambda: stdin)
    assert all(not item.reason for item in found), found
    return [item.path for item in found]


def reason(*arguments):
    (item,) = expand(arguments, lambda: b"")
    return item.reason


def test_a_folder_is_its_audio_files_sorted_and_without_hidden_ones(music):
    assert paths(".") == ["a.FLAC", "b.mp3", "inner/c.ogg"]
    assert paths(str(music)) == [str(music / name) for name in ("a.FLAC", "b.mp3", "inner/c.ogg")]


def test_each_file_comes_once_in_the_order_of_the_arguments(music):
    assert paths("inner/c.ogg", "./inner/../inner/c.ogg", ".", str(music / "b.mp3")) == [
        "inner/c.ogg",
        "a.FLAC",
        "b.mp3",
    ]


def test_a_file_is_taken_at_its_word_whatever_its_name(music):
    assert paths("list.txt", "isnt.there") == ["list.txt", "isnt.there"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("suffix", [".m3u", ".M3U8"])
def test_a_playlist_is_what_it_lists_relative_to_itself(music, encoding, suffix):
    (music / "inner/Müsli.mp3").write_bytes(b"x")
    uri = (music / "b.mp3").as_uri()
    text = f"#EXTM3U\r\n#EXTINF:10,Somebody\r\nMüsli.mp3\r\n\r\nc.ogg\r\n../a.FLAC\r\n{uri}\r\n"
    (music / f"inner/mix{suffix}").write_bytes(text.encode(encoding))
    assert paths(f"inner/mix{suffix}") == [
        "inner/Müsli.mp3",
        "inner/c.ogg",
        "inner/../a.FLAC",
        str(music / "b.mp3"),
    ]


def test_what_a_playlist_has_on_a_network_is_named_with_the_reason(music):
    Path("radio.m3u").write_text("http://example.org/stream\n")
    assert "network" in reason("radio.m3u")


def test_a_list_may_be_relative_to_the_current_folder(music):
    Path("inner/mix.m3u").write_text("b.mp3\nmissing.mp3\n")
    assert paths("inner/mix.m3u") == ["b.mp3", "inner/missing.mp3"]


@pytest.mark.parametrize(
    "table", ["path,genre\nb.mp3,rock\n", "id;File\n1;b.mp3\n", "genre\ttrack_id\nx\tb.mp3\n\ty\n"]
)
def test_a_table_is_the_files_in_its_column(music, table):
    Path("list.csv").write_text(table)
    assert paths("list.csv")[:1] == ["b.mp3"]


def test_names_like_formulas_come_back_from_a_table(music):
    Path("=1+1.mp3").write_bytes(b"x")
    Path("list.csv").write_text("path\n'=1+1.mp3\n")
    assert paths("list.csv") == ["=1+1.mp3"]


def test_a_table_without_files_says_what_its_column_may_be_called(music):
    Path("list.csv").write_text("artist,title\na,b\n")
    with pytest.raises(InputError, match=r"list.csv: has the columns artist, title.*path, file"):
        paths("list.csv")


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_on_standard_input_holds_files_and_folders(music, separator):
    assert paths("-", stdin=separator.join([b"b.mp3", b"inner", b""])) == ["b.mp3", "inner/c.ogg"]


def test_names_on_standard_input_may_hold_line_breaks_and_need_not_be_text(music):
    odd = b"two\nlines \xff.mp3"
    assert [os.fsencode(path) for path in paths("-", stdin=odd + b"\0")] == [odd]


def test_names_in_a_folder_need_not_be_text(music):
    odd = os.fsdecode(b"inner/\xff.mp3")
    Path(odd).write_bytes(b"x")
    assert paths("inner") == ["inner/c.ogg", odd]


def test_what_holds_nothing_to_hear_is_named_with_the_reason(music):
    Path("empty").mkdir()
    assert reason("empty") == "holds no audio files"
    Path("model").mkdir()
    Path("model/model.json").write_text("{}")
    assert "--model" in reason("model")
    assert "can't be opened" in reason("missing.m3u")
